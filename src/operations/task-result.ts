/** What came of a task, with a bounded wait for it: `GET /tasks/:id/result`, and the result that comes with an enqueue. */

import { shownJson } from '../core/damaged.ts';
import { parseDuration } from '../core/duration.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { parseId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { redactedText } from '../core/redact.ts';
import { isFinished, type Reason, type TaskState, type TaskView, viewOf } from '../core/states.ts';
import type { Task, TaskError } from '../core/task.ts';
import { isoTime } from '../core/time.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { ResultInput } from './schemas.ts';
import { checkStillLetIn } from './still-allowed.ts';

export interface ResultDocument {
  readonly id: string;
  readonly name: string;
  readonly state: TaskState;
  readonly view: TaskView;
  readonly reason: Reason | null;
  /** Whether it has ended; before, `result` is null and `error` that of the last run. */
  readonly finished: boolean;
  /** What the handler returned; `null` also where it returned nothing, which `hasResult` tells. */
  readonly result: unknown;
  readonly hasResult: boolean;
  readonly error: TaskError | null;
  readonly cancelReason: string | null;
  /** Whether values of `result` are hidden: it is not all that the handler returned. */
  readonly hidden: boolean;
  readonly finishedAt: string | null;
}

/** A task that has not ended in time is no error: `finished` says so, and over HTTP the status 202. */
export const taskResult: Operation<ResultInput, ResultDocument> = {
  name: 'task.result',
  summary: 'Answer what a task returned, and wait for it where that is asked',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/tasks/:id/result' },
  statuses: {
    words: { 200: 'It has ended', 202: 'It has not ended yet' },
    statusOf: ({ finished }) => (finished ? 200 : 202),
  },
  audit: null,
  schema: async () => (await import('./schemas.ts')).resultInput,
  output: async () => (await import('./task-output.ts')).resultOutput,
  run: (context, { id, wait }) => resultOf(context, parseId(id), readWait(wait)),
};

/** Milliseconds to wait, 0 where none are asked for. Throws INVALID_OPTION above `limits.resultAskMs`. */
export function readWait(wait: ResultInput['wait']): number {
  return wait === undefined ? 0 : parseDuration(wait, 'wait', { max: limits.resultAskMs });
}

/**
 * How the task stands when it has ended, or after `waitMs`. Throws TASK_NOT_FOUND, TOO_MANY_WAITS and WAITS_FULL where it would have to wait, and
 * UNAUTHENTICATED for who may not look any more.
 */
export async function resultOf(context: OperationContext, taskId: string, waitMs: number): Promise<ResultDocument> {
  const task = await find(context, taskId);
  if (waitMs === 0 || isFinished(task.state)) return resultDocument(context, task);
  const ended = await endOf(context, taskId, waitMs);
  await checkStillLetIn(context.actor);
  // What has left the live store meanwhile is in the record; after its time a task is shown as it stands.
  return resultDocument(context, ended ?? (await find(context, taskId)));
}

/** `null` when its time is over, or nobody waits for the answer any more. */
async function endOf(context: OperationContext, taskId: string, waitMs: number): Promise<Task | null> {
  const leave = context.resultPlaces.take(context, 1);
  const gone = context.gone?.();
  try {
    return await context.waiter.finished(taskId, waitMs, gone);
  } catch (error) {
    if (isOver(error) || gone?.aborted === true) return null;
    throw error;
  } finally {
    leave();
  }
}

/** Whether a wait has just come to its end. */
export function isOver(error: unknown): boolean {
  return error instanceof TaskFlowError && (error.code === 'RESULT_TIMEOUT' || error.code === 'TASK_NOT_FOUND');
}

async function find({ store }: OperationContext, taskId: string): Promise<Task> {
  const [live] = await store.broker.getTasks([taskId]);
  const task = live ?? (await store.history.task(taskId))?.task;
  if (task === undefined) throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
  return task;
}

/** Of a task as the store shows it, without what is hidden. */
export function resultDocument({ redactionOf }: Pick<OperationContext, 'redactionOf'>, task: Task): ResultDocument {
  const { id, name, state, reason, result, error, cancelReason, finishedAt } = task;
  return {
    id,
    name,
    state,
    view: viewOf(task),
    reason,
    finished: isFinished(state),
    result: result === null ? null : shownJson(result),
    hasResult: result !== null,
    error,
    cancelReason,
    hidden: result?.includes(redactedText) === true && redactionOf(task.policy) !== null,
    finishedAt: isoTime(finishedAt),
  };
}

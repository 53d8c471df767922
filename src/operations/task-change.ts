/** Operations that change a task which waits: where it waits, when it runs, what holds it back. */

import type { UpdateResult } from '../broker/broker.ts';
import { readTags } from '../client/enqueue.ts';
import { readEnqueueLimits } from '../client/limit-options.ts';
import { parseDuration } from '../core/duration.ts';
import { taskFlowError } from '../core/errors.ts';
import { parseId } from '../core/ids.ts';
import { checkName } from '../core/names.ts';
import { invalidOption } from '../core/option-names.ts';
import { parsePriority } from '../core/priority.ts';
import { isFinished, type TaskState } from '../core/states.ts';
import type { TaskPatch } from '../core/task.ts';
import { standingOf } from './audited-state.ts';
import type { ChangeInput, MoveInput, UpdateInput } from './change-schemas.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { TaskInput } from './schemas.ts';
import { checkNotInternal } from './task-queues.ts';
import { readAt } from './time-text.ts';

export interface UpdateDocument {
  readonly id: string;
  readonly outcome: 'updated';
  /** Where it stands with the change. */
  readonly state: TaskState;
}

/** A task that runs is TASK_NOT_WAITING, one that has ended TASK_FINISHED; with another `version` it is TASK_CHANGED. */
export const taskUpdate: Operation<UpdateInput, UpdateDocument> = {
  name: 'task.update',
  summary: 'Change the queue, priority, time, limits or tags of a task that waits',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'PATCH', path: '/tasks/:id' },
  audit: 'changed {id}',
  state: standingOf,
  schema: async () => (await import('./change-schemas.ts')).updateInput,
  output: async () => (await import('./change-output.ts')).updateOutput,
  async run(context, { id, version, ...change }) {
    return updateOne(context, parseId(id), await readChange(context, change), version ?? null);
  },
};

export const taskMove: Operation<MoveInput, UpdateDocument> = {
  name: 'task.move',
  summary: 'Move a task that waits to another queue',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/tasks/:id/move' },
  audit: 'moved {id} to queue {queue}',
  state: standingOf,
  schema: async () => (await import('./change-schemas.ts')).moveInput,
  output: async () => (await import('./change-output.ts')).updateOutput,
  async run(context, { id, queue }) {
    return updateOne(context, parseId(id), await readChange(context, { queue }), null);
  },
};

export const taskRunNow: Operation<TaskInput, UpdateDocument> = {
  name: 'task.run-now',
  summary: 'Let a task that waits for its time, or for its next attempt, run now',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/tasks/:id/run-now' },
  audit: 'let {id} run now',
  state: standingOf,
  schema: async () => (await import('./schemas.ts')).taskInput,
  output: async () => (await import('./change-output.ts')).updateOutput,
  run: (context, { id }) => updateOne(context, parseId(id), { delayMs: 0 }, null),
};

/** What somebody asks to change, checked, as the store takes it. Throws INVALID_OPTION, also when there is nothing to change. */
export async function readChange(
  { store, queueNames }: Pick<OperationContext, 'store' | 'queueNames'>,
  change: ChangeInput,
): Promise<TaskPatch> {
  const { queue, priority, delay, at, limits, tags } = change;
  if (delay !== undefined && at !== undefined)
    throw invalidOption('at', 'a task has either a delay or a time, not both');
  const patch: TaskPatch = {
    ...(queue !== undefined && { queue: checkName(queue, 'queue') }),
    ...(priority !== undefined && { priority: parsePriority(priority) }),
    ...(delay !== undefined && { delayMs: parseDuration(delay, 'delay') }),
    ...(at !== undefined && { delayMs: await delayUntil(store, readAt(at)) }),
    ...(limits !== undefined && { limits: readEnqueueLimits([], limits) }),
    ...(tags !== undefined && { tags: readTags(tags) }),
  };
  if (patch.queue !== undefined) await queueNames.check(patch.queue);
  if (Object.keys(patch).length === 0)
    throw invalidOption('The change', 'nothing is to be changed: name queue, priority, delay, at, limits or tags');
  return patch;
}

/** The store counts from its own now. */
async function delayUntil({ broker }: OperationContext['store'], at: number): Promise<number> {
  const { now } = await broker.info();
  return parseDuration(Math.max(0, at - now), 'at');
}

async function updateOne(
  { store }: OperationContext,
  taskId: string,
  patch: TaskPatch,
  version: number | null,
): Promise<UpdateDocument> {
  await checkNotInternal(store, taskId);
  const [result] = await store.broker.update([{ taskId, version, patch }]);
  return { id: taskId, outcome: 'updated', state: stateAfter(taskId, result) };
}

function stateAfter(taskId: string, result: UpdateResult | undefined): TaskState {
  switch (result?.outcome) {
    case 'updated':
      return result.state;
    case 'already':
      if (isFinished(result.state)) throw taskFlowError('TASK_FINISHED', { id: taskId, state: result.state });
      throw taskFlowError('TASK_NOT_WAITING', { id: taskId, state: result.state });
    case 'changed':
      throw taskFlowError('TASK_CHANGED', { id: taskId, version: result.version });
    default:
      throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
  }
}

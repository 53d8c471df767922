/** How a task ended, as whoever waits for it is told: what its handler returned, or the error that says why it returned nothing. */

import { type TaskFlowError, taskFlowError } from './errors.ts';
import type { Task } from './task.ts';

/** What there is to know of a task for who waits for its end; `result` is JSON text. */
export interface TaskEnd extends Pick<Task, 'id' | 'name' | 'state' | 'reason' | 'result' | 'error' | 'cancelReason'> {
  /** Whether `result` is not all that the handler returned: whoever would work on it must not take the mask for data. */
  readonly hidden?: boolean;
}

/** What a finished task's handler returned; throws RESULT_HIDDEN where that is not told, TASK_FAILED or TASK_CANCELLED for any other end. */
export function outputOf(task: TaskEnd): unknown {
  if (task.hidden === true) throw taskFlowError('RESULT_HIDDEN', { id: task.id });
  if (task.state === 'succeeded') return task.result === null ? undefined : JSON.parse(task.result);
  throw endOf(task);
}

/** The error that tells how a task ended without success. */
export function endOf(task: TaskEnd): TaskFlowError {
  const cause = remoteErrorOf(task);
  const extra = {
    details: { id: task.id, state: task.state, reason: task.reason },
    ...(cause === null ? {} : { cause }),
  };
  if (task.state === 'cancelled') {
    const reason = task.cancelReason ?? task.reason ?? 'no reason given';
    return taskFlowError('TASK_CANCELLED', { name: task.name, id: task.id, reason }, extra);
  }
  return taskFlowError(
    'TASK_FAILED',
    { name: task.name, id: task.id, message: task.error?.message ?? String(task.reason) },
    extra,
  );
}

/** The handler's error as it was stored, with its name, words and stack of the worker. */
export function remoteErrorOf(task: Pick<TaskEnd, 'error'>): Error | null {
  if (task.error === null) return null;
  const error = new Error(task.error.message);
  error.name = task.error.name;
  if (task.error.stack !== null) error.stack = task.error.stack;
  return error;
}

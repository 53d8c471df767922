/** In which queues tasks are, looked at before anybody acts on them. */

import { internalQueue } from '../core/bulk.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Store } from '../history/history.ts';

/** Looked at together: each may have a payload of a megabyte. */
export const lookMax = 50;

/** By id; without those that the store does not know. */
export async function queuesOf(
  { broker }: Pick<Store, 'broker'>,
  taskIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const queues = new Map<string, string>();
  for (let from = 0; from < taskIds.length; from += lookMax) {
    const tasks = await broker.getTasks(taskIds.slice(from, from + lookMax));
    for (const task of tasks) if (task !== null) queues.set(task.id, task.queue);
  }
  return queues;
}

/**
 * Throws TASK_NOT_FOUND for a bulk operation: who may act on tasks may not act on what somebody else, with other rights, has
 * asked for. It never leaves its queue, so that nothing can change between this and the act.
 */
export async function checkNotInternal(store: Pick<Store, 'broker'>, taskId: string): Promise<void> {
  const queues = await queuesOf(store, [taskId]);
  if (queues.get(taskId) === internalQueue) throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
}

/** What the pages of tasks know for whoever reaches some queues only: of these the same as for everybody, of the whole system nothing. */

import type { TaskView } from '../core/states.ts';
import { isoTime } from '../core/time.ts';
import { type OperationContext, perform } from '../operations/operation.ts';
import { queueList } from '../operations/queue.ts';
import { type CountsDocument, systemCounts, systemHealth } from '../operations/system.ts';
import { type WorkerDocument, workerList } from '../operations/worker.ts';

/** Whether it is somebody to whom numbers of the whole system are refused. */
export function isWithinQueues({ actor }: Pick<OperationContext, 'actor'>): boolean {
  return actor.queues != null;
}

/** Of all tasks, or of those in the queues that are reached. */
export async function readCounts(context: OperationContext): Promise<CountsDocument> {
  if (!isWithinQueues(context)) return perform(systemCounts, context, {});
  const { queues } = await perform(queueList, context, {});
  const counts: Partial<Record<TaskView, number>> = {};
  const sums: Record<string, number> = Object.create(null);
  for (const { name, counts: own } of queues) {
    const views = Object.entries(own) as [TaskView, number][];
    for (const [view, tasks] of views) counts[view] = (counts[view] ?? 0) + tasks;
    sums[name] = views.reduce((sum, [, tasks]) => sum + tasks, 0);
  }
  return { counts, queues: sums, names: {}, waiting: {}, now: isoTime(context.clock.now()) };
}

/** The store's clock, or that of this server. */
export async function readNow(context: OperationContext): Promise<number> {
  if (isWithinQueues(context)) return context.clock.now();
  return Date.parse((await perform(systemHealth, context, {})).now);
}

/** For their names: none where workers are not shown. */
export async function readWorkers(context: OperationContext): Promise<readonly WorkerDocument[]> {
  return isWithinQueues(context) ? [] : (await perform(workerList, context, {})).workers;
}

/** What an open page hears of: changes in the queues that are reached, in place of numbers of all. */
export function topicsFor(context: OperationContext, topics: readonly string[] = ['counts']): readonly string[] {
  return isWithinQueues(context) ? topics.map((topic) => (topic === 'counts' ? 'all' : topic)) : topics;
}

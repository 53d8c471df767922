/** What tasks of somebody who reaches some queues only have to do with tasks in others: nothing. */

import { reachesQueue } from '../core/access.ts';
import { unknownParent } from '../core/dependencies.ts';
import { taskFlowError } from '../core/errors.ts';
import type { NewTask } from '../core/task.ts';
import type { OperationContext } from './operation.ts';
import { queuesOf } from './task-queues.ts';

type Asking = Pick<OperationContext, 'actor' | 'ids' | 'store'>;

/** As its sender's key reaches: the store looks at it in the step. */
export function reaching(queues: readonly string[], task: NewTask): NewTask {
  return { ...task, reach: queues };
}

/** What is linked with whom: all but ids that are read already. */
export type LinkedIds = Pick<NewTask, 'id' | 'dependsOn'>;

/**
 * The queues of those that tasks of a call wait for, by id. Throws INVALID_FLOW for one that is neither stored nor in the call: it could
 * come, in another queue, before these are stored.
 */
export async function queuesOfParents(
  { store }: Pick<OperationContext, 'store'>,
  call: readonly LinkedIds[],
): Promise<ReadonlyMap<string, string>> {
  const parentIds = new Set(call.flatMap(({ dependsOn }) => dependsOn.map(({ taskId }) => taskId)));
  const queues = await queuesOf(store, [...parentIds]);
  const own = new Set(call.map(({ id }) => id));
  for (const [position, { dependsOn }] of call.entries())
    for (const [index, { taskId }] of dependsOn.entries())
      if (!queues.has(taskId) && !own.has(taskId)) throw unknownParent(position, index, taskId);
  return queues;
}

export interface LinkRules {
  /** What a parent means that is nowhere: INVALID_FLOW, or, to what a run brings along, one that has failed. */
  readonly unknown: 'refuse' | 'fail';
  /** The flows that the runs belong to: to these they may add. */
  readonly ownFlows?: ReadonlySet<string>;
}

/**
 * Complete tasks as they may be stored for an actor. Throws QUEUE_FORBIDDEN for one that is linked with a task in a queue it does not reach:
 * who waits for a task is told its result, and who holds one up can end it. Links with what is nowhere lead to nothing, also when it
 * comes in the same moment.
 */
export async function withinReach(
  context: Asking,
  tasks: readonly NewTask[],
  { unknown, ownFlows = new Set() }: LinkRules,
): Promise<readonly NewTask[]> {
  const { name, queues = null } = context.actor;
  if (queues === null) return tasks;
  const ids = new Set(tasks.flatMap((task) => linksOf(task, ownFlows)));
  const queueOf = await queuesOf(context.store, [...ids]);
  const other = [...queueOf.values()].find((queue) => !reachesQueue(queues, queue));
  if (other !== undefined)
    throw taskFlowError('QUEUE_FORBIDDEN', { queue: other, actor: name, queues: queues.join(', ') });
  const own = new Set(tasks.map(({ id }) => id));
  const isThere = (taskId: string) => queueOf.has(taskId) || own.has(taskId);
  return tasks.map((task, position) => ({
    ...reaching(queues, task),
    dependsOn: task.dependsOn.map((each, index) => {
      if (isThere(each.taskId)) return each;
      if (unknown === 'refuse') throw unknownParent(position, index, each.taskId);
      // Nobody will have this one.
      return { ...each, taskId: context.ids.next() };
    }),
    blocks: task.blocks.filter(({ taskId }) => isThere(taskId)),
  }));
}

/** The tasks that a new one is linked with, but for its own flows. */
function linksOf({ dependsOn, blocks, flowId }: NewTask, ownFlows: ReadonlySet<string>): readonly string[] {
  const ids = [...dependsOn, ...blocks].map(({ taskId }) => taskId);
  return flowId === null || ownFlows.has(flowId) ? ids : [...ids, flowId];
}

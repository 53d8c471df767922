/** Operations on several tasks that a person has chosen: one call, and for each task what came of it. */

import { cancelFlow } from '../client/cancel-flow.ts';
import { reachesQueue } from '../core/access.ts';
import { internalQueue } from '../core/bulk.ts';
import { parseId } from '../core/ids.ts';
import type { TaskState } from '../core/states.ts';
import { standingsOf } from './audited-state.ts';
import type { CancelManyInput, IdsInput, UpdateManyInput } from './change-schemas.ts';
import type { ManyDocument, ManyOutcome } from './many-document.ts';
import type { Operation, OperationContext } from './operation.ts';
import { standsForFlow } from './task.ts';
import { readChange } from './task-change.ts';
import { lookMax, queuesOf } from './task-queues.ts';

/** Of a task that stands for a flow the others of it are ended, or asked, too; where the actor does not reach all of them it is forbidden. */
export const taskCancelMany: Operation<CancelManyInput, ManyDocument> = {
  name: 'task.cancel-many',
  summary: 'Cancel several tasks, and say of each what came of it',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/tasks/cancel' },
  audit: 'cancelled {ids}',
  state: standingsOf,
  schema: async () => (await import('./change-schemas.ts')).cancelManyInput,
  output: async () => (await import('./change-output.ts')).manyOutput,
  async run(context, { ids, reason }) {
    const words = reason === undefined ? `by ${context.actor.name}` : `by ${context.actor.name}: ${reason}`;
    const taskIds = readIds(ids);
    const results = await ofReached(context, taskIds, (reached) => cancelEach(context, reached, words));
    return manyDocument(taskIds, results, ['cancelled', 'requested']);
  },
};

export const taskRetryMany: Operation<IdsInput, ManyDocument> = {
  name: 'task.retry-many',
  summary: 'Run several finished tasks again, and say of each what came of it',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/tasks/retry' },
  audit: 'retried {ids}',
  state: standingsOf,
  schema: async () => (await import('./change-schemas.ts')).idsInput,
  output: async () => (await import('./change-output.ts')).manyOutput,
  async run(context, { ids }) {
    const taskIds = readIds(ids);
    const results = await ofReached(context, taskIds, (reached) => context.store.broker.retry(reached));
    return manyDocument(taskIds, results, ['queued', 'blocked']);
  },
};

export const taskRemoveMany: Operation<IdsInput, ManyDocument> = {
  name: 'task.remove-many',
  summary: 'Remove several finished tasks, and say of each what came of it',
  role: 'admin',
  scope: 'admin',
  rest: { method: 'POST', path: '/tasks/remove' },
  audit: 'removed {ids}',
  state: standingsOf,
  schema: async () => (await import('./change-schemas.ts')).idsInput,
  output: async () => (await import('./change-output.ts')).manyOutput,
  async run(context, { ids }) {
    const taskIds = readIds(ids);
    const results = await ofReached(context, taskIds, (reached) => context.store.broker.remove(reached));
    return manyDocument(taskIds, results, ['removed']);
  },
};

export const taskUpdateMany: Operation<UpdateManyInput, ManyDocument> = {
  name: 'task.update-many',
  summary: 'Change several tasks that wait in the same way, and say of each what came of it',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/tasks/update' },
  audit: 'changed {ids}',
  state: standingsOf,
  schema: async () => (await import('./change-schemas.ts')).updateManyInput,
  output: async () => (await import('./change-output.ts')).manyOutput,
  async run(context, { ids, ...change }) {
    const taskIds = readIds(ids);
    const patch = await readChange(context, change);
    const results = await ofReached(context, taskIds, (reached) =>
      context.store.broker.update(reached.map((taskId) => ({ taskId, version: null, patch }))),
    );
    return manyDocument(taskIds, results, ['updated']);
  },
};

/** In the order of the ids. Flows one by one, all others in one step. */
async function cancelEach(
  { store, definitions, actor }: Pick<OperationContext, 'store' | 'definitions' | 'actor'>,
  taskIds: readonly string[],
  words: string,
): Promise<readonly AnyResult[]> {
  const flows = new Set<string>();
  for (let from = 0; from < taskIds.length; from += lookMax) {
    const tasks = await store.broker.getTasks(taskIds.slice(from, from + lookMax));
    for (const task of tasks) if (task !== null && (await standsForFlow(task, definitions))) flows.add(task.id);
  }
  const plain = taskIds.filter((taskId) => !flows.has(taskId));
  const results = plain.length === 0 ? [] : await store.broker.cancel({ taskIds: plain, reason: words });
  const known = new Map<string, AnyResult>(plain.map((taskId, index) => [taskId, results[index] ?? gone]));
  const { queues = null } = actor;
  for (const flowId of flows)
    known.set(flowId, (await cancelFlow(store.broker, flowId, { reason: words, queues })) ?? gone);
  return taskIds.map((taskId) => known.get(taskId) ?? gone);
}

/** What any of the calls of the store says of one task. */
export interface AnyResult {
  readonly outcome: string;
  readonly state?: TaskState;
}

const gone: AnyResult = { outcome: 'unknown' };

const forbidden: AnyResult = { outcome: 'forbidden' };

/**
 * Acts on those in queues that the actor reaches; in the order of the ids, with the others as forbidden. A bulk operation is none of
 * them, whoever asks: it is unknown here.
 */
async function ofReached(
  context: OperationContext,
  taskIds: readonly string[],
  act: (reached: readonly string[]) => Promise<readonly AnyResult[]>,
): Promise<readonly AnyResult[]> {
  const { queues = null } = context.actor;
  const known = new Map<string, AnyResult>();
  const queueOf = await queuesOf(context.store, taskIds);
  const reached: string[] = [];
  for (const taskId of taskIds) {
    const live = queueOf.get(taskId);
    if (live === internalQueue) known.set(taskId, gone);
    else if (queues === null) reached.push(taskId);
    else {
      // Only what the live store does not know costs a look at the record. What neither knows, the store says so of.
      const queue = live ?? (await context.store.history.task(taskId))?.task.queue;
      if (queue === undefined || reachesQueue(queues, queue)) reached.push(taskId);
    }
  }
  const results = reached.length === 0 ? [] : await act(reached);
  for (const [index, taskId] of reached.entries()) known.set(taskId, results[index] ?? gone);
  return taskIds.map((taskId) => known.get(taskId) ?? forbidden);
}

/** Throws INVALID_ID for the first that is none: then nothing is done. */
function readIds(ids: readonly string[]): readonly string[] {
  return [...new Set(ids.map(parseId))];
}

function manyDocument(
  taskIds: readonly string[],
  results: readonly AnyResult[],
  done: readonly ManyOutcome['outcome'][],
): ManyDocument {
  const tasks = taskIds.map((id, index) => {
    const { outcome, state = null } = results[index] ?? gone;
    return { id, outcome: outcome as ManyOutcome['outcome'], state };
  });
  return { tasks, done: tasks.filter(({ outcome }) => done.includes(outcome)).length };
}

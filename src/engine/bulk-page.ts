/** One page of a bulk operation: what the filter finds next, and what the live store makes of it. */

import type { Broker } from '../broker/broker.ts';
import { cancelFlow } from '../client/cancel-flow.ts';
import { reachesQueue } from '../core/access.ts';
import { type BulkFailure, type BulkOrder, type BulkState, bulkAfter, internalQueue } from '../core/bulk.ts';
import type { Filter } from '../core/filter.ts';
import { matches } from '../core/filter-match.ts';
import type { TaskPatch } from '../core/task.ts';
import type { Store, TaskSummary } from '../history/history.ts';

export interface BulkRun {
  readonly order: BulkOrder;
  readonly filter: Filter;
  /** When it was asked for, by the store's clock: what came later is not meant. */
  readonly askedAt: number;
}

type Records = Pick<Store, 'broker' | 'history'>;

/**
 * Does it to the next tasks, at most `limit`. Which they are is told by the record, which may be behind: they are looked at again
 * as they stand now, and the live store refuses what does not fit. Doing a page twice does no harm.
 */
export async function doBulkPage(
  { broker, history }: Records,
  { order, filter, askedAt }: BulkRun,
  state: BulkState,
  limit: number,
): Promise<BulkState> {
  if (order.taskIds !== undefined) return doNamed(broker, { order, taskIds: order.taskIds }, state, limit);
  const page = await history.search(filter, { after: state.after, limit });
  const meant = page.tasks.filter((task) => isMeant(task, filter, askedAt) && reachesQueue(order.queues, task.queue));
  const results = meant.length === 0 ? [] : await act(broker, order, meant);
  return bulkAfter(state, page.next, results);
}

/** What somebody chose is asked of the live store alone: no record has to have heard of it. */
async function doNamed(
  broker: Broker,
  { order, taskIds }: { readonly order: BulkOrder; readonly taskIds: readonly string[] },
  state: BulkState,
  limit: number,
): Promise<BulkState> {
  const from = state.after === null ? 0 : taskIds.indexOf(state.after) + 1;
  const next = taskIds.slice(from, from + limit);
  // A bulk operation is no task to anybody who acts on tasks: it is answered as unknown.
  const found = (await broker.getTasks(next)).filter((task) => task !== null);
  const known = found.filter(({ queue }) => queue !== internalQueue);
  const meant = known.filter(({ queue }) => reachesQueue(order.queues, queue));
  const acted = meant.length === 0 ? [] : await act(broker, order, meant);
  const forbidden = known
    .filter((task) => !meant.includes(task))
    .map(({ id }) => ({ taskId: id, outcome: 'forbidden', isDone: false }));
  const results = new Map([...acted, ...forbidden].map((result) => [result.taskId, result]));
  const told = next.map((taskId) => results.get(taskId) ?? { taskId, outcome: 'unknown', isDone: false });
  return bulkAfter(state, from + next.length < taskIds.length ? (next.at(-1) ?? null) : null, told);
}

/** Terms about documents were held to the record: a list does not bring them, and they do not change while a task waits. */
function isMeant(task: TaskSummary, { terms }: Filter, askedAt: number): boolean {
  if (task.queue === internalQueue || task.createdAt > askedAt) return false;
  const seen = terms.filter(({ field }) => field !== 'input' && field !== 'output');
  return matches({ terms: seen }, { ...task, payload: '{}', result: null }, askedAt);
}

type Result = BulkFailure & { readonly isDone: boolean };

type Named = Pick<TaskSummary, 'id' | 'version' | 'name' | 'flowId'>;

async function act(broker: Broker, order: BulkOrder, tasks: readonly Named[]): Promise<readonly Result[]> {
  const taskIds = tasks.map(({ id }) => id);
  const told = (results: readonly { readonly outcome: string }[], done: readonly string[]): readonly Result[] =>
    taskIds.map((taskId, index) => {
      const outcome = results[index]?.outcome ?? 'unknown';
      return { taskId, outcome, isDone: done.includes(outcome) };
    });
  switch (order.verb) {
    case 'retry':
      return told(await broker.retry(taskIds), ['queued', 'blocked']);
    case 'remove':
      return told(await broker.remove(taskIds), ['removed']);
    case 'cancel':
      return told(await cancel(broker, order, tasks), ['cancelled', 'requested']);
    default: {
      const patch = patchOf(order);
      // One that has gone on since it was looked at is not touched.
      const changes = tasks.map(({ id, version }) => ({ taskId: id, version, patch }));
      return told(await broker.update(changes), ['updated']);
    }
  }
}

function patchOf({ queue, priority }: BulkOrder): TaskPatch {
  if (queue !== null) return { queue };
  return priority === null ? { delayMs: 0 } : { priority };
}

/**
 * Of those that stand for a flow the others of it are ended too, where whoever asked reaches all of them. In the order of the tasks.
 */
async function cancel(
  broker: Broker,
  { by, reason, queues }: BulkOrder,
  tasks: readonly Named[],
): Promise<readonly { readonly outcome: string }[]> {
  const words = reason === null ? `by ${by}` : `by ${by}: ${reason}`;
  const flowNames = await namesOfFlows(broker);
  const isFlow = (task: Named) => task.flowId === task.id || flowNames.has(task.name);
  const plain = tasks.filter((task) => !isFlow(task)).map(({ id }) => id);
  const results = plain.length === 0 ? [] : await broker.cancel({ taskIds: plain, reason: words });
  const known = new Map<string, { readonly outcome: string } | undefined>(
    plain.map((taskId, index) => [taskId, results[index]]),
  );
  for (const { id } of tasks.filter(isFlow)) known.set(id, await cancelFlow(broker, id, { reason: words, queues }));
  return tasks.map(({ id }) => known.get(id) ?? { outcome: 'unknown' });
}

/** A flow that was enqueued before any worker had told that its name is one does not say so itself. */
async function namesOfFlows(broker: Pick<Broker, 'getWorkers'>): Promise<ReadonlySet<string>> {
  const workers = await broker.getWorkers();
  const flows = workers.flatMap(({ definitions }) => definitions.filter(({ isFlow }) => isFlow === true));
  return new Set(flows.map(({ name }) => name));
}

/** Who holds the keys of new tasks, where the key of whoever enqueues them does not reach the queue of the holder. */

import { conflictError } from '../client/enqueue.ts';
import { reachesQueue } from '../core/access.ts';
import type { FilterTerm } from '../core/filter.ts';
import { limits } from '../core/limits.ts';
import type { TaskState } from '../core/states.ts';
import type { NewTask } from '../core/task.ts';
import type { OperationContext } from './operation.ts';

type Asking = Pick<OperationContext, 'actor' | 'store'>;

/** By the ids of new tasks the holders out of reach that they would cancel, or that would stand for them where others wait for them. */
export type ForeignHolders = ReadonlyMap<string, string>;

/**
 * Looks before the call that stores them, in the record: of a key that is taken in the same moment nothing is known here. For an actor
 * that reaches all queues there are none.
 */
export async function foreignHolders(context: Asking, tasks: readonly NewTask[]): Promise<ForeignHolders> {
  const { queues = null } = context.actor;
  if (queues === null) return new Map();
  const keyed = tasks.filter(({ key, ifExists }) => key !== null && ifExists !== 'error');
  const waitedFor = new Set(tasks.flatMap(({ dependsOn }) => dependsOn.map(({ taskId }) => taskId)));
  const taking = keyed.filter(({ ifExists }) => ifExists === 'replace' || ifExists === 'debounce');
  const standing = keyed.filter(({ id, blocks }) => waitedFor.has(id) || blocks.length > 0);
  const cancelled = await holdersOf(context, taking, waiting);
  const inPlace = await holdersOf(context, standing, [...waiting, 'running', 'succeeded']);
  const found = (some: readonly NewTask[], holders: ReadonlyMap<string, string>) =>
    some.flatMap(({ id, key }) => {
      const holder = holders.get(key ?? '');
      return holder === undefined || holder === id ? [] : [[id, holder] as const];
    });
  return new Map([...found(taking, cancelled), ...found(standing, inPlace)]);
}

/** Throws KEY_CONFLICT for the first that has one. */
export async function checkHolders(context: Asking, tasks: readonly NewTask[]): Promise<void> {
  const holders = await foreignHolders(context, tasks);
  for (const task of tasks) {
    const holder = holders.get(task.id);
    if (holder !== undefined) throw conflictError(task, holder);
  }
}

const waiting: readonly TaskState[] = ['queued', 'scheduled', 'blocked'];

/** By key, those out of reach. */
async function holdersOf(
  { actor, store }: Asking,
  tasks: readonly NewTask[],
  states: readonly TaskState[],
): Promise<ReadonlyMap<string, string>> {
  const keys = [...new Set(tasks.flatMap(({ key }) => (key === null ? [] : [key])))];
  const holders = new Map<string, string>();
  for (let from = 0; from < keys.length; from += limits.searchWaysMax) {
    const terms = [termOf('key', keys.slice(from, from + limits.searchWaysMax)), termOf('state', states)];
    const page = await store.history.search({ terms }, { after: null, limit: limits.pageMax });
    for (const { id, key, queue } of page.tasks)
      if (key !== null && !reachesQueue(actor.queues ?? null, queue)) holders.set(key, id);
  }
  return holders;
}

function termOf(field: FilterTerm['field'], words: readonly string[]): FilterTerm {
  const values = words.map((text) => ({ kind: 'word' as const, text, prefix: false }));
  return { field, path: [], values, negated: false, position: 0 };
}

/** The whole stored state in one comparable shape, and what changed between two of them. */

import { isDeepStrictEqual } from 'node:util';
import type { Broker, GroupRecord, QueueRecord } from '../../src/broker/broker.ts';
import type { EdgeState } from '../../src/core/dependencies.ts';
import { limits } from '../../src/core/limits.ts';
import type { WorkerRecord } from '../../src/core/presence.ts';
import type { ScheduleRecord } from '../../src/core/schedule.ts';
import type { Task } from '../../src/core/task.ts';
import type { Contents, StoredLimit, StoreUnderTest } from './store.ts';

export interface Dump {
  readonly tasks: Readonly<Record<string, Task>>;
  /** Holder of each held key, with the time it is kept until. */
  readonly keys: Readonly<Record<string, { readonly taskId: string; readonly until: number | null }>>;
  /** By "queue / name / view", without zeros. */
  readonly counts: Readonly<Record<string, number>>;
  readonly queues: Readonly<Record<string, QueueRecord['pause']>>;
  readonly workers: Readonly<Record<string, WorkerRecord>>;
  /** Holders of each limit's slots, by id. */
  readonly slots: Readonly<Record<string, readonly string[]>>;
  readonly limits: Readonly<Record<string, StoredLimit>>;
  readonly groups: Readonly<Record<string, GroupRecord>>;
  readonly schedules: Readonly<Record<string, ScheduleRecord>>;
  /** By queue: its groups with queued tasks, and how far each is ahead, in the order of their turns. */
  readonly turns: Readonly<Record<string, Contents['turns']>>;
  /** By "child <- parent". */
  readonly edges: Readonly<Record<string, EdgeState>>;
  readonly cancelledFlows: readonly string[];
}

export async function dumpOf(store: StoreUnderTest, broker: Broker): Promise<Dump> {
  const { now } = await broker.info();
  const contents = await store.contents();
  const ids = [...contents.taskIds].sort();
  const tasks: Record<string, Task> = {};
  for (let start = 0; start < ids.length; start += limits.batchMax) {
    for (const task of await broker.getTasks(ids.slice(start, start + limits.batchMax)))
      if (task !== null) tasks[task.id] = task;
  }
  const keys = contents.keys
    .filter(({ until }) => until === null || until > now)
    .map(({ key, taskId, until }) => [key, { taskId, until }] as const);
  const counts = contents.counts
    .filter(({ count }) => count !== 0)
    .map(({ queue, name, view, count }) => [`${queue} / ${name} / ${view}`, count] as const);
  return {
    tasks,
    turns: turnsOf(contents.turns, Object.values(tasks)),
    keys: sorted(keys),
    counts: sorted(counts),
    queues: sorted((await broker.getQueues()).map((queue) => [queue.name, queue.pause] as const)),
    workers: sorted((await broker.getWorkers()).map((worker) => [worker.workerId, worker] as const)),
    edges: sorted(contents.edges.map(({ childId, parentId, state }) => [`${childId} <- ${parentId}`, state] as const)),
    cancelledFlows: [...contents.cancelledFlows].sort(),
    slots: slotsOf(contents.slots),
    groups: sorted((await broker.getGroups(null, limits.pageMax)).map((group) => [group.name, group] as const)),
    limits: sorted(
      contents.limits
        .filter(({ settings }) => settings.max !== null || settings.rate !== null || settings.pause !== undefined)
        .map(({ name, settings }) => [name, settings] as const),
    ),
    schedules: sorted(
      (await broker.schedules.list(null, limits.batchMax)).map((schedule) => [schedule.name, schedule] as const),
    ),
  };
}

/** Where a group without queued tasks stands is open, and so is where the tasks without one stand when they are alone. */
function turnsOf(turns: Contents['turns'], tasks: readonly Task[]): Dump['turns'] {
  const waiting = new Set(
    tasks.filter(({ state }) => state === 'queued').map(({ queue, group }) => JSON.stringify([queue, group])),
  );
  const standing = turns.filter(({ queue, group }) => waiting.has(JSON.stringify([queue, group])));
  const inOrder = standing.toSorted(
    (left, right) =>
      left.ahead - right.ahead || left.since - right.since || ((left.group ?? '') < (right.group ?? '') ? -1 : 1),
  );
  const queues = [...Map.groupBy(inOrder, ({ queue }) => queue)];
  return sorted(queues.filter(([, groups]) => groups.some(({ group }) => group !== null)));
}

function slotsOf(slots: Contents['slots']): Record<string, readonly string[]> {
  const holders = Map.groupBy(slots, ({ name }) => name);
  return sorted([...holders].map(([name, held]) => [name, held.map(({ taskId }) => taskId).sort()] as const));
}

function sorted<Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> {
  return Object.fromEntries([...entries].sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** By task id, "key K", "queue Q", "limit L", "schedule S" or "worker W": the changed fields, the whole new value, or `null` for what is gone. */
export type Changes = Readonly<Record<string, unknown>>;

/**
 * What a call changed. A task shows its changed fields; `version` is among them, as `+n`, only when it did not grow by
 * exactly one. Counts are left out: they are recounted after every case. A queue shows when its pause changed, a schedule its
 * changed fields.
 */
export function changesBetween(before: Dump, after: Dump): Changes {
  return {
    ...differing(before.tasks, after.tasks, '', changedFields),
    ...differing(before.keys, after.keys, 'key '),
    ...differing(pausesOf(before), pausesOf(after), 'queue '),
    ...differing(before.workers, after.workers, 'worker '),
    ...differing(before.limits, after.limits, 'limit '),
    ...differing(before.groups, after.groups, 'group '),
    ...differing(before.schedules, after.schedules, 'schedule ', changedOf),
  };
}

function pausesOf(dump: Dump): Record<string, unknown> {
  return Object.fromEntries(Object.entries(dump.queues).filter(([, pause]) => pause !== null));
}

function differing<Value>(
  before: Readonly<Record<string, Value>>,
  after: Readonly<Record<string, Value>>,
  prefix: string,
  show: (before: Value, after: Value) => unknown = (_before, next) => next,
): Record<string, unknown> {
  const changes: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, next] = [before[name], after[name]];
    if (isDeepStrictEqual(old, next)) continue;
    changes[prefix + name] = next === undefined ? null : old === undefined ? next : show(old, next);
  }
  return changes;
}

function changedOf<Value extends object>(before: Value, after: Value): unknown {
  const fields = Object.keys(after) as (keyof Value)[];
  return Object.fromEntries(
    fields.filter((field) => !isDeepStrictEqual(before[field], after[field])).map((field) => [field, after[field]]),
  );
}

function changedFields(before: Task, after: Task): unknown {
  const fields = Object.keys(after) as (keyof Task)[];
  const changed = fields.filter((field) => field !== 'version' && !isDeepStrictEqual(before[field], after[field]));
  const versions = after.version - before.version;
  return {
    ...Object.fromEntries(changed.map((field) => [field, after[field]])),
    ...(versions === 1 ? {} : { version: `+${versions}` }),
  };
}

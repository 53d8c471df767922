/** The stores under simulation: the real brokers, on the world's clock, with a look behind the seam. */

import type { Broker } from '../../src/broker/broker.ts';
import { createMemoryBroker } from '../../src/broker/memory/memory-broker.ts';
import type { MemoryState } from '../../src/broker/memory/state.ts';
import { type CountRecord, readCounts } from '../../src/broker/sql/counts.ts';
import { type SqlDriver, statement } from '../../src/broker/sql/driver.ts';
import { readEvents } from '../../src/broker/sql/events.ts';
import { recount } from '../../src/broker/sql/recount.ts';
import type { SqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { createSqliteBroker } from '../../src/broker/sqlite/store.ts';
import type { Chance } from '../../src/core/chance.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import type { TaskView } from '../../src/core/states.ts';
import type { Clock } from '../../src/core/time.ts';
import type { Timeline } from './timeline.ts';

export type StoreKind = 'memory' | 'sqlite';

/** A store that is outside of the process. */
export interface OutsideStore {
  readonly name: string;
  /** Makes an empty one. Whoever waits for it holds the world up. */
  open(place: StorePlace): Promise<SimStore>;
}

/** What a store gets of the world. */
export interface StorePlace {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly timeline: Timeline;
}

export interface SimStore {
  readonly broker: Broker;
  /** What the memory store holds, for bugs to be planted in; `null` for another store. */
  readonly state: MemoryState | null;
  /** The tables of an SQL store; `null` for another. */
  readonly driver: SqliteDriver | null;
  /** What is kept beside the tasks and does not follow from them, in sentences. */
  recount(): Promise<readonly string[]>;
  /** Events after `seq`, oldest first. */
  events(seq: number): Promise<readonly BatchEvent[]>;
  taskIds(): Promise<readonly string[]>;
  counts(): Promise<readonly CountRecord[]>;
  /** Tasks that are counted as held by some claim. */
  held(): Promise<number>;
  /** Keys held for unfinished tasks. */
  heldKeys(): Promise<readonly { readonly key: string; readonly taskId: string }[]>;
  close(): Promise<void>;
}

export async function openStore(kind: StoreKind | OutsideStore, place: StorePlace): Promise<SimStore> {
  const store = await createStore(kind, place);
  return { ...store, broker: inOrder(store.broker) };
}

/** The seam leaves the order of the overdue open; here it is by id on every store, so that the story is the same on all. */
function inOrder(broker: Broker): Broker {
  const claimOverdue: Broker['claimOverdue'] = async (request) =>
    (await broker.claimOverdue(request)).toSorted((left, right) => (left.task.id < right.task.id ? -1 : 1));
  return { ...broker, claimOverdue };
}

async function createStore(kind: StoreKind | OutsideStore, place: StorePlace): Promise<SimStore> {
  if (typeof kind === 'object') return kind.open(place);
  const { clock, chance } = place;
  const store = kind === 'memory' ? createMemory(clock, chance) : createSqlite(clock, chance);
  await store.broker.open();
  return store;
}

/** The same broker outside of the process: while one of its calls is under way, nothing else happens in the world. */
export function holding(broker: Broker, { hold }: Timeline): Broker {
  return { ...broker, ...heldCalls(broker, hold), schedules: heldCalls(broker.schedules, hold) };
}

function heldCalls<Calls extends object>(calls: Calls, hold: Timeline['hold']): Calls {
  const held = Object.entries(calls).map(([name, member]: [string, unknown]) => {
    if (typeof member !== 'function' || name === 'subscribe') return [name, member];
    return [name, (...given: unknown[]) => hold(member(...given) as Promise<unknown>)];
  });
  return Object.fromEntries(held) as Calls;
}

function createMemory(clock: Clock, chance: Chance): SimStore {
  const broker = createMemoryBroker({ now: clock.now, chance });
  const { state } = broker;
  return {
    broker,
    state,
    driver: null,
    // Nothing is kept beside the rows that the judge does not see by itself.
    recount: async () => [],
    events: async (seq) => state.events.slice(state.events.findLastIndex((event) => event.seq <= seq) + 1),
    taskIds: async () => [...state.rows.keys()],
    counts: async () =>
      [...state.counts].map(([text, count]) => {
        const [queue, name, view] = JSON.parse(text) as [string, string, TaskView];
        return { queue, name, view, count };
      }),
    held: async () => [...state.rows.values()].filter(({ token }) => token !== null).length,
    heldKeys: async () =>
      [...state.keys].filter(([, { until }]) => until === null).map(([key, { taskId }]) => ({ key, taskId })),
    close: () => broker.close(),
  };
}

const allIds = statement<[id: string]>('sim_ids', () => 'SELECT id FROM tasks ORDER BY id');
const heldTasks = statement<[tasks: number]>('sim_held', () => 'SELECT COALESCE(sum(running), 0) FROM claims');
const openKeys = statement<[key: string, taskId: string]>(
  'sim_keys',
  () => 'SELECT key, task_id FROM keys WHERE held_until IS NULL',
);
const pageOf = 1_000;

function createSqlite(clock: Clock, chance: Chance): SimStore {
  const broker = createSqliteBroker({ file: ':memory:', clock, chance });
  const { driver } = broker;
  return { broker, state: null, driver, ...sqlLooks(driver), close: () => broker.close() };
}

/** The looks behind the seam of a store of SQL. */
export function sqlLooks(driver: SqlDriver): Omit<SimStore, 'broker' | 'state' | 'driver' | 'close'> {
  return {
    recount: async () =>
      (await recount(driver)).discrepancies.map(({ what, of, sentence }) => `${what} ${of}: ${sentence}`),
    events: (seq) => driver.read((tx) => readEvents(tx, seq, pageOf)),
    taskIds: async () => (await driver.read((tx) => tx.query(allIds))).map(([id]) => id),
    counts: () => driver.read(readCounts),
    held: async () => (await driver.read((tx) => tx.query(heldTasks)))[0]?.[0] ?? 0,
    heldKeys: async () => (await driver.read((tx) => tx.query(openKeys))).map(([key, taskId]) => ({ key, taskId })),
  };
}

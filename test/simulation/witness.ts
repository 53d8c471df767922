/**
 * Stands at the store's door: sees every call that is executed, with its answer and its events, whoever learns of them.
 * Keeps a small model of leases, judges and pauses of its own, and tells every answer that does not agree with it.
 */

import type { Broker, Schedules } from '../../src/broker/broker.ts';
import type { KeyRefusal, PatchEntry, SettingEntry } from '../../src/checker/evidence.ts';
import type { Tell } from '../../src/checker/verdict.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import { isFinished } from '../../src/core/states.ts';
import type { NewTask } from '../../src/core/task.ts';
import { createCommandBook } from './command-book.ts';
import { createDependencyBook } from './dependency-book.ts';
import { createFlowBook } from './flow-book.ts';
import { createLeaseBook, type LeaseBook } from './lease-book.ts';
import { isOfSchedules, watchSchedules } from './schedule-watch.ts';
import type { SimStore } from './sim-store.ts';

/** The calls of the seam that processes make. */
export type Method =
  | Exclude<
      keyof Broker,
      'open' | 'close' | 'reconnect' | 'keepsClaims' | 'subscribe' | 'schedules' | 'outbox' | 'transactions'
    >
  | `schedules.${keyof Schedules}`;

export interface Witness {
  /** Executes a call in the store and looks at what it did. */
  execute(method: Method, given: readonly unknown[]): Promise<unknown>;
  readonly events: readonly BatchEvent[];
  /** Tasks that are not final. */
  readonly open: ReadonlySet<string>;
  readonly asked: ReadonlyMap<string, NewTask>;
  readonly settings: readonly SettingEntry[];
  readonly patches: readonly PatchEntry[];
  readonly refusals: readonly KeyRefusal[];
  /** Tells every schedule that is behind its time, when nothing bad has happened for a while. */
  schedulesStandStill(): void;
  /** The store's clock has just been stepped. */
  stepped(ms: number): void;
  /** Tasks whose worker was proved dead when their judges looked, and other counters worth a line. */
  readonly counts: Readonly<Record<string, number>>;
}

type PlainMethod = Extract<Method, keyof Broker>;
type Given<Name extends PlainMethod> = Parameters<Required<Broker>[Name]>;
type Answer<Name extends PlainMethod> = Awaited<ReturnType<Required<Broker>[Name]>>;

export interface WitnessOptions {
  readonly store: SimStore;
  /** What the store's wall clock says. */
  readonly storeNow: () => number;
  /** A clock that nobody steps. */
  readonly elapsed: () => number;
  /** Hears of every task that a schedule has fired or a run has brought along. */
  readonly onStored: (task: NewTask) => void;
  /** Whether the process with this number has ended. */
  readonly isDead: (pid: number) => boolean;
  readonly tell: Tell;
}

export function createWitness({ store, storeNow, elapsed, onStored, isDead, tell }: WitnessOptions): Witness {
  const { broker } = store;
  const events: BatchEvent[] = [];
  const open = new Set<string>();
  const asked = new Map<string, NewTask>();
  const patches: PatchEntry[] = [];
  const settings: SettingEntry[] = [];
  const refusals: KeyRefusal[] = [];
  const counts: Record<string, number> = {};
  const commands = createCommandBook(tell);
  const dependencies = createDependencyBook(asked, tell);
  const flows = createFlowBook(asked, tell);
  const book = createLeaseBook(asked, isDead, tell);
  const schedules = watchSchedules({
    elapsed,
    tell,
    isOpen: (taskId) => open.has(taskId),
    onFired(task) {
      counts.fired = (counts.fired ?? 0) + 1;
      asked.set(task.id, task);
      onStored(task);
    },
  });
  /** The store's clock does not go back. */
  let now = 0;

  async function execute(method: Method, given: readonly unknown[]): Promise<unknown> {
    now = Math.max(now, storeNow());
    if (method === 'enqueue') for (const task of (given as Given<'enqueue'>)[0]) asked.set(task.id, task);
    if (method === 'settle') askForSpawned((given as Given<'settle'>)[0]);
    const scheduled = isOfSchedules(method) ? schedules.before(method, given) : null;
    const answer = await callOf(broker, method)(...given);
    scheduled?.(answer, now);
    const fresh = await store.events(events.at(-1)?.seq ?? 0);
    for (const event of fresh) take(event);
    look(method, given, answer, fresh);
    book.end(fresh);
    await lookAtCommands(method, given, answer);
    return answer;
  }

  function take(event: BatchEvent): void {
    events.push(event);
    dependencies.take(event);
    flows.take(event);
    counts[event.kind] = (counts[event.kind] ?? 0) + event.items.length;
    if (event.at > now || event.at < storeNow())
      tell('S18', null, `event ${event.seq} at ${event.at}, when the store's clock said ${storeNow()} to ${now}`);
    for (const { taskId, to } of event.items) {
      if (to === null || isFinished(to)) open.delete(taskId);
      else open.add(taskId);
    }
  }

  function look(method: Method, given: readonly unknown[], answer: unknown, fresh: readonly BatchEvent[]): void {
    if (method === 'enqueue') lookAtEnqueue((given as Given<'enqueue'>)[0], answer as Answer<'enqueue'>);
    lookAtFlows(method, given, answer, fresh);
    if (method === 'update') lookAtUpdate((given as Given<'update'>)[0], fresh);
    if (method === 'configure') lookAtSetting(given as Given<'configure'>);
    if (method === 'claim') lookAtParents(answer as Answer<'claim'>);
    if (method === 'settle') lookAtParents((answer as Answer<'settle'>).claimed);
    // A clock that was stepped back may have been seen further on than anything was stored.
    lookAtLeases(book, fresh[0]?.at ?? now, method, given, answer, fresh);
  }

  /** What a run brings along is known from its settlement, which may be repeated, by its id. */
  function askForSpawned(settlements: Given<'settle'>[0]): void {
    for (const task of settlements.flatMap(({ spawn }) => spawn)) if (!asked.has(task.id)) asked.set(task.id, task);
  }

  function lookAtFlows(method: Method, given: readonly unknown[], answer: unknown, fresh: readonly BatchEvent[]): void {
    if (method === 'settle') {
      const spawned = flows.settle((given as Given<'settle'>)[0], (answer as Answer<'settle'>).results, fresh);
      counts.spawned = (counts.spawned ?? 0) + spawned.length;
      spawned.forEach(onStored);
    }
    if (method === 'cancel') flows.cancel((given as Given<'cancel'>)[0]);
    flows.stored(fresh);
    dependencies.rest(fresh);
  }

  function lookAtParents(claimed: Answer<'claim'>): void {
    counts.children = (counts.children ?? 0) + dependencies.claim(claimed.map(({ task }) => task.id));
  }

  async function lookAtCommands(method: Method, given: readonly unknown[], answer: unknown): Promise<void> {
    if (method === 'control') commands.control(...(given as Given<'control'>), answer as Answer<'control'>);
    if (method === 'heartbeat') commands.heartbeat((given as Given<'heartbeat'>)[0], answer as Answer<'heartbeat'>);
    if (method === 'prune') commands.forgetOthers(new Set((await broker.getWorkers()).map(({ workerId }) => workerId)));
  }

  function lookAtEnqueue(tasks: readonly NewTask[], results: Answer<'enqueue'>): void {
    const seq = events.at(-1)?.seq ?? 0;
    for (const [index, result] of results.entries()) {
      const key = tasks[index]?.key ?? null;
      counts[result.outcome] = (counts[result.outcome] ?? 0) + 1;
      if (key === null || (result.outcome !== 'duplicate' && result.outcome !== 'conflict')) continue;
      if (result.of !== result.taskId) refusals.push({ seq, key, of: result.of, at: now });
    }
  }

  function lookAtUpdate(changes: Given<'update'>[0], fresh: readonly BatchEvent[]): void {
    const items = fresh.filter(({ kind }) => kind === 'update').flatMap((event) => event.items);
    for (const { taskId, version } of items) {
      const change = changes.find((one) => one.taskId === taskId);
      patches.push({ taskId, version, delayMs: change?.patch.delayMs ?? null, limits: change?.patch.limits });
    }
  }

  function lookAtSetting([scope, name, { pause, max, rate, weight }]: Given<'configure'>): void {
    const seq = events.at(-1)?.seq ?? 0;
    settings.push({ seq, scope, name, paused: pause === undefined ? undefined : pause !== null, max, rate, weight });
  }

  return {
    execute,
    events,
    open,
    asked,
    schedulesStandStill: () => schedules.end(now),
    stepped: (ms) => {
      if (ms > 0) schedules.stepped(ms);
    },
    settings,
    patches,
    refusals,
    counts,
  };
}

function callOf(broker: Broker, method: Method): (...given: readonly unknown[]) => Promise<unknown> {
  const call = isOfSchedules(method) ? Reflect.get(broker.schedules, method.slice(10)) : Reflect.get(broker, method);
  return call as (...given: readonly unknown[]) => Promise<unknown>;
}

function lookAtLeases(
  book: LeaseBook,
  now: number,
  method: Method,
  given: readonly unknown[],
  answer: unknown,
  fresh: readonly BatchEvent[],
): void {
  if (method === 'claim') book.claim(now, (given as Given<'claim'>)[0], answer as Answer<'claim'>);
  if (method === 'heartbeat') book.heartbeat((given as Given<'heartbeat'>)[0], answer as Answer<'heartbeat'>);
  if (method === 'claimOverdue') book.judge((given as Given<'claimOverdue'>)[0], answer as Answer<'claimOverdue'>);
  if (method === 'settle') {
    const [settlements, claimNext] = given as Given<'settle'>;
    const { results, claimed } = answer as Answer<'settle'>;
    book.settle(now, settlements, results, fresh);
    if (claimNext !== undefined) book.claim(now, claimNext, claimed);
  }
  if (method === 'cancel') book.cancel(now, fresh);
  if (method === 'retry') book.retry((given as Given<'retry'>)[0], answer as Answer<'retry'>);
}

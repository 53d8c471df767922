/** The test kit: the real worker and the real store in this process, with a clock that tests move by hand. */

import { makeClient } from '../client/client.ts';
import { replaceDefaultClient } from '../client/default-client.ts';
import type { TaskRef } from '../client/define.ts';
import { putSchedules } from '../client/put-schedules.ts';
import { invariant } from '../core/assert.ts';
import { seededChance } from '../core/chance.ts';
import { schedulesIn } from '../core/code-schedule.ts';
import { definitionsIn } from '../core/collect.ts';
import { definitionBrand } from '../core/definition.ts';
import { type Duration, parseDuration } from '../core/duration.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Frozen } from '../core/json-type.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import { isFinished } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import { dateOf } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import { createDriver } from './driver.ts';
import { createManualClock, turn } from './manual-clock.ts';
import { countsOf, createRecord, type DrainCounts, type Run, recordingStore, runOf } from './record.ts';
import { openTestStore, type TestStore } from './stores.ts';
import { createHandlers, type Stub } from './stub.ts';

/** Any task, for functions that take one. */
type AnyTask = TaskRef<string, unknown, unknown, unknown>;
type InputOf<Ref extends AnyTask> = Ref['~types']['input'];
type ParsedOf<Ref extends AnyTask> = Ref['~types']['parsed'];
type OutputOf<Ref extends AnyTask> = Ref['~types']['output'];

/** The clock of a kit. It stands still until it is moved. */
export interface TestClock {
  now(): Date;
  /** Moves on; what falls due becomes runnable and is run by the next `drain`, or at the next time of a schedule. Timers of handlers that run now fire on the way. */
  advance(duration: Duration): Promise<void>;
  /** Moves to a time that is not in the past. */
  set(time: Date): Promise<void>;
}

export interface TestKitOptions {
  /** Modules with tasks, or tasks. */
  readonly tasks: object | readonly object[];
  /**
   * Modules with schedules, or schedules. They fire as the clock moves: it stops at each of their times, and what is runnable
   * then is run before it moves on. Without them nothing fires.
   */
  readonly schedules?: object | readonly object[];
  /** What the clock shows at first; 2026-01-01T00:00Z when not given. */
  readonly now?: Date | string;
  /** `memory`, the default: SQLite in memory. `sqlite`: a file in a temporary folder. */
  readonly store?: TestStore;
}

/** One kit at a time is behind all tasks of a process: `enqueue` and `run` of any task use it until it is disposed. */
export interface TestKit extends AsyncDisposable {
  /** The inputs this task was enqueued with, in order, also of finished ones. Not those that a function of a schedule makes. */
  enqueued<Ref extends AnyTask>(ref: Ref): InputOf<Ref>[];
  /** How the tasks of this definition stood after the last call of the kit, in the order of their enqueue, those that ever began to run. */
  runs<Ref extends AnyTask>(ref: Ref): Run<OutputOf<Ref>>[];
  /** Runs everything that can run without moving the clock, and what that enqueues; at most `max` (1,000) runs, else DRAIN_UNFINISHED. */
  drain(options?: { readonly max?: number }): Promise<DrainCounts>;
  /** Enqueues, and walks until that task is finished: runs what is runnable, moving the clock over its delays and back-offs. */
  execute<Ref extends AnyTask>(ref: Ref, input: InputOf<Ref>): Promise<Run<OutputOf<Ref>>>;
  /** Puts something in the place of a handler, from the next run on. */
  stub<Ref extends AnyTask, const Output extends Frozen<OutputOf<Ref>>>(
    ref: Ref,
    stub: Stub<ParsedOf<Ref>, Output>,
  ): void;
  readonly clock: TestClock;
  /** A worker takes every runnable task, reports their start, and dies; the clock moves until its leases are over. */
  crashWorker(): Promise<void>;
}

const startDefault = '2026-01-01T00:00:00Z';
const drainMaxDefault = 1_000;
/** Attempts and snoozes together: nothing a policy allows takes more steps. */
const stepsMax = limits.attemptsMax + limits.snoozesMax;

/** Whether a kit stands behind the tasks of this process. */
let isOpen = false;

/**
 * Makes a kit. No server, no ports, no sleeps. Rejects with INVALID_OPTION while another kit is open in this process.
 *
 * @example
 * test('sign-up queues exactly one welcome mail', async () => {
 *   await using tf = await testKit({ tasks: [email], now: '2026-11-23T09:00Z' });
 *   await signUp('ada@example.com');
 *   expect(tf.enqueued(email.sendWelcome)).toEqual([{ userId: 'ada' }]);
 *   expect(await tf.drain()).toMatchObject({ succeeded: 1, failed: 0 });
 * });
 */
export async function testKit(options: TestKitOptions): Promise<TestKit> {
  if (isOpen)
    throw invalidOption('testKit', 'another kit is open in this process; `await using` ends one with its test');
  isOpen = true;
  try {
    return await openKit(options);
  } catch (error) {
    isOpen = false;
    throw error;
  }
}

async function openKit(options: TestKitOptions): Promise<TestKit> {
  const clock = createManualClock(readTime(options.now ?? startDefault, 'now'));
  const chance = seededChance(1);
  const handlers = createHandlers(definitionsIn(options.tasks));
  const store = await openTestStore(options.store ?? 'memory', clock.now, chance);
  await storeSchedules(store, options.schedules);
  const record = createRecord();
  const client = makeClient({ open: async () => recordingStore(store, record), clock, chance });
  const driver = createDriver({ store, clock, chance, definitions: handlers.definitions, onNewTask: record.add });
  const formerClient = replaceDefaultClient(client);
  let walking: Promise<unknown> = Promise.resolve();
  let walks = 0;
  let disposed = false;

  /** One walk at a time; every one ends with a fresh look at all tasks. */
  function walk<Answer>(steps: () => Promise<Answer>): Promise<Answer> {
    walks += 1;
    const walked = walking.then(steps).finally(async () => {
      walks -= 1;
      await record.refresh(store);
    });
    walking = walked.catch(() => undefined);
    return walked;
  }

  async function moveTo(atMs: number): Promise<void> {
    // What a walk in flight can do without the clock comes first: a handler's timeout counts from its start.
    while (walks > 0 && !driver.isWaiting()) await turn();
    await fireUntil(atMs);
    await clock.moveTo(Math.max(atMs, clock.now()));
    // That walk looks for itself; waiting for it here would wait for a handler that waits for this clock.
    if (walks === 0) await walk(driver.tick);
  }

  /** Stops at each time of a schedule on the way: the next one may depend on whether this run has ended. */
  async function fireUntil(atMs: number): Promise<void> {
    for (;;) {
      const { schedules, nextDueAt } = await store.broker.schedules.due(1);
      const dueAt = schedules[0]?.next?.dueAt ?? nextDueAt;
      if (dueAt === null || dueAt > atMs) return;
      await clock.moveTo(Math.max(dueAt, clock.now()));
      // A handler that waits for this clock must not keep it from moving.
      const walked = walks === 0 ? walk(() => driver.drain(drainMaxDefault)) : driver.tick();
      walked.catch(() => undefined);
      while (walks > 0 && !driver.isWaiting()) await turn();
      if (walks === 0) await walked;
    }
  }

  async function execute(ref: AnyTask, input: unknown): Promise<Run<unknown>> {
    const { id } = await client.enqueue(ref[definitionBrand], input);
    for (let step = 0; step < stepsMax; step += 1) {
      await driver.drain(drainMaxDefault);
      const task = await taskOf(store, id);
      if (isFinished(task.state)) return runOf(task, handlers.logsOf(id));
      const startsAt = task.state === 'scheduled' ? task.dueAt : await tokenAtOf(store, id);
      if (startsAt === null)
        throw invalidOption(
          'execute',
          `task ${ref.name} ${id} stays ${task.state}: its queue is paused, a limit is full, or the kit does not know its task`,
        );
      await clock.moveTo(startsAt);
    }
    throw taskFlowError('DRAIN_UNFINISHED', { max: stepsMax });
  }

  async function drain(max: number): Promise<DrainCounts> {
    const before = new Map((await record.refresh(store)).map((task) => [task.id, task.version]));
    await driver.drain(max);
    return countsOf((await record.refresh(store)).filter((task) => task.version !== before.get(task.id)));
  }

  const kit: TestKit = {
    enqueued: (ref) => record.inputsOf(ref.name),
    runs: (ref) =>
      record.tasks
        .filter((task) => task.name === ref.name && task.epoch > 0)
        .map((task) => runOf(task, handlers.logsOf(task.id))),
    drain: ({ max = drainMaxDefault } = {}) => walk(() => drain(max)),
    execute: (ref, input) => walk(() => execute(ref, input)),
    stub: (ref, stub) => handlers.stub(ref.name, stub as Stub<unknown, unknown>),
    clock: {
      now: () => dateOf(clock.now()),
      advance: (duration) => moveTo(clock.now() + parseDuration(duration, 'clock.advance')),
      set: async (time) => moveTo(readFuture(time, clock.now())),
    },
    crashWorker: () => walk(async () => void (await driver.crash())),
    async [Symbol.asyncDispose]() {
      if (disposed) return;
      disposed = true;
      try {
        await driver.close();
        await walking;
        await client.close();
        await store.close();
      } finally {
        // Last: what handlers enqueue while they end must not reach a real store, nor the next kit.
        replaceDefaultClient(formerClient);
        isOpen = false;
      }
    },
  };
  return kit;
}

/** Rejects with the first thing that is wrong with them. */
async function storeSchedules(store: Store, schedules: TestKitOptions['schedules']): Promise<void> {
  try {
    const { failures } = await putSchedules(store.broker, schedulesIn(schedules));
    if (failures[0] !== undefined) throw failures[0];
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function taskOf({ broker }: Store, id: string): Promise<Task> {
  const [task] = await broker.getTasks([id]);
  invariant(task, 'a task is kept at least until the kit has looked at it');
  return task;
}

/** When the rates that hold a task back allow its start; `null` when none does. */
async function tokenAtOf({ broker }: Store, id: string): Promise<number | null> {
  const [facts] = await broker.inspect([id]);
  const times = facts?.limits.flatMap(({ tokenAt }) => tokenAt ?? []) ?? [];
  return times.length === 0 ? null : Math.max(...times);
}

function readTime(time: Date | string, what: string): number {
  const ms = typeof time === 'string' ? Date.parse(time) : time.getTime();
  if (Number.isFinite(ms)) return ms;
  throw invalidOption(what, `${String(time)} is not a time`);
}

function readFuture(time: Date, now: number): number {
  const ms = readTime(time, 'clock.set');
  if (ms >= now) return ms;
  throw invalidOption('clock.set', 'a store’s clock does not go back');
}

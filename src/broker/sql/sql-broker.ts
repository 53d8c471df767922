/** SqlBroker: the seam over a SqlDriver. Each call is one transaction; the rules are in the file named after the call. */

import type { Chance } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import { once } from '../../core/once.ts';
import type { Broker, BrokerInfo, ClaimRequest, Signal } from '../broker.ts';
import type { Durability } from '../durability.ts';
import { createSubscribers, type Subscribers } from '../subscribers.ts';
import { cancel } from './cancel.ts';
import { claiming } from './claim.ts';
import { configure } from './configure.ts';
import { control } from './control.ts';
import { fold } from './counts.ts';
import { type SqlDriver, type SqlTransaction, statement } from './driver.ts';
import { enqueueAndHandOver } from './enqueue.ts';
import { getGroups } from './groups.ts';
import { heartbeat } from './heartbeat.ts';
import { inspect } from './inspect.ts';
import { createTransactions, type Join } from './join.ts';
import { getLimits } from './limits.ts';
import { createLook, lookFirst, type ReadClock } from './looks.ts';
import { claimOverdue } from './overdue.ts';
import { peek } from './peek.ts';
import { promote } from './promote.ts';
import { prune } from './prune.ts';
import { getQueues } from './queues.ts';
import { getTasks, getWorkers } from './reads.ts';
import { outdated } from './remembered.ts';
import { remove } from './remove.ts';
import { restore } from './restore.ts';
import { retry } from './retry.ts';
import { rollUpOld } from './rollups.ts';
import { createSchedules } from './schedules.ts';
import { settling } from './settle.ts';
import { leave } from './standing.ts';
import { type AskingCall, createMemory, createStep, endStep, type Memory, type Step, signalsOf } from './step.ts';
import { update } from './update.ts';
import { type WholeFirstOptions, type WholeSteps, type WholeWay, wholeFirst } from './whole.ts';

/** Input: the clock as this process knows it. The store's clock is never behind the last event, whoever wrote it. */
const storeClock = statement<[lastAt: number | null, wallMs: number]>(
  'store_clock',
  (dialect) => `SELECT (SELECT at FROM events ORDER BY seq DESC LIMIT 1), ${dialect.clock('$1')}`,
);
/** The same, and whose data it is. */
const storeInfo = statement<[incarnation: string | null, lastAt: number | null, wallMs: number]>(
  'store_info',
  (dialect) =>
    `SELECT (SELECT value FROM meta WHERE name = 'incarnation'), (SELECT at FROM events ORDER BY seq DESC LIMIT 1), ${dialect.clock('$1')}`,
);
/** Presences carry times without an event. */
const lastBeatAt = statement<[at: number | null]>('last_beat_at', () => 'SELECT max(beat_at) FROM workers');

/** Steps of this process between two foldings of what they added to the counts. */
const foldEvery = 100;

/** The version of the protocol: what the rows mean, beyond their columns. */
const protocol = 1;

export interface SqlBrokerOptions {
  readonly driver: SqlDriver;
  readonly chance: Chance;
  readonly kind: BrokerInfo['kind'];
  /** Connects, brings the schema up to date and reads back what makes the data durable. */
  readonly open: () => Promise<void>;
  readonly close: () => Promise<void>;
  readonly durability: () => Durability;
  /** Takes part in transactions of the user's; absent where they cannot have any with the same data. */
  readonly join?: Join;
  /** Called when the first listener comes: changes made by other processes are to be reported from now on. */
  readonly watch?: (emit: (signal: Signal) => void) => void;
  /** Tells other processes, which do not notice by themselves. */
  readonly tell?: (signals: readonly Signal[]) => void;
  /** What this database does in one statement; absent where a statement costs no more than a call of a function. */
  readonly whole?: (way: WholeWay) => WholeSteps;
}

export function createSqlBroker(options: SqlBrokerOptions): Broker {
  const { driver, chance } = options;
  const subscribers = createSubscribers();
  const tellAll = telling(subscribers, options.tell);
  const startWatch = once(() => options.watch?.(subscribers.emit));
  const way: StepWay = { driver, memory: createMemory(), ...createStoreClock() };
  const foldSome = createFolding(driver);
  const steps = options.whole?.(way);
  let state: 'new' | 'open' | 'closed' = 'new';
  let inFlight = 0;
  let onIdle: (() => void) | null = null;
  let opening: Promise<void> | null = null;
  let closing: Promise<void> | null = null;

  /** Refuses calls outside open … close, and lets close wait for the others. */
  const guarded = async <Answer>(call: () => Promise<Answer>): Promise<Answer> => {
    if (state !== 'open') throw whyNotOpen(state);
    inFlight += 1;
    try {
      return await call();
    } finally {
      inFlight -= 1;
      if (inFlight === 0) onIdle?.();
    }
  };

  /** Runs a call as one step. What it asks first is on its way before the time is known, which is at least `earliest`. */
  const changeAsking = <Answer, Asked>(...[ask, call]: AskingCall<Answer, Asked>): Promise<Answer> =>
    guarded(async () => {
      const { answer, ended } = await runStep(way, ask, call);
      if (ended === null) return answer;
      if (!subscribers.isEmpty || options.tell !== undefined) tellAll(signalsOf(ended));
      await foldSome();
      return answer;
    });

  const change = <Answer>(call: (step: Step) => Promise<Answer>): Promise<Answer> => changeAsking(() => null, call);

  const read = <Answer>(call: (tx: SqlTransaction) => Promise<Answer>): Promise<Answer> =>
    guarded(() => driver.read(call));

  const openOnce = async (): Promise<void> => {
    await options.open();
    way.clock((await driver.readOne(lastBeatAt))[0]?.[0] ?? null, 0);
    state = 'open';
    if (!subscribers.isEmpty) startWatch();
  };

  const closeOnce = async (): Promise<void> => {
    await opening?.catch(() => {});
    state = 'closed';
    subscribers.clear();
    if (inFlight > 0) await new Promise<void>((resolve) => (onIdle = resolve));
    await options.close();
  };

  const broker: Broker = {
    open: () => {
      if (closing !== null) return Promise.reject(taskFlowError('STORE_CLOSED'));
      opening ??= openOnce();
      return opening;
    },
    close: () => {
      closing ??= closeOnce();
      return closing;
    },
    info: () =>
      guarded(async () => {
        const [[incarnation, lastAt, wallMs] = [null, null, 0]] = await driver.readOne(storeInfo, driver.ownMs());
        const now = way.clock(lastAt, wallMs);
        return { kind: options.kind, ...options.durability(), incarnation: incarnation ?? '', protocol, now };
      }),
    subscribe: (listener, taker) => {
      const unsubscribe = subscribers.subscribe(listener, taker);
      if (state === 'open') startWatch();
      return unsubscribe;
    },
    enqueue: (tasks) =>
      enqueueAndHandOver(change, { handOver: subscribers.handOver(), standing: steps?.standing }, tasks),
    restore: (tasks) => change((step) => restore(step, tasks, chance)),
    claim: (request) => changeAsking(...leaving(steps, request, claiming(request))),
    heartbeat: (request) => change((step) => heartbeat(step, request)),
    settle: (settlements, claimNext) => changeAsking(...leaving(steps, claimNext, settling(settlements, claimNext))),
    promote: (limit) => change((step) => promote(step, limit)),
    claimOverdue: (request) => change((step) => claimOverdue(step, request)),
    prune: async (limit) => {
      const pruned = await change((step) => prune(step, limit));
      await guarded(() => rollUpOld(driver));
      return pruned;
    },
    cancel: (request) => change((step) => cancel(step, request)),
    retry: (taskIds) => change((step) => retry(step, taskIds)),
    remove: (taskIds) => change((step) => remove(step, taskIds)),
    update: (changes) => change((step) => update(step, changes)),
    configure: (scope, name, settings) => change((step) => configure(step, scope, name, settings)),
    control: (workerIds, command) => change((step) => control(step, workerIds, command)),
    ...createReads(way, guarded, read),
    schedules: createSchedules(change, read, way.readNow),
    ...(options.join && {
      transactions: createTransactions({ ...way, join: options.join, guarded, tell: tellAll }),
    }),
  };
  return hasten(broker, steps, { ...options, ...way, guarded, subscribers, foldSome });
}

/** The calls that change nothing. */
function createReads(
  way: StepWay,
  guarded: WholeFirstOptions['guarded'],
  read: <Answer>(call: (tx: SqlTransaction) => Promise<Answer>) => Promise<Answer>,
) {
  const { readOne } = way.driver;
  return {
    getTasks: (taskIds) => read((tx) => getTasks(tx, taskIds)),
    inspect: (taskIds) => read((tx) => inspect(tx, taskIds, way.clock)),
    peek: (queue, limit) => read((tx) => peek(tx, { queue, limit }, way)),
    getQueues: () => guarded(() => getQueues(readOne)),
    getGroups: (from, limit) => read((tx) => getGroups(tx, from, limit)),
    getLimits: (from, limit) => read((tx) => getLimits(tx, from, limit)),
    getWorkers: () => guarded(() => getWorkers(readOne)),
  } satisfies Partial<Broker>;
}

/** The broker with what most of its calls come to before them. */
function hasten(
  broker: Broker,
  steps: WholeSteps | undefined,
  way: Omit<WholeFirstOptions, 'look'> & StepWay & { readonly subscribers: Subscribers },
): Broker {
  const standing = steps?.standing;
  const look = createLook(way.driver, standing);
  const whole = wholeFirst(broker, steps, { ...way, look });
  return lookFirst(whole, { ...way, look, standing, signals: () => way.subscribers.signals });
}

/** A call with a claim in it: one that stands is taken back before all else. */
function leaving<Answer, Asked>(
  steps: WholeSteps | undefined,
  request: ClaimRequest | undefined,
  [ask, call]: AskingCall<Answer, Asked>,
): AskingCall<Answer, Asked> {
  if (request === undefined) return [ask, call];
  const askBehind: typeof ask = (tx, earliest) => {
    leave(tx, steps?.standing, request);
    return ask(tx, earliest);
  };
  return [askBehind, call];
}

/** Where others write too, what a step relied on may change more than once. */
const stepTriesMax = 5;

/** What a step needs of the broker. */
interface StepWay extends StoreClock {
  readonly driver: SqlDriver;
  readonly memory: Memory;
}

/** A step as a transaction. One that relied on what is no longer so is done again, without what was remembered. */
async function runStep<Answer, Asked>(
  { driver, memory, readNow, lastNow }: StepWay,
  ...[ask, call]: AskingCall<Answer, Asked>
): Promise<{ readonly answer: Answer; readonly ended: Step | null }> {
  for (let tries = 1; ; tries++) {
    try {
      return await driver.transaction(async (tx) => {
        const reading = readNow(tx);
        const asked = ask(tx, lastNow());
        const step = createStep(tx, await reading, memory);
        const answer = await call(step, asked);
        return { answer, ended: (await endStep(step)) ? step : null };
      });
    } catch (error) {
      if (error !== outdated || tries >= stepTriesMax) throw error;
      memory.remembered.clear();
    }
  }
}

function whyNotOpen(state: 'new' | 'closed'): Error {
  if (state === 'closed') return taskFlowError('STORE_CLOSED');
  return new Error('Invariant broken: the broker is opened before it is used');
}

/** Answers what to call behind each step: it takes what many of them added into the kept counts. */
function createFolding(driver: SqlDriver): () => Promise<void> {
  let steps = 0;
  return async () => {
    steps += 1;
    if (steps < foldEvery) return;
    steps = 0;
    if (!(await foldAll(driver))) steps = foldEvery;
  };
}

/** The counts are right without it, so a failure waits for the next time. */
async function foldAll(driver: SqlDriver): Promise<boolean> {
  try {
    while (await driver.transaction(fold));
    return true;
  } catch {
    return false;
  }
}

/** Tells the listeners of this process, and other processes. */
function telling({ emit }: Subscribers, tell: SqlBrokerOptions['tell']) {
  return (signals: readonly Signal[]): void => {
    for (const signal of signals) emit(signal);
    tell?.(signals);
  };
}

interface StoreClock {
  readonly clock: ReadClock;
  readNow(tx: SqlTransaction): Promise<number>;
  /** What it said last. */
  lastNow(): number;
}

/** The clock of a store as one process knows it: never behind what was stored, nor behind what it said before. */
function createStoreClock(): StoreClock {
  let lastNow = 0;
  const clock: ReadClock = (stored, wallMs) => {
    lastNow = Math.max(lastNow, stored ?? 0, wallMs);
    return lastNow;
  };
  return {
    clock,
    lastNow: () => lastNow,
    readNow: async (tx) => {
      const [[lastAt, wallMs] = [null, 0]] = await tx.query(storeClock, tx.ownMs());
      return clock(lastAt, wallMs);
    },
  };
}

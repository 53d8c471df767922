/** A worker: claims tasks for its free slots, runs them, settles them, and stops without losing any. */

import type { HeartbeatAnswer, SettleResult, Signal, Unsubscribe } from '../broker/broker.ts';
import { type Chance, createToken, systemChance } from '../core/chance.ts';
import { decide } from '../core/decide.ts';
import type { Middleware, TaskDefinition } from '../core/definition.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Presence } from '../core/presence.ts';
import type { ClaimedTask, Outcome } from '../core/task.ts';
import { type Clock, systemClock } from '../core/time.ts';
import { createEngine, type Engine } from '../engine/engine.ts';
import { readPlace } from '../engine/host.ts';
import { createService, type ServiceReport } from '../engine/service.ts';
import type { Store } from '../history/history.ts';
import { Attempt } from './attempt.ts';
import { createEmitter, eventOf, runEvent, type WorkerEventName, type WorkerEvents } from './events.ts';
import { createKeeper, trustShare } from './keeper.ts';
import { createLeases } from './leases.ts';
import { createPools, type Pool, type QueueSlots } from './pools.ts';
import { publishedDefinition, type WorkerFacts, workerPresence } from './presence.ts';
import { createRunner } from './runner.ts';
import { createSettler } from './settler.ts';
import { createWheel } from './wheel.ts';

export interface WorkerOptions {
  /** An open store. The worker does not close it. */
  readonly store: Store;
  /** What it can run. Throws DUPLICATE_TASK_NAME for two with one name. */
  readonly definitions: readonly TaskDefinition[];
  /** Files of definitions by task name, for publishing. */
  readonly files?: Readonly<Record<string, string>>;
  /** `{ email: 20, default: 5 }` gives each queue its slots; a list shares `concurrency`. `['default']` when left out. */
  readonly queues?: QueueSlots;
  /** Slots shared by a list of queues; 10 when left out. */
  readonly concurrency?: number;
  /** Shown to people; host and pid when left out. */
  readonly name?: string;
  /** Version of this program, published with its presence. */
  readonly version?: string;
  readonly middleware?: readonly Middleware[];
  /** How long `stop` waits for handlers before it aborts them. */
  readonly drainMs?: number;
  /** `limits.leaseMs` when left out; from `limits.leaseMinMs` to `limits.leaseMaxMs`. */
  readonly leaseMs?: number;
  /** Whether it runs the engine's services: `auto` only while no server is alive. */
  readonly services?: 'auto' | 'always' | 'never';
  readonly clock?: Clock;
  readonly chance?: Chance;
  /** How long a handler may take to end after its abort; `limits.graceMs` when left out. */
  readonly graceMs?: number;
  /** Passed to the engine; see `EngineOptions.recoveryMs`. */
  readonly recoveryMs?: number;
}

export interface StopOptions {
  /** Replaces `drainMs`. */
  readonly drainMs?: number;
}

export interface Worker extends AsyncDisposable {
  readonly id: string;
  /** Begins to claim. Starting twice is one start; a worker that was stopped stays stopped. */
  start(): void;
  /**
   * Stops claiming, gives back what has not begun, waits for handlers up to `drainMs`, aborts them with
   * WORKER_STOPPING, settles what ended. What still runs after that keeps its lease, which runs out. Resolves when
   * the worker touches the store no more; a second call is the same promise.
   */
  stop(options?: StopOptions): Promise<void>;
  on<Name extends WorkerEventName>(name: Name, listener: (event: WorkerEvents[Name]) => void): Worker;
  /** Handlers that have a slot now. */
  readonly running: number;
}

const concurrencyDefault = 10;

/** Makes a worker over an open store; nothing happens before `start`. Throws INVALID_OPTION and DUPLICATE_TASK_NAME. */
export function createWorker(options: WorkerOptions): Worker {
  const { store, clock = systemClock, chance = systemChance, services = 'auto' } = options;
  const { broker } = store;
  const leaseMs = checkedLease(options.leaseMs ?? limits.leaseMs);
  const definitions = byName(options.definitions, options.files ?? {});
  const pools = createPools(options.queues ?? ['default'], options.concurrency ?? concurrencyDefault);
  const facts = factsOf(options, chance);
  const emitter = createEmitter();
  const wheel = createWheel(clock);
  let state: Presence['state'] = 'ready';
  let engine: Engine | null = null;
  let ending: Promise<unknown> = Promise.resolve();
  let unsubscribe: Unsubscribe | null = null;
  let stopping: Promise<void> | null = null;
  let started = false;
  let onQuiet: (() => void) | null = null;

  const leases = createLeases({
    clock,
    onCancel: cancelAttempt,
    onLost: loseAttempt,
    onRenewed: () => {
      for (const pool of pools.all) fill(pool);
    },
  });

  const settler = createSettler({ broker, clock, chance, workerId: facts.workerId, leaseMs, pools, onClaimed: acceptClaimed, onSettled: finishAttempt });

  const loop = createService({
    name: 'worker',
    periodMs: limits.pollMs,
    clock,
    chance,
    report: reportTrouble,
    async tick() {
      handBack((attempt) => clock.elapsed() - attempt.arrivedAt > limits.prefetchHoldMs);
      const result = await settler.tick();
      if (stopping !== null) handBack(() => true);
      checkQuiet();
      return result;
    },
  });

  const keeper = createKeeper({
    broker,
    clock,
    chance,
    leaseMs,
    holder: leases,
    presence: (withDefinitions) => workerPresence(facts, pools, { state, services: engine !== null, withDefinitions }),
    onAnswer: followServer,
    report: reportTrouble,
  });

  const runner = createRunner({
    definitions,
    middleware: options.middleware ?? [],
    clock,
    wheel,
    graceMs: options.graceMs ?? limits.graceMs,
    onStarted(attempt) {
      keeper.news();
      emitter.emit('started', () => runEvent(attempt));
    },
    onNews: keeper.news,
    onOutcome: judge,
    onEnded: leaveSlot,
    onStuck(attempt) {
      attempt.pool.stuck += 1;
      emitter.emit('stuck', () => runEvent(attempt));
      fill(attempt.pool);
      loop.wake();
    },
  });

  function acceptClaimed(claimed: readonly ClaimedTask[], sentAt: number, repeated: boolean): void {
    const arrivedAt = clock.elapsed();
    const trustUntil = sentAt + leaseMs * trustShare;
    for (const one of claimed) {
      if (repeated && leases.has(one.lease.taskId, one.lease.token)) continue;
      const attempt = new Attempt(one, pools.of(one.task.queue), sentAt, arrivedAt, trustUntil, runner.expire);
      leases.add(attempt);
      attempt.pool.push(attempt);
    }
    if (stopping === null) for (const pool of pools.all) fill(pool);
    else handBack(() => true);
  }

  /** Starts what waits while there are slots. A task with less than a third of its lease left waits for the renewal. */
  function fill(pool: Pool): void {
    if (stopping !== null) return;
    while (pool.hasFreeSlot) {
      const attempt = pool.peek();
      if (attempt === undefined) return;
      if (attempt.trustUntil - clock.elapsed() < leaseMs * (trustShare - 2 / 3)) return keeper.beatNow(true);
      pool.shift();
      pool.running += 1;
      runner.run(attempt);
    }
  }

  function leaveSlot(attempt: Attempt): void {
    const { pool } = attempt;
    pool.running -= 1;
    if (attempt.stuck) pool.stuck -= 1;
    fill(pool);
    // A settlement is on its way already in the ordinary case; this is for those that leave none.
    if (attempt.phase === 'over') loop.wake();
    checkQuiet();
  }

  function judge(attempt: Attempt, outcome: Outcome): void {
    // The store said that the lease is another's, or it may be by now and the handler still runs: there is nothing to say.
    if (attempt.lostForSure || (attempt.stuck && attempt.abortKind === 'lost')) return forget(attempt);
    attempt.verdict = decide(attempt.task, { outcome, ranMs: attempt.ranMs }, chance);
    attempt.phase = 'settling';
    settler.add(attempt);
    loop.wake();
  }

  function handBack(matches: (attempt: Attempt) => boolean): void {
    for (const pool of pools.all) for (const attempt of pool.remove(matches)) judge(attempt, { kind: 'released' });
  }

  function finishAttempt(attempt: Attempt, result: SettleResult): void {
    forget(attempt);
    const { verdict } = attempt;
    if (verdict === null) return;
    if (engine !== null && verdict.to === 'scheduled') engine.dueIn(verdict.delayMs);
    emitter.emit(eventOf(verdict, result), () => runEvent(attempt));
  }

  function forget(attempt: Attempt): void {
    attempt.phase = 'over';
    leases.delete(attempt);
  }

  function cancelAttempt(attempt: Attempt): void {
    if (attempt.phase === 'running') return runner.abort(attempt, 'cancel');
    if (attempt.pool.remove((one) => one === attempt).length > 0) judge(attempt, { kind: 'aborted' });
  }

  function loseAttempt(attempt: Attempt, forSure: boolean): void {
    attempt.lostForSure = forSure;
    if (attempt.phase === 'running') return runner.abort(attempt, 'lost');
    if (attempt.pool.remove((one) => one === attempt).length > 0) forget(attempt);
  }

  function followServer(answer: HeartbeatAnswer): void {
    if (services !== 'auto' || stopping !== null) return;
    if (answer.noServer && engine === null) startEngine();
    else if (!answer.noServer && engine !== null) {
      ending = Promise.all([ending, engine.stop()]);
      engine = null;
    }
  }

  function startEngine(): void {
    const { recoveryMs } = options;
    engine = createEngine({ store, clock, chance, report: reportTrouble, ...(recoveryMs === undefined ? {} : { recoveryMs }) });
    engine.start();
  }

  function listen(signal: Signal): void {
    if (signal.kind === 'work' && (signal.queues === null || signal.queues.some((queue) => Object.hasOwn(pools.slotsByQueue, queue)))) loop.wake();
    if (signal.kind === 'cancel' && leases.ask(signal.taskIds)) keeper.beatNow(false);
  }

  function reportTrouble(report: ServiceReport): void {
    const error = report.kind === 'failed' ? report.error : null;
    emitter.emit(report.kind === 'failed' ? 'trouble' : 'recovered', () => ({ service: report.service, error, failures: report.failures }));
  }

  function start(): void {
    if (started || stopping !== null) return;
    started = true;
    unsubscribe = broker.subscribe(listen);
    if (services === 'always') startEngine();
    keeper.start();
    loop.start();
  }

  function stop(stopOptions: StopOptions = {}): Promise<void> {
    stopping ??= shutDown(stopOptions.drainMs ?? options.drainMs ?? limits.drainMs);
    return stopping;
  }

  async function shutDown(drainMs: number): Promise<void> {
    // `stopping` is set when this returns for the first time: everything below runs with it.
    await null;
    if (!started) return;
    state = 'draining';
    settler.close();
    handBack(() => true);
    loop.wake();
    await quiet(() => running() === 0, drainMs);
    for (const attempt of leases.all) runner.abort(attempt, 'stopping');
    await quiet(() => running() === 0, limits.abortMs);
    await quiet(() => settler.pending === 0, limits.flushMs);
    // A call of the store that hangs must not keep the process.
    await within(Promise.all([loop.stop(), engine?.stop(), ending]), limits.flushMs);
    unsubscribe?.();
    wheel.close();
    for (const attempt of leases.all) attempt.abort('lost', taskFlowError('LEASE_LOST', { id: attempt.task.id }));
    state = 'stopped';
    await keeper.stop();
  }

  /** Resolves when `isQuiet` holds, looked at whenever something ended, or after `timeoutMs`. */
  function quiet(isQuiet: () => boolean, timeoutMs: number): Promise<void> {
    if (isQuiet()) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        onQuiet = null;
        cancel();
        resolve();
      };
      const cancel = clock.schedule(timeoutMs, done);
      onQuiet = () => {
        if (isQuiet()) done();
      };
    });
  }

  async function within(call: Promise<unknown>, timeoutMs: number): Promise<void> {
    let done = false;
    void call.then(() => {
      done = true;
      checkQuiet();
    });
    await quiet(() => done, timeoutMs);
  }

  const checkQuiet = (): void => onQuiet?.();
  const running = (): number => pools.all.reduce((sum, pool) => sum + pool.running - pool.stuck, 0);

  const worker: Worker = {
    id: facts.workerId,
    start,
    stop,
    on(name, listener) {
      emitter.on(name, listener);
      return worker;
    },
    get running() {
      return pools.all.reduce((sum, pool) => sum + pool.running, 0);
    },
    [Symbol.asyncDispose]: () => stop(),
  };
  return worker;
}

function byName(definitions: readonly TaskDefinition[], files: Readonly<Record<string, string>>): ReadonlyMap<string, TaskDefinition> {
  const known = new Map<string, TaskDefinition>();
  for (const definition of definitions) {
    const other = known.get(definition.name);
    if (other !== undefined && other !== definition) {
      throw taskFlowError('DUPLICATE_TASK_NAME', { name: definition.name, files: files[definition.name] ?? 'in the tasks of one worker' });
    }
    known.set(definition.name, definition);
  }
  return known;
}

function factsOf(options: WorkerOptions, chance: Chance): WorkerFacts {
  const runnable = options.definitions.filter((definition) => definition.run !== null);
  const place = readPlace();
  return {
    ...place,
    workerId: createToken(chance),
    name: options.name ?? `${place.host}-${place.pid}`,
    version: options.version ?? '0',
    definitions: options.definitions.map((definition) => publishedDefinition(definition, options.files?.[definition.name] ?? null)),
    taskNames: runnable.map((definition) => definition.name),
  };
}

function checkedLease(leaseMs: number): number {
  if (Number.isInteger(leaseMs) && leaseMs >= limits.leaseMinMs && leaseMs <= limits.leaseMaxMs) return leaseMs;
  throw taskFlowError('INVALID_OPTION', { what: 'leaseMs', problem: `it must be a whole number from ${limits.leaseMinMs} to ${limits.leaseMaxMs}, not ${leaseMs}` });
}

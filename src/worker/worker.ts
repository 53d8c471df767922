/** A worker: claims tasks for its free slots, runs them, settles them, and stops without losing any. */

import type { Broker, SettleResult, Signal, Unsubscribe } from '../broker/broker.ts';
import { type Chance, systemChance } from '../core/chance.ts';
import type { WorkerCommand, WorkerStack } from '../core/commands.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Presence } from '../core/presence.ts';
import type { ClaimedTask, Outcome } from '../core/task.ts';
import { type Clock, systemClock } from '../core/time.ts';
import { createService, type Report, type Service, type ServiceReport, type TickResult } from '../engine/service.ts';
import { Attempt } from './attempt.ts';
import { appliedVerdict, conclude, transactionsOf } from './completion.ts';
import { createEmitter, eventOf, runEvent, strayEvent, type WorkerEventName, type WorkerEvents } from './events.ts';
import { createGuard, type Guard } from './guard.ts';
import { isolationOf } from './isolation.ts';
import { createKeeper, type Keeper, trustShare } from './keeper.ts';
import { createLeases, type Leases } from './leases.ts';
import { createMailbox } from './mailbox.ts';
import { checkedLease, factsOf, runOptionsOf, type StopOptions, type Worker, type WorkerOptions } from './options.ts';
import { createPools, type Pool, type Pools } from './pools.ts';
import { type WorkerFacts, workerPresence } from './presence.ts';
import { createQuiet } from './quiet.ts';
import { createRunner, type Runner } from './runner.ts';
import { createServices, type Services } from './services.ts';
import { runningSlots, slotStacks } from './slot-stacks.ts';
import { createWatchedSettler, type WatchedSettler } from './watchdog.ts';
import { createWheel, type Wheel } from './wheel.ts';

export type { StopOptions, Worker, WorkerOptions } from './options.ts';

/** Makes a worker over an open store; nothing happens before `start`. Throws INVALID_OPTION and DUPLICATE_TASK_NAME. */
export function createWorker(options: WorkerOptions): Worker {
  return new LocalWorker(options);
}

const concurrencyDefault = 10;
/** A little more than the period of polls: with its heartbeats and looks for servers an idle worker stays below one call a second. */
const pollMs = limits.pollMs * 1.16;
/** A handler begins with at least this much of its lease left, else after the next renewal. */
const startShare = 1 / 3;

class LocalWorker implements Worker {
  readonly id: string;
  readonly #options: WorkerOptions;
  readonly #broker: Broker;
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #leaseMs: number;
  readonly #facts: WorkerFacts;
  readonly #pools: Pools;
  readonly #emitter = createEmitter();
  readonly #wheel: Wheel;
  readonly #leases: Leases;
  readonly #settler: WatchedSettler;
  readonly #keeper: Keeper;
  readonly #guard: Guard;
  readonly #runner: Runner;
  readonly #loop: Service;
  readonly #quiet: ReturnType<typeof createQuiet>;
  readonly #services: Services;
  #state: Presence['state'] = 'ready';
  #started = false;
  #stopping: Promise<void> | null = null;
  #unsubscribe: Unsubscribe | null = null;

  constructor(options: WorkerOptions) {
    const { clock = systemClock, chance = systemChance } = options;
    const { broker } = options.store;
    const report = (trouble: ServiceReport): void => this.#report(trouble);
    this.#options = options;
    this.#broker = broker;
    this.#clock = clock;
    this.#chance = chance;
    this.#leaseMs = checkedLease(options.leaseMs);
    this.#facts = factsOf(options, chance);
    this.id = this.#facts.workerId;
    this.#pools = createPools(options.queues ?? ['default'], options.concurrency ?? concurrencyDefault);
    this.#quiet = createQuiet(clock);
    const onDeparted = (): void => this.#keeper.beatNow(true);
    this.#services = createServices({ ...options, clock, chance, report, onDeparted });
    this.#wheel = createWheel(clock);
    this.#leases = createLeases({
      clock,
      renewal: () => this.#guard.renewal(),
      onCancel: (attempt) => this.#cancel(attempt),
      onLost: (attempt, forSure) => this.#lose(attempt, forSure),
      onRenewed: () => this.#fillAll(),
      onUnsent: () => this.#keeper.beatNow(false),
    });
    this.#settler = createWatchedSettler({
      store: options.store,
      clock,
      chance,
      workerId: this.id,
      leaseMs: this.#leaseMs,
      pools: this.#pools,
      onClaimed: (claimed, firstSentAt, sentAt) => this.#accept(claimed, firstSentAt, sentAt),
      onReady: () => this.#fillAll(),
      onSettled: (attempt, result) => this.#finish(attempt, result),
      onSpawnRefused: (attempt, outcome) => this.#judge(attempt, outcome),
      onRefused: (attempt) => this.#drop(attempt),
      onWork: () => this.#loop.wake(),
      isDraining: () => this.#isDraining,
      onStall: (stall) => this.#emitter.emit('stalled', () => stall),
      report,
    });
    this.#keeper = createKeeper({
      broker,
      clock,
      chance,
      leaseMs: this.#leaseMs,
      holder: this.#leases,
      mailbox: createMailbox((command, id) => this.#obey(command, id)),
      presence: (withDefinitions) => this.#presence(withDefinitions),
      onAnswer: (answer) => {
        if (this.#stopping === null) this.#services.follow(answer);
      },
      report,
    });
    this.#guard = this.#createGuard(report);
    this.#runner = this.#createRunner();
    this.#loop = this.#createLoop(report);
  }

  get running(): number {
    return this.#pools.all.reduce((sum, pool) => sum + pool.running, 0);
  }

  on<Name extends WorkerEventName>(name: Name, listener: (event: WorkerEvents[Name]) => void): this {
    this.#emitter.on(name, listener);
    return this;
  }

  start(): void {
    if (this.#started || this.#stopping !== null) return;
    this.#started = true;
    this.#unsubscribe = this.#broker.subscribe((signal) => this.#listen(signal), this.#settler.offer);
    this.#services.start();
    this.#runner.start();
    this.#keeper.start();
    this.#guard.start();
    this.#loop.start();
    this.#settler.start();
  }

  stop(options: StopOptions = {}): Promise<void> {
    this.#stopping ??= this.#shutDown(options.drainMs ?? this.#options.drainMs ?? limits.drainMs);
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #createGuard(report: Report): Guard {
    return createGuard({
      // Its thread has the clock of the system.
      address: this.#clock === systemClock ? this.#options.store.address : undefined,
      clock: this.#clock,
      leaseMs: this.#leaseMs,
      trustMs: this.#leaseMs * trustShare,
      blockMaxMs: this.#options.blockMaxMs ?? limits.loopBlockMaxMs,
      names: this.#options.definitions.map(({ name }) => name),
      presence: () => this.#presence(false),
      slots: () => runningSlots(this.#leases.all, this.#clock.elapsed()),
      held: () => this.#leases.all,
      onStandstill: (standstill) => {
        this.#emitter.emit('blocked', () => standstill);
        this.#keeper.listenNow();
      },
      report,
    });
  }

  #createRunner(): Runner {
    const runs = {
      ...runOptionsOf(this.#options),
      clock: this.#clock,
      onNews: this.#keeper.news,
      onStep: () => this.#keeper.beatNow(false),
      onStray: (attempt: Attempt, error: unknown) => this.#emitter.emit('stray', () => strayEvent(attempt, error)),
    };
    return createRunner({
      ...runs,
      isolation: isolationOf(this.#options, { ...runs, slots: () => this.#pools.concurrency }),
      middleware: this.#options.middleware ?? [],
      wheel: this.#wheel,
      fetchResults: (lease, taskIds) => this.#broker.resultsOf?.(lease, taskIds) ?? this.#broker.getTasks(taskIds),
      transactions: () => transactionsOf(this.#broker),
      onStarted: (attempt) => this.#announce(attempt),
      onOutcome: (attempt, outcome) => this.#judge(attempt, outcome),
      onEnded: (attempt) => this.#leaveSlot(attempt),
      onStuck: (attempt) => this.#replaceSlot(attempt),
    });
  }

  #createLoop(report: Report): Service {
    // Backs off no longer than it polls: results wait for it.
    const times = { periodMs: pollMs, backoffMaxMs: limits.pollMs, clock: this.#clock, chance: this.#chance };
    return createService({ name: 'worker', ...times, report, tick: () => this.#tick() });
  }

  async #tick(): Promise<TickResult> {
    const staleBefore = this.#clock.elapsed() - limits.prefetchHoldMs;
    // The oldest waits in front: as long as it is fresh, so are the others.
    const isLate = (pool: Pool): boolean => pool.lacksSlotSince(staleBefore);
    if (this.#pools.all.some(isLate))
      this.#handBack((attempt) => isLate(attempt.pool) && attempt.arrivedAt < staleBefore);
    const result = await this.#settler.tick();
    this.#quiet.check();
    return result;
  }

  #accept(claimed: readonly ClaimedTask[], firstSentAt: number, sentAt: number): void {
    const arrivedAt = this.#clock.elapsed();
    const trustUntil = firstSentAt + this.#leaseMs * trustShare;
    // After a standstill answers are heard before timers: what ended meanwhile is told so before the same task begins anew.
    this.#leases.endTrust(arrivedAt);
    for (const one of claimed) {
      const attempt = new Attempt(one, this.#pools.of(one.task.queue), sentAt, arrivedAt, trustUntil, this.#runner);
      this.#leases.add(attempt);
      attempt.pool.push(attempt);
    }
    this.#guard.hold(claimed);
    if (this.#isDraining) this.#handBack(() => true);
  }

  #fillAll(): void {
    for (const pool of this.#pools.all) this.#fill(pool);
  }

  /** Starts what waits while there are slots, unless too little of the lease is left: then the renewal starts it. */
  #fill(pool: Pool): void {
    if (this.#isDraining) return;
    while (pool.hasFreeSlot) {
      const attempt = pool.peek();
      if (attempt === undefined) return;
      const leaseEndsAt = attempt.trustUntil + this.#leaseMs * (1 - trustShare);
      if (leaseEndsAt - this.#clock.elapsed() < this.#leaseMs * startShare) {
        this.#keeper.beatNow(true);
        return;
      }
      pool.shift();
      pool.running += 1;
      this.#runner.run(attempt);
    }
  }

  #announce(attempt: Attempt): void {
    this.#guard.begin(attempt);
    this.#keeper.watch(attempt.trustUntil);
    this.#keeper.news();
    this.#emitter.emit('started', () => runEvent(attempt));
  }

  #judge(attempt: Attempt, outcome: Outcome): void {
    // The lease is another's for certain, or may be while the handler still runs: there is nothing to say.
    if (attempt.lostForSure || (attempt.stuck && attempt.abortKind === 'lost')) {
      this.#forget(attempt);
      return;
    }
    conclude(attempt, outcome, this.#chance);
    attempt.phase = 'settling';
    this.#settler.add(attempt);
    this.#loop.wake();
  }

  #leaveSlot(attempt: Attempt): void {
    const { pool } = attempt;
    pool.running -= 1;
    if (attempt.startedAt !== null) this.#guard.end(attempt);
    if (attempt.stuck) pool.stuck -= 1;
    this.#fill(pool);
    // Ordinarily the settlement claims the next; those that leave none free their slot all the same.
    if (attempt.phase === 'over') this.#loop.wake();
    this.#quiet.check();
  }

  #replaceSlot(attempt: Attempt): void {
    attempt.pool.stuck += 1;
    this.#emitter.emit('stuck', () => runEvent(attempt));
    this.#fill(attempt.pool);
    this.#loop.wake();
    this.#quiet.check();
  }

  #finish(attempt: Attempt, result: SettleResult): void {
    this.#forget(attempt);
    attempt.verdict = appliedVerdict(attempt, result);
    if (attempt.verdict !== null) this.#emitter.emit(eventOf(attempt.verdict, result), () => runEvent(attempt));
  }

  #drop(attempt: Attempt): void {
    this.#forget(attempt);
    this.#emitter.emit('dropped', () => runEvent(attempt));
  }

  #forget(attempt: Attempt): void {
    attempt.phase = 'over';
    this.#leases.delete(attempt);
  }

  #handBack(matches: (attempt: Attempt) => boolean): void {
    for (const pool of this.#pools.all) {
      for (const attempt of pool.remove(matches)) this.#judge(attempt, { kind: 'released' });
    }
  }

  #cancel(attempt: Attempt): void {
    if (attempt.phase === 'running') this.#runner.abort(attempt, 'cancel');
    else if (attempt.pool.remove((one) => one === attempt).length > 0) this.#judge(attempt, { kind: 'aborted' });
  }

  #lose(attempt: Attempt, forSure: boolean): void {
    attempt.lostForSure = forSure;
    if (attempt.phase === 'running') this.#runner.abort(attempt, 'lost');
    else if (attempt.pool.remove((one) => one === attempt).length > 0) this.#forget(attempt);
  }

  #listen(signal: Signal): void {
    if (signal.kind === 'work' && (signal.queues?.some(this.#pools.serves) ?? true)) this.#loop.wake();
    if (signal.kind === 'handed') this.#settler.handed(signal);
    if (signal.kind === 'cancel' && this.#leases.ask(signal.taskIds)) this.#keeper.beatNow(false);
    if (signal.kind === 'command' && (signal.workerIds?.includes(this.id) ?? true)) this.#keeper.listenNow();
  }

  get #isDraining(): boolean {
    return this.#stopping !== null || this.#state !== 'ready';
  }

  /** A worker that stops does what it was told already, whatever else it is told. */
  #obey(command: WorkerCommand, id: number): WorkerStack | null {
    if (this.#stopping === null) {
      if (command.kind === 'drain' || command.kind === 'restart') this.#drain();
      if (command.kind === 'resume') this.#resume();
      if (command.kind === 'scale') this.#pools.scale(command.concurrency);
      this.#emitter.emit('command', () => ({ command, running: this.running }));
      this.#fillAll();
      this.#loop.wake();
    }
    return command.kind === 'stack' && id > this.#guard.answered
      ? { answers: id, slots: slotStacks(runningSlots(this.#leases.all, this.#clock.elapsed())), loop: null }
      : null;
  }

  #drain(): void {
    this.#state = 'draining';
    this.#settler.close();
    this.#handBack(() => true);
  }

  #resume(): void {
    this.#state = 'ready';
    this.#settler.open();
  }

  #presence(withDefinitions: boolean): Presence {
    return workerPresence(this.#facts, this.#pools, {
      state: this.#state,
      services: this.#services.isRunning,
      loopLagMs: this.#guard.loopLagMs,
      stall: this.#settler.mark,
      withDefinitions,
    });
  }

  #report(report: ServiceReport): void {
    const { service, failures } = report;
    if (report.kind === 'failed') this.#emitter.emit('trouble', () => ({ service, error: report.error, failures }));
    else this.#emitter.emit('recovered', () => ({ service, error: null, failures }));
  }

  async #shutDown(drainMs: number): Promise<void> {
    // From the next turn on `#stopping` is set, and nothing below starts another handler.
    await null;
    if (!this.#started) return;
    const hasRest = (): boolean => this.#pools.all.every((pool) => pool.running === pool.stuck);
    this.#drain();
    this.#loop.wake();
    await this.#quiet.until(hasRest, drainMs);
    for (const attempt of this.#leases.all) this.#runner.abort(attempt, 'stopping');
    await this.#quiet.until(hasRest, limits.abortMs);
    // Whose process is gone runs no more, and can be given back.
    await this.#runner.stop();
    await this.#quiet.until(() => this.#settler.pending === 0, limits.flushMs);
    // A call of the store that hangs must not keep the process.
    await this.#quiet.within(
      Promise.all([this.#loop.stop(), this.#settler.stop(), this.#services.stop()]),
      limits.flushMs,
    );
    this.#unsubscribe?.();
    this.#wheel.close();
    for (const attempt of this.#leases.all) attempt.abort('lost', taskFlowError('LEASE_LOST', { id: attempt.task.id }));
    this.#state = 'stopped';
    await this.#quiet.within(this.#guard.stop(), limits.flushMs);
    await this.#keeper.stop();
  }
}

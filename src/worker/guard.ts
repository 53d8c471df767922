/**
 * Guards the leases against an event loop that stands still: a thread with a connection of its own looks whether the loop
 * turns, and takes over from its keeper while it does not. See docs/adr/0008-guard.md.
 */

import { url as inspectorUrl } from 'node:inspector';
import { Worker } from 'node:worker_threads';
import { limits } from '../core/limits.ts';
import type { Presence } from '../core/presence.ts';
import type { ClaimedTask } from '../core/task.ts';
import type { Cancel, Clock } from '../core/time.ts';
import type { Report } from '../engine/service.ts';
import type { StoreAddress } from '../history/history.ts';
import type { Attempt } from './attempt.ts';
import { ClaimRing } from './claim-ring.ts';
import type { GuardData, GuardOrder, GuardReport } from './guard-thread.ts';
import { guardPeriodMs, type Standstill, writeHeld } from './guard-watch.ts';
import { SharedFacts } from './shared-facts.ts';
import type { RunningSlot } from './slot-stacks.ts';

/** What the guard is told of a claimed task. */
export type HeldTask = Pick<ClaimedTask, 'task' | 'lease' | 'runMs'>;

export interface Guard {
  /** Counts the turns of the loop from now on. The thread begins with the first claim. */
  start(): void;
  /** These were claimed: said before any of them begins. */
  hold(claimed: readonly HeldTask[]): void;
  /** A handler is about to begin. */
  begin(attempt: Attempt): void;
  /** It is over. */
  end(attempt: Attempt): void;
  /** Until when leases that were held before `before` may be trusted because of the guard; in ms of `clock.elapsed()`. */
  renewal(): { readonly before: number; readonly trustUntil: number } | null;
  /** The highest id of a `stack` command that was answered for the loop. */
  readonly answered: number;
  /** How late the loop turned at worst, in the last ten to twenty seconds; `null` where nobody measures. */
  readonly loopLagMs: number | null;
  /** Resolves when the thread touches the store no more. */
  stop(): Promise<void>;
}

export interface GuardOptions {
  /** Without one there is nothing that another thread could open: then nobody guards. */
  readonly address: StoreAddress | undefined;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly trustMs: number;
  readonly blockMaxMs: number;
  readonly names: readonly string[];
  readonly presence: () => Presence;
  readonly slots: () => readonly RunningSlot[];
  /** All that is held now. */
  readonly held: () => Iterable<HeldTask>;
  /** The loop turns again. */
  readonly onStandstill: (standstill: Standstill) => void;
  readonly report: Report;
}

const noGuard: Guard = {
  start: () => undefined,
  hold: () => undefined,
  begin: () => undefined,
  end: () => undefined,
  renewal: () => null,
  answered: 0,
  loopLagMs: null,
  stop: async () => undefined,
};

/** What the guard needs of its thread. */
export type GuardThread = Pick<Worker, 'on' | 'once' | 'postMessage' | 'terminate' | 'ref' | 'unref'>;

/** `startThread` is for tests. */
export function createGuard({ address, ...options }: GuardOptions, startThread = startGuardThread): Guard {
  return address === undefined ? noGuard : new ThreadGuard(address, options, startThread);
}

function startGuardThread(workerData: GuardData): GuardThread {
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  const url = new URL(`./guard-thread${extension}`, import.meta.url);
  return new Worker(url, { name: 'taskflow guard', workerData });
}

/** The lag is the worst of this stretch and the one before. */
const lagStretchMs = 10_000;
/** A thread that lived for so long has opened the store and made its rounds: what ends it then is no failure to begin. */
const provedMs = 60_000;

class ThreadGuard implements Guard {
  readonly #address: StoreAddress;
  readonly #options: Omit<GuardOptions, 'address'>;
  readonly #facts: SharedFacts;
  #ring = new ClaimRing();
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #periodMs: number;
  readonly #newThread: (data: GuardData) => GuardThread;
  #thread: GuardThread | null = null;
  #threadSince = 0;
  #threadFailures = 0;
  #threadDue = -Infinity;
  #cancelTurn: Cancel | null = null;
  #told = '';
  /** Claims told of so far. */
  #claims = 0;
  #lags = { from: 0, worst: 0, before: 0 };

  constructor(
    address: StoreAddress,
    options: Omit<GuardOptions, 'address'>,
    newThread: (data: GuardData) => GuardThread,
  ) {
    this.#address = address;
    this.#options = options;
    this.#newThread = newThread;
    this.#facts = new SharedFacts(options.names.length);
    this.#indexes = new Map(options.names.map((name, index) => [name, index]));
    this.#periodMs = guardPeriodMs(options.leaseMs);
  }

  start(): void {
    if (this.#cancelTurn === null) this.#turnLater();
  }

  hold(claimed: readonly HeldTask[]): void {
    if (claimed.length === 0 || this.#cancelTurn === null) return;
    // A new thread is told of everything that is held.
    if (this.#thread === null) this.#startThread();
    else {
      const claim = this.#textOf(claimed);
      if (!this.#ring.write(claim)) this.#tell({ kind: 'hold', claim });
    }
  }

  begin({ task }: Attempt): void {
    this.#facts.begin(this.#indexes.get(task.name) ?? 0, task.id, task.epoch);
  }

  end({ task }: Attempt): void {
    this.#facts.end(this.#indexes.get(task.name) ?? 0);
  }

  renewal(): { readonly before: number; readonly trustUntil: number } | null {
    const agoMs = this.#facts.renewedAgoMs;
    if (agoMs === Infinity) return null;
    const at = this.#options.clock.elapsed() - agoMs;
    return { before: at, trustUntil: at + this.#options.trustMs };
  }

  get answered(): number {
    return this.#facts.answered;
  }

  get loopLagMs(): number {
    return Math.round(Math.max(this.#lags.worst, this.#lags.before));
  }

  #turnLater(): void {
    const dueAt = this.#options.clock.elapsed() + this.#periodMs;
    this.#cancelTurn = this.#options.clock.schedule(this.#periodMs, () => this.#turn(dueAt));
  }

  #turn(dueAt: number): void {
    this.#facts.turn(inspectorUrl() !== undefined);
    this.#measure(dueAt);
    if (this.#thread !== null) {
      this.#prove();
      this.#tellSnapshot();
    } else if (!isEmpty(this.#options.held())) {
      this.#startThread();
    }
    this.#turnLater();
  }

  #measure(dueAt: number): void {
    const elapsed = this.#options.clock.elapsed();
    const { from, worst } = this.#lags;
    if (elapsed - from > lagStretchMs) this.#lags = { from: elapsed, worst: 0, before: worst };
    this.#lags.worst = Math.max(this.#lags.worst, elapsed - dueAt);
  }

  #tellSnapshot(): void {
    const tokens = [...Map.groupBy(this.#options.held(), ({ lease }) => lease.token).keys()];
    const [presence, slots] = [this.#options.presence(), this.#options.slots()];
    // While nothing happens nothing is said: how long a handler runs the guard can count by itself.
    const { loopLagMs: _lag, ...lasting } = presence;
    const told = JSON.stringify([
      lasting,
      tokens,
      slots.map(({ taskId, epoch, hasBegun, doing }) => [taskId, epoch, hasBegun, doing]),
    ]);
    if (told === this.#told) return;
    this.#told = told;
    this.#tell({ kind: 'snapshot', snapshot: { presence, tokens, upTo: this.#claims, slots } });
  }

  #tell(order: GuardOrder): void {
    this.#thread?.postMessage(order);
  }

  #startThread(): void {
    if (this.#options.clock.elapsed() < this.#threadDue) return;
    const { leaseMs, blockMaxMs, names, presence } = this.#options;
    this.#ring = new ClaimRing();
    const thread = this.#tryThread({
      address: this.#address,
      facts: this.#facts.buffer,
      claims: this.#ring.buffer,
      names,
      presence: presence(),
      leaseMs,
      blockMaxMs,
    });
    if (thread === null) return;
    this.#thread = thread;
    this.#threadSince = this.#options.clock.elapsed();
    this.#told = '';
    thread.on('message', ({ standstill }: GuardReport) => this.#options.onStandstill(standstill));
    thread.on('error', (error) => this.#lament(error));
    thread.on('exit', () => this.#replace(thread));
    // It waits for what the loop does; the loop waits for nothing of it.
    thread.unref();
    const byClaim = Map.groupBy(this.#options.held(), ({ lease }) => lease.token);
    for (const claimed of byClaim.values()) this.#tell({ kind: 'hold', claim: this.#textOf(claimed) });
  }

  /** The leases of one claim. */
  #textOf(claimed: readonly HeldTask[]): string {
    let runMs: number | null = 0;
    for (const one of claimed) runMs = runMs === null || one.runMs === null ? null : Math.max(runMs, one.runMs);
    this.#claims += 1;
    return writeHeld({
      order: this.#claims,
      token: claimed[0]?.lease.token ?? '',
      runMs,
      taskIds: claimed.map(({ task }) => task.id),
      epochs: claimed.map(({ task }) => task.epoch),
    });
  }

  /** A machine out of threads or memory must not cost the claim that is being taken over. */
  #tryThread(data: GuardData): GuardThread | null {
    try {
      return this.#newThread(data);
    } catch (error) {
      this.#lament(error);
      this.#pause();
      return null;
    }
  }

  #lament(error: unknown): void {
    this.#prove();
    this.#threadFailures += 1;
    this.#options.report({ kind: 'failed', service: 'guard', error, failures: this.#threadFailures });
  }

  #prove(): void {
    if (this.#threadFailures === 0 || this.#thread === null) return;
    if (this.#options.clock.elapsed() - this.#threadSince < provedMs) return;
    this.#options.report({ kind: 'recovered', service: 'guard', failures: this.#threadFailures });
    this.#threadFailures = 0;
  }

  /** The next claim, or the next turn while something is held, starts another one. */
  #replace(thread: GuardThread): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    this.#pause();
  }

  /** Later each time. */
  #pause(): void {
    const pauseMs = Math.min(limits.backoffMaxMs, this.#periodMs * 2 ** Math.min(this.#threadFailures, 10));
    this.#threadDue = this.#options.clock.elapsed() + pauseMs;
  }

  async stop(): Promise<void> {
    this.#cancelTurn?.();
    this.#cancelTurn = null;
    const thread = this.#thread;
    if (thread === null) return;
    this.#thread = null;
    thread.ref();
    const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
    thread.postMessage({ kind: 'stop' } satisfies GuardOrder);
    const cancel = this.#options.clock.schedule(limits.guardStopMs, () => void thread.terminate());
    await ended;
    cancel();
  }
}

function isEmpty(held: Iterable<HeldTask>): boolean {
  for (const _one of held) return false;
  return true;
}

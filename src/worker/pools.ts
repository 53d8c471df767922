/** Slots of a worker: who runs, who waits here for a slot, and how many more tasks to ask for. */

import type { QueueDemand } from '../broker/broker.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Attempt } from './attempt.ts';

/** Slots by queue, or a list of queues that share `concurrency` slots. */
export type QueueSlots = Readonly<Record<string, number>> | readonly string[];

/** How far a claim looks ahead. */
export interface Horizon {
  readonly elapsed: number;
  readonly aheadMs: number;
  /** The next claim is with the store while what this one brings runs: one half of what a pool may hold each. */
  readonly isParallel: boolean;
}

/** What a claim asks for. */
export interface Demand {
  readonly queues: QueueDemand[];
  readonly limit: number;
}

/** Slots that serve one or several queues. */
export class Pool {
  readonly queues: readonly string[];
  /** Changed by a command; handlers beyond it end by themselves. */
  slots: number;
  /** Handlers that have a slot, those that ignored their abort among them. */
  running = 0;
  stuck = 0;
  #waiting: Attempt[] = [];
  #head = 0;
  #started = 0;
  #measuredAt = 0;
  /** Starts per ms, smoothed. */
  #rate = 0;

  constructor(queues: readonly string[], slots: number) {
    this.queues = queues;
    this.slots = slots;
  }

  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** Whether a handler may start: stuck ones are replaced, up to a tenth of the slots. */
  get hasFreeSlot(): boolean {
    return this.running < this.slots + Math.min(this.stuck, Math.ceil(this.slots * limits.stuckShareMax));
  }

  push(attempt: Attempt): void {
    this.#waiting.push(attempt);
  }

  peek(): Attempt | undefined {
    return this.#waiting[this.#head];
  }

  /**
   * Whether its oldest has waited for a slot since before `arrivedAt`. Beside a free one it waits for its lease to be renewed, which no other
   * worker would do sooner.
   */
  lacksSlotSince(arrivedAt: number): boolean {
    return !this.hasFreeSlot && (this.peek()?.arrivedAt ?? Infinity) < arrivedAt;
  }

  /** Takes the oldest out. */
  shift(): void {
    this.#started += 1;
    this.#head += 1;
    // Shifting an array of a thousand costs each time; dropping the used half now and then does not.
    if (this.#head > 512 || this.#head === this.#waiting.length) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Takes out every waiting attempt for which `matches` holds. */
  remove(matches: (attempt: Attempt) => boolean): Attempt[] {
    const removed: Attempt[] = [];
    const kept: Attempt[] = [];
    for (let i = this.#head; i < this.#waiting.length; i++) {
      const attempt = this.#waiting[i];
      if (attempt !== undefined) (matches(attempt) ? removed : kept).push(attempt);
    }
    if (removed.length > 0) {
      this.#waiting = kept;
      this.#head = 0;
    }
    return removed;
  }

  /** How many tasks to ask for: the free slots and what will probably start within `aheadMs`. */
  demand({ elapsed, aheadMs, isParallel }: Horizon): number {
    this.#measure(elapsed);
    const capacity = this.slots + Math.min(this.stuck, Math.ceil(this.slots * limits.stuckShareMax));
    // Each of two claims at a time may be as large as one.
    const aheadMax = isParallel ? 2 * limits.batchMax : limits.batchMax;
    const ahead = Math.min(aheadMax, Math.floor(this.#rate * aheadMs));
    const free = capacity - this.running;
    const most = isParallel ? Math.max(free, Math.ceil((capacity + ahead) / 2)) : Infinity;
    return Math.max(0, Math.min(free - this.waiting + ahead, most));
  }

  #measure(elapsed: number): void {
    const passedMs = elapsed - this.#measuredAt;
    if (passedMs < 5) return;
    // Half old, half new: follows a change within a few calls and forgets an idle hour at once.
    this.#rate = this.#rate / 2 + this.#started / passedMs / 2;
    if (passedMs > 1_000) this.#rate = this.#started / passedMs;
    this.#started = 0;
    this.#measuredAt = elapsed;
  }
}

/** All pools of a worker. */
export interface Pools {
  readonly all: readonly Pool[];
  readonly concurrency: number;
  /** Slots by queue, as published. */
  readonly slotsByQueue: Readonly<Record<string, number>>;
  serves(queue: string): boolean;
  /** The pool that serves `queue`; a queue nobody asked for is served by the first. */
  of(queue: string): Pool;
  /** Gives the pools so many slots together, in the proportion they had at first; each keeps one at least. */
  scale(concurrency: number): void;
}

/**
 * Makes the pools. A record gives each queue its own slots; a list shares `concurrency` slots.
 * Throws INVALID_OPTION for no queue, too many, or a number of slots outside 1 … `limits.concurrencyMax`.
 */
export function createPools(queues: QueueSlots, concurrency: number): Pools {
  const all = isList(queues)
    ? [new Pool([...new Set(queues)], checkedSlots('concurrency', concurrency))]
    : separatePools(queues);
  const byQueue = new Map<string, Pool>();
  for (const pool of all) for (const queue of pool.queues) byQueue.set(queue, pool);
  if (byQueue.size === 0 || byQueue.size > limits.queuesPerWorkerMax) {
    throw taskFlowError('INVALID_OPTION', {
      what: 'queues',
      problem: `a worker serves 1 to ${limits.queuesPerWorkerMax} queues, not ${byQueue.size}`,
    });
  }
  const first = all[0] as Pool;
  const total = (): number => all.reduce((sum, pool) => sum + pool.slots, 0);
  checkedSlots('concurrency', total());
  const weights = all.map((pool) => pool.slots);
  return {
    all,
    get concurrency() {
      return total();
    },
    get slotsByQueue() {
      return Object.fromEntries([...byQueue].map(([queue, pool]) => [queue, pool.slots]));
    },
    serves: (queue) => byQueue.has(queue),
    of: (queue) => byQueue.get(queue) ?? first,
    scale(wanted) {
      for (const [index, slots] of shareSlots(weights, wanted).entries()) (all[index] as Pool).slots = slots;
    },
  };
}

/** `total` in whole parts as near to the weights as possible, none below one: then the sum is the number of parts. */
function shareSlots(weights: readonly number[], total: number): number[] {
  const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
  const beyondOne = weights.map((weight) => Math.max(0, (weight * total) / sumOf(weights) - 1));
  const left = total - weights.length;
  if (left <= 0) return weights.map(() => 1);
  const exact = beyondOne.map((wish) => (wish * left) / sumOf(beyondOne));
  const shares = exact.map((share) => 1 + Math.floor(share));
  const fraction = (index: number): number => (exact[index] ?? 0) % 1;
  const byFraction = weights.map((_, index) => index).sort((one, other) => fraction(other) - fraction(one));
  for (const index of byFraction.slice(0, total - sumOf(shares))) shares[index] = (shares[index] ?? 0) + 1;
  return shares;
}

/** Demands of all pools; queues of one pool each get the demand of the pool, the request's limit bounds them together. */
export function demandOf(pools: Pools, horizon: Horizon): Demand {
  const queues: QueueDemand[] = [];
  let limit = 0;
  for (const pool of pools.all) {
    const demand = Math.min(pool.demand(horizon), limits.batchMax);
    if (demand === 0) continue;
    limit += demand;
    for (const name of pool.queues) queues.push({ name, limit: demand });
  }
  return { queues, limit: Math.min(limit, limits.batchMax) };
}

function separatePools(queues: Readonly<Record<string, number>>): Pool[] {
  return Object.entries(queues).map(([name, slots]) => new Pool([name], checkedSlots(`queues.${name}`, slots)));
}

function checkedSlots(what: string, slots: number): number {
  if (Number.isInteger(slots) && slots >= 1 && slots <= limits.concurrencyMax) return slots;
  throw taskFlowError('INVALID_OPTION', {
    what,
    problem: `it must be a whole number from 1 to ${limits.concurrencyMax}, not ${slots}`,
  });
}

function isList(queues: QueueSlots): queues is readonly string[] {
  return Array.isArray(queues);
}

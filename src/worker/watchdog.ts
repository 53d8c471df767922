/**
 * Looks after the way to the store: a worker that is connected and consumes nothing is of no use, and nobody would notice. Calls
 * without an end are given up. Where tasks wait and none comes, the connections are made anew; if the next claim then
 * brings some, that was a stall, and people are told.
 */

import type { Broker } from '../broker/broker.ts';
import type { Chance } from '../core/chance.ts';
import { limits } from '../core/limits.ts';
import type { StallMark } from '../core/presence.ts';
import { overdueIn, shouldDoubt } from '../core/stall.ts';
import type { Clock } from '../core/time.ts';
import { createService, type Report } from '../engine/service.ts';
import type { Pool, Pools } from './pools.ts';
import { createSettler, type Settler, type SettlerOptions } from './settler.ts';

/** A time in which tasks waited and free slots were given none. */
export type Stall = Omit<StallMark, 'agoMs'>;

/** Its looks ask nothing of the store, but where something seems wrong: they need no spread. */
const level: Chance = { float: () => 0.5, bytes: (count) => new Uint8Array(count) };

interface WatchdogOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly pools: Pools;
  readonly isDraining: () => boolean;
  /** Gives up the calls of claims and settlements that were under way then already, by `clock.elapsed()`. Answers how many. */
  readonly giveUp: (startedBefore: number) => number;
  readonly onStall: (stall: Stall) => void;
  readonly report: Report;
}

interface Watchdog {
  start(): void;
  /** A claim was answered with so many tasks. */
  claimed(count: number): void;
  /** What to publish of the last stall; `null` when there was none lately. */
  readonly mark: StallMark | null;
  stop(): Promise<void>;
}

/** A settler whose calls and claims are looked after from `start` on. */
export interface WatchedSettler extends Settler, Pick<Watchdog, 'start' | 'stop' | 'mark'> {}

export function createWatchedSettler(
  options: SettlerOptions & Pick<WatchdogOptions, 'isDraining' | 'onStall' | 'report'>,
): WatchedSettler {
  const settler = createSettler({
    ...options,
    onClaimed: (claimed, firstSentAt, sentAt) => {
      watchdog.claimed(claimed.length);
      options.onClaimed(claimed, firstSentAt, sentAt);
    },
  });
  const watchdog = createWatchdog({ ...options, broker: options.store.broker, giveUp: settler.giveUp });
  return {
    ...settler,
    get pending() {
      return settler.pending;
    },
    start: watchdog.start,
    stop: watchdog.stop,
    get mark() {
      return watchdog.mark;
    },
  };
}

function createWatchdog(options: WatchdogOptions): Watchdog {
  const { broker, clock, pools } = options;
  /** The last look at the queues. */
  let lookedAt = clock.elapsed();
  /** Since when each pool had free slots and no task came: what waits for one without any is no reason to doubt. */
  const hungryAt = new Map(pools.all.map((pool) => [pool, lookedAt]));
  /** The last claim that was answered, if only with nothing: a store that is away is told of by the loop that asks it. */
  let answeredAt = lookedAt;
  let doubts = 0;
  /** What the next claim will prove. */
  let suspicion: Stall | null = null;

  let tickedAt = -Infinity;
  let last: { readonly stall: Stall; readonly at: number } | null = null;

  const isHungry = (pool: Pool): boolean => !options.isDraining() && pool.hasFreeSlot && pool.waiting === 0;

  function tell(stall: Stall): void {
    last = { stall, at: clock.elapsed() };
    options.onStall(stall);
  }

  function giveUpCalls(): void {
    const now = clock.elapsed();
    // Whoever stood still first hears what came meanwhile.
    const stoodStill = now - tickedAt > 2 * limits.stallLookMs;
    tickedAt = now;
    if (stoodStill || options.giveUp(now - limits.stallMs) === 0) return;
    broker.reconnect?.();
    tell({ forMs: limits.stallMs, waiting: null });
  }

  async function look(): Promise<void> {
    const now = clock.elapsed();
    for (const pool of pools.all) if (!isHungry(pool)) hungryAt.set(pool, now);
    const hungryFor = (pool: Pool): number => now - (hungryAt.get(pool) ?? now);
    const longest = Math.max(...pools.all.map(hungryFor));
    if (longest === 0) {
      lookedAt = now;
      return;
    }
    if (broker.reconnect === undefined || now - answeredAt > limits.stallLookMs) return;
    if (!shouldDoubt({ idleMs: now - lookedAt, doubts })) return;
    lookedAt = now;
    const waiting = await overdue((queue) => pools.serves(queue) && hungryFor(pools.of(queue)) >= limits.stallMs);
    if (waiting === 0) {
      doubts = 0;
      return;
    }
    doubts += 1;
    suspicion = { forMs: Math.round(longest), waiting };
    broker.reconnect();
  }

  async function overdue(isMissed: (queue: string) => boolean): Promise<number> {
    const queues = await broker.getQueues();
    if (queues.every(({ counts }) => (counts.queued ?? 0) === 0)) return 0;
    return overdueIn(queues, isMissed, (await broker.info()).now);
  }

  const repeat = (name: string, work: () => void | Promise<void>) =>
    createService({
      name,
      periodMs: limits.stallLookMs,
      clock,
      chance: level,
      report: options.report,
      async tick() {
        await work();
        return 'done';
      },
    });
  // The second by itself: its own questions may have no end either.
  const services = [repeat('call watchdog', giveUpCalls), repeat('claim watchdog', look)];

  return {
    start() {
      for (const service of services) service.start();
    },
    claimed(count) {
      answeredAt = clock.elapsed();
      const stall = suspicion;
      suspicion = null;
      if (count === 0) return;
      for (const pool of pools.all) hungryAt.set(pool, answeredAt);
      lookedAt = answeredAt;
      if (stall === null) return;
      // What a limit lets through one after the other comes without it, and would be doubted after each for ever.
      doubts = 0;
      tell(stall);
    },
    get mark() {
      const agoMs = last === null ? Infinity : Math.round(clock.elapsed() - last.at);
      return last === null || agoMs > limits.stallToldMs ? null : { ...last.stall, agoMs };
    },
    stop: async () => void (await Promise.all(services.map((service) => service.stop()))),
  };
}

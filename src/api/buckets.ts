/** Budgets of callers: each fills at a rate up to a bound. In this process alone, and bounded. */

import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';

/** How fast a budget fills, and how much it holds. */
export interface Pace {
  readonly perSecond: number;
  /** As much as may be taken at once. */
  readonly burst: number;
}

export interface BucketOptions extends Pace {
  readonly clock: Clock;
  /** Callers that are remembered. */
  readonly max?: number;
}

/** What a take left, or why there was none. */
export interface Taken {
  /** 0 when it was taken; else how long until it may be. */
  readonly waitMs: number;
  /** What may be taken now. */
  readonly left: number;
}

export interface Buckets {
  /** Of a caller without a pace of its own. */
  readonly pace: Pace;
  /** How many callers are remembered: those whose budget is not full. */
  readonly size: number;
  /** Takes it, or nothing. What costs more than the burst is taken from a full one. A caller has one pace all the time. */
  take(caller: string, cost: number, pace?: Pace): Taken;
  /** How long until so much may be taken; takes nothing. */
  waitMs(caller: string, cost: number): number;
}

/** One number for each: until when its budget would take to be full. */
interface Bucket {
  fullAt: number;
}

/** What is looked at for one to forget: a table that is full must not make each request slow. */
const lookMax = 8;

export function createBuckets({ clock, perSecond, burst, max = limits.requestCallersMax }: BucketOptions): Buckets {
  const buckets = new Map<string, Bucket>();
  const own: Pace = { perSecond, burst };
  let isForgetting = false;

  /** What is full again is as good as unknown. */
  function forgetLater(): void {
    if (isForgetting) return;
    isForgetting = true;
    clock.schedule(limits.requestForgetMs, () => {
      isForgetting = false;
      const now = clock.elapsed();
      for (const [caller, { fullAt }] of buckets) if (fullAt <= now) buckets.delete(caller);
      if (buckets.size > 0) forgetLater();
    });
  }

  function makeRoom(now: number): void {
    let looked = 0;
    for (const [caller, { fullAt }] of buckets) {
      if (fullAt <= now) buckets.delete(caller);
      if (++looked >= lookMax) break;
    }
    const [oldest] = buckets.keys();
    if (buckets.size >= max && oldest !== undefined) buckets.delete(oldest);
  }

  function remember(caller: string, now: number): Bucket {
    if (buckets.size >= max) makeRoom(now);
    const bucket = { fullAt: now };
    buckets.set(caller, bucket);
    forgetLater();
    return bucket;
  }

  const fullAtAfter = (fullAt: number, cost: number, pace: Pace, now: number): number =>
    Math.max(fullAt, now) + Math.min(cost, pace.burst) * costMsOf(pace);

  return {
    pace: own,
    get size() {
      return buckets.size;
    },
    take(caller, cost, pace = own) {
      const now = clock.elapsed();
      const bucket = buckets.get(caller) ?? remember(caller, now);
      const fullAt = fullAtAfter(bucket.fullAt, cost, pace, now);
      const waitMs = Math.max(0, fullAt - now - spanMsOf(pace));
      if (waitMs === 0) bucket.fullAt = fullAt;
      const leftMs = spanMsOf(pace) - Math.max(0, bucket.fullAt - now);
      return { waitMs, left: Math.max(0, leftMs / costMsOf(pace)) };
    },
    waitMs(caller, cost) {
      const now = clock.elapsed();
      const fullAt = buckets.get(caller)?.fullAt ?? now;
      return Math.max(0, fullAtAfter(fullAt, cost, own, now) - now - spanMsOf(own));
    },
  };
}

const costMsOf = ({ perSecond }: Pace): number => 1_000 / perSecond;

const spanMsOf = (pace: Pace): number => pace.burst * costMsOf(pace);

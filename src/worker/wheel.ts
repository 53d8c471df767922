/** Deadlines of many runs on one timer: a timer per task would cost more than a small task itself. */

import { type Cancel, type Clock, scheduleDeadline } from '../core/time.ts';

/** Something that has a deadline. The wheel keeps its own mark on it; nobody else touches `bucket`. */
export interface Timed {
  /** Where it stands in the wheel, -1 when it does not. */
  bucket: number;
  /** Called once, up to 16 ms after the deadline, or as soon as an event loop turns again that stood still. */
  expire(): void;
}

export interface Wheel {
  /** Sets the deadline of `entry`, in ms of `clock.elapsed()`; an earlier one is forgotten. */
  set(entry: Timed, deadlineAt: number): void;
  /** Forgets the deadline of `entry`, if it has one. */
  clear(entry: Timed): void;
  /** Forgets everything. */
  close(): void;
}

const bucketMs = 16;

/**
 * Makes a wheel. Setting and clearing cost a look-up each. The timer stands at the earliest bucket and is left there when
 * that empties: one useless wake-up is cheaper than moving a timer for every task.
 */
export function createWheel(clock: Clock): Wheel {
  const buckets = new Map<number, Set<Timed>>();
  let cancelTimer: Cancel | null = null;
  let timerBucket = Infinity;

  function set(entry: Timed, deadlineAt: number): void {
    clear(entry);
    const bucket = Math.ceil(deadlineAt / bucketMs);
    const entries = buckets.get(bucket);
    if (entries === undefined) buckets.set(bucket, new Set([entry]));
    else entries.add(entry);
    entry.bucket = bucket;
    if (bucket < timerBucket) arm(bucket);
  }

  function clear(entry: Timed): void {
    if (entry.bucket === -1) return;
    const entries = buckets.get(entry.bucket);
    entries?.delete(entry);
    if (entries?.size === 0) buckets.delete(entry.bucket);
    entry.bucket = -1;
  }

  function arm(bucket: number): void {
    cancelTimer?.();
    timerBucket = bucket;
    cancelTimer = scheduleDeadline(clock, Math.max(0, bucket * bucketMs - clock.elapsed()), turn);
  }

  function turn(): void {
    cancelTimer = null;
    timerBucket = Infinity;
    const nowBucket = Math.floor(clock.elapsed() / bucketMs);
    const due: Timed[] = [];
    for (const [bucket, entries] of buckets) if (bucket <= nowBucket) due.push(...entries);
    for (const entry of due) {
      if (entry.bucket === -1) continue; // One expiry may have cleared another.
      clear(entry);
      entry.expire();
    }
    let earliest = Infinity;
    for (const bucket of buckets.keys()) earliest = Math.min(earliest, bucket);
    if (earliest < timerBucket) arm(earliest);
  }

  function close(): void {
    cancelTimer?.();
    cancelTimer = null;
    timerBucket = Infinity;
    for (const entries of buckets.values()) for (const entry of entries) entry.bucket = -1;
    buckets.clear();
  }

  return { set, clear, close };
}

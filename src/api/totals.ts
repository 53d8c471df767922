/** Totals that only grow, made of the sums of minutes that the record keeps. */

import type { MetricsDocument } from '../operations/metrics.ts';

/** What ended in one queue. Times in milliseconds, summed over the finished. */
export interface QueueTotals {
  succeeded: number;
  failed: number;
  cancelled: number;
  retried: number;
  waitMs: number;
  runMs: number;
  /** Of those that ended while they ran: how many were at most as long as each bound, and last how many there are. */
  waited: readonly number[];
  ran: readonly number[];
}

export interface Totals {
  /** How many minutes the next document has to tell of, so that nothing is left out. */
  minutesWanted(): number;
  /** Takes what a document tells: of minutes it told before, the later word counts. */
  take(document: Pick<MetricsDocument, 'now' | 'lagMs' | 'ended'>): void;
  /** What ended since the minute before the first document. */
  readonly queues: ReadonlyMap<string, QueueTotals>;
  /** What ended in the last whole minute. */
  lastMinute(queue: string): QueueTotals;
}

type ByQueue = Map<string, QueueTotals>;

const minuteMs = 60_000;
/** A minute still grows for so long after its end: what ended on its edge is written a little later. */
const lateMs = 2 * minuteMs;
/** Of a scraper, or a record, that was away for longer the totals miss what is older. */
const minutesMax = 60;

/** `elapsed` is the monotonic time of this process. */
export function createTotals(elapsed: () => number): Totals {
  const closed: ByQueue = new Map();
  /** By the start of the minute. */
  let open = new Map<number, ByQueue>();
  let openFrom: number | null = null;
  let last = { now: 0, elapsed: 0 };
  let queues: ByQueue = new Map();

  return {
    get queues() {
      return queues;
    },
    minutesWanted() {
      if (openFrom === null) return 2;
      const now = last.now + elapsed() - last.elapsed;
      return Math.min(minutesMax, Math.max(2, Math.ceil((now - openFrom) / minuteMs) + 1));
    },
    take({ now, lagMs, ended }) {
      const at = Date.parse(now);
      last = { now: at, elapsed: elapsed() };
      openFrom ??= startOf(at) - minuteMs;
      if (ended === null) return;
      open = new Map(open);
      for (const [start, sums] of byMinute(ended)) if (start >= openFrom) open.set(start, sums);
      const closesAt = startOf(at - lateMs - lagMs);
      for (const [start, sums] of open) {
        if (start >= closesAt) continue;
        addAll(closed, sums);
        open.delete(start);
      }
      openFrom = Math.max(openFrom, closesAt);
      queues = new Map([...closed].map(([queue, sum]) => [queue, { ...sum }]));
      for (const sums of open.values()) addAll(queues, sums);
    },
    lastMinute: (queue) => open.get(startOf(last.now) - minuteMs)?.get(queue) ?? nothing(),
  };
}

function startOf(at: number): number {
  return Math.floor(at / minuteMs) * minuteMs;
}

function byMinute(ended: NonNullable<MetricsDocument['ended']>): ReadonlyMap<number, ByQueue> {
  const minutes = new Map<number, ByQueue>();
  for (const figures of ended) {
    const start = Date.parse(figures.at);
    const sums = minutes.get(start) ?? new Map();
    minutes.set(start, sums);
    addTo(sums, figures.queue, figures);
  }
  return minutes;
}

function addAll(sums: ByQueue, more: ByQueue): void {
  for (const [queue, sum] of more) addTo(sums, queue, sum);
}

/** Adds to the sums of a queue. */
export function addTo(sums: Map<string, QueueTotals>, queue: string, more: QueueTotals): void {
  const sum = sums.get(queue) ?? nothing();
  sums.set(queue, {
    succeeded: sum.succeeded + more.succeeded,
    failed: sum.failed + more.failed,
    cancelled: sum.cancelled + more.cancelled,
    retried: sum.retried + more.retried,
    waitMs: sum.waitMs + more.waitMs,
    runMs: sum.runMs + more.runMs,
    waited: addEach(sum.waited, more.waited),
    ran: addEach(sum.ran, more.ran),
  });
}

/** Nothing has no counts. */
function addEach(one: readonly number[], other: readonly number[]): readonly number[] {
  if (one.length === 0) return other;
  return other.length === 0 ? one : one.map((tasks, bucket) => tasks + (other[bucket] ?? 0));
}

function nothing(): QueueTotals {
  return { succeeded: 0, failed: 0, cancelled: 0, retried: 0, waitMs: 0, runMs: 0, waited: [], ran: [] };
}

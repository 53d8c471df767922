/** Operations that look back: what ended in each minute, and what waited. From kept numbers, never counted. */

import { internalQueue } from '../core/bulk.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { isoTime } from '../core/time.ts';
import type { Minute, Range } from '../history/history.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { StatsInput } from './schemas.ts';
import { readAt } from './time-text.ts';

/** What ended in one minute of one queue and task name. */
export interface TimelineRowDocument {
  readonly at: string;
  readonly queue: string;
  readonly name: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Runs that ended in another attempt. */
  readonly retried: number;
  /** Means over those that ended: from due to claim, and of the last run; `null` when only runs were retried. */
  readonly meanWaitMs: number | null;
  readonly meanRunMs: number | null;
}

/** Oldest first; minutes without an end have no row. `next` is the `after` of the next page, `null` on the last one. */
export interface TimelineStatsDocument {
  readonly from: string;
  readonly to: string;
  readonly rows: readonly TimelineRowDocument[];
  readonly next: string | null;
}

/** What waited and ran at one minute in one queue. */
export interface DepthRowDocument {
  readonly at: string;
  readonly queue: string;
  readonly waiting: number;
  readonly running: number;
  readonly slots: number;
  readonly workers: number;
}

export interface DepthStatsDocument {
  readonly from: string;
  readonly to: string;
  readonly rows: readonly DepthRowDocument[];
  readonly next: string | null;
}

export const statsTimeline: Operation<StatsInput, TimelineStatsDocument> = {
  name: 'stats.timeline',
  summary: 'Say what ended in each minute, by queue and task, and how long it waited and ran',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/stats/timeline' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).statsInput,
  output: async () => (await import('./stats-output.ts')).timelineStatsOutput,
  async run(context, input) {
    const range = await rangeOf(context, input);
    const asked = Math.min(limits.pageMax * 100, (input.limit ?? limits.statsRowsMax) + minuteRowsMax);
    const { read, cutAt } = await readMinutes(context, range, asked);
    const wanted = read.filter(({ name }) => input.name === undefined || name === input.name);
    const { rows, ...page } = pageOf(range, cutAt, wanted, input);
    return {
      ...page,
      rows: rows.map((row) => {
        const ended = row.succeeded + row.failed + row.cancelled;
        const mean = (sum: number) => (ended === 0 ? null : Math.round(sum / ended));
        const { at, queue, name, succeeded, failed, cancelled, retried } = row;
        return {
          at: isoTime(at),
          queue,
          name,
          succeeded,
          failed,
          cancelled,
          retried,
          meanWaitMs: mean(row.waitMs),
          meanRunMs: mean(row.runMs),
        };
      }),
    };
  },
};

export const statsDepth: Operation<Omit<StatsInput, 'name'>, DepthStatsDocument> = {
  name: 'stats.depth',
  summary: 'Say what waited and ran in each queue at each minute, and the slots there were',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/stats/depth' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).depthInput,
  output: async () => (await import('./stats-output.ts')).depthStatsOutput,
  async run(context, input) {
    const range = await rangeOf(context, input);
    const read = await context.store.history.samples(range);
    const cutAt = read.length >= limits.pageMax * 100 ? (read.at(-1)?.at ?? null) : null;
    const { rows, ...page } = pageOf(range, cutAt, read, input);
    return { ...page, rows: rows.map((row) => ({ ...row, at: isoTime(row.at) })) };
  },
};

const minuteMs = 60_000;

/** Whole minutes, the running one last. Throws INVALID_OPTION for a cursor outside of what is kept. */
async function rangeOf({ store }: OperationContext, { minutes = 60, after }: StatsInput): Promise<Range> {
  const { now } = await store.broker.info();
  const to = Math.floor(now / minuteMs) * minuteMs + minuteMs;
  const from = after === undefined ? to - minutes * minuteMs : readAt(after, 'after');
  if (from >= to - limits.minutesKeepMs - minuteMs && from % minuteMs === 0) return { from: Math.min(from, to), to };
  throw taskFlowError('INVALID_OPTION', { what: 'after', problem: 'it is not the `next` of a page' });
}

/** Rows of one minute that is told whole: names in queues, of which there are a few hundred. */
const minuteRowsMax = 5_000;

/** The first minute is whole, however much more than `limit` it has: behind it its rest would be on no page. */
async function readMinutes(
  { store: { history } }: OperationContext,
  range: Range,
  limit: number,
): Promise<{ readonly read: readonly Minute[]; readonly cutAt: number | null }> {
  const read = await history.minutes({ ...range, limit });
  const cutAt = read.length >= limit ? (read.at(-1)?.at ?? null) : null;
  if (cutAt === null || cutAt > range.from) return { read, cutAt };
  const to = range.from + minuteMs;
  return { read: await history.minutes({ from: range.from, to }), cutAt: to };
}

/**
 * Whole minutes, as many as fit; a minute that alone is more than that is told whole. `cutAt`: the minute in whose middle the history
 * stopped, since there is too much; it belongs to the next page.
 */
function pageOf<Row extends { readonly at: number; readonly queue: string }>(
  { from, to }: Range,
  cutAt: number | null,
  read: readonly Row[],
  { queue, limit = limits.statsRowsMax }: Pick<StatsInput, 'queue' | 'limit'>,
): { readonly from: string; readonly to: string; readonly rows: readonly Row[]; readonly next: string | null } {
  const wanted = read.filter((row) => row.queue !== internalQueue && (queue === undefined || row.queue === queue));
  const first = wanted[0]?.at ?? from;
  const overAt = wanted[limit]?.at ?? null;
  const stop = [cutAt, overAt === null ? null : Math.max(overAt, first + minuteMs)].filter((at) => at !== null);
  const end = stop.length === 0 ? null : Math.max(from + minuteMs, Math.min(...stop));
  const rows = end === null ? wanted : wanted.filter(({ at }) => at < end);
  return { from: isoTime(from), to: isoTime(to), rows, next: end === null ? null : isoTime(end) };
}

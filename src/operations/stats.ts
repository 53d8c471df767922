/** Operations that look back: what ended in each minute, and what waited. From kept numbers, never counted. */

import { internalQueue } from '../core/bulk.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { isoTime } from '../core/time.ts';
import type { Range } from '../history/history.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { DepthInput, StatsInput } from './schemas.ts';
import { readAt } from './time-text.ts';

/** What ended in one minute, or one hour, of one queue and task name. */
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

/** Oldest first; times without an end have no row. `next` is the `after` of the next page, `null` on the last one. */
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
  summary: 'Say what ended in each minute or hour, by queue and task, and how long it waited and ran',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/stats/timeline' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).statsInput,
  output: async () => (await import('./stats-output.ts')).timelineStatsOutput,
  async run(context, input) {
    const { step = 'minute' } = input;
    const range = await rangeOf(context, input, step === 'hour' ? hours : minutes);
    const { history } = context.store;
    const { read, cutAt } = await readSteps((asked) => history.minutes({ ...asked, step }), range, input);
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

export const statsDepth: Operation<DepthInput, DepthStatsDocument> = {
  name: 'stats.depth',
  summary: 'Say what waited and ran in each queue at each minute, and the slots there were',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/stats/depth' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).depthInput,
  output: async () => (await import('./stats-output.ts')).depthStatsOutput,
  async run(context, input) {
    const range = await rangeOf(context, input, minutes);
    const { read, cutAt } = await readSteps(context.store.history.samples, range, input);
    const { rows, ...page } = pageOf(range, cutAt, read, input);
    return { ...page, rows: rows.map((row) => ({ ...row, at: isoTime(row.at) })) };
  },
};

/** What a row is of: how many minutes are told when nothing is said, and how long such rows are kept. */
interface Step {
  readonly ms: number;
  readonly told: number;
  readonly keepMs: number;
}

const minuteMs = 60_000;
const minutes: Step = { ms: minuteMs, told: 60, keepMs: limits.minutesKeepMs };
const hours: Step = { ms: 60 * minuteMs, told: 1_440, keepMs: limits.hoursKeepMs };

interface StepRange extends Range {
  readonly step: Step;
}

/** Whole minutes or hours, the running one last. Throws INVALID_OPTION for a cursor outside of what is kept. */
async function rangeOf(
  { store }: OperationContext,
  { minutes: asked, after }: DepthInput,
  step: Step,
): Promise<StepRange> {
  const { now } = await store.broker.info();
  const to = Math.floor(now / step.ms) * step.ms + step.ms;
  const from =
    after === undefined
      ? to - Math.ceil(((asked ?? step.told) * minuteMs) / step.ms) * step.ms
      : readAt(after, 'after');
  if (from >= to - step.keepMs - step.ms && from % step.ms === 0) return { from: Math.min(from, to), to, step };
  throw taskFlowError('INVALID_OPTION', { what: 'after', problem: 'it is not the `next` of a page' });
}

/** Rows of one step that is told whole: names in queues, of which there are a few hundred. */
const stepRowsMax = 5_000;

/** The first step is whole, however much more than the limit it has: behind it its rest would be on no page. */
async function readSteps<Row extends { readonly at: number }>(
  readRows: (asked: Range & { readonly limit?: number }) => Promise<readonly Row[]>,
  { from, to, step }: StepRange,
  input: Pick<DepthInput, 'limit'>,
): Promise<{ readonly read: readonly Row[]; readonly cutAt: number | null }> {
  const limit = (input.limit ?? limits.statsRows) + stepRowsMax;
  const read = await readRows({ from, to, limit });
  const cutAt = read.length >= limit ? (read.at(-1)?.at ?? null) : null;
  if (cutAt === null || cutAt > from) return { read, cutAt };
  const next = from + step.ms;
  return { read: await readRows({ from, to: next }), cutAt: next };
}

/**
 * Whole steps, as many as fit; one that alone is more than that is told whole. `cutAt`: the step in whose middle the history
 * stopped, since there is too much; it belongs to the next page.
 */
function pageOf<Row extends { readonly at: number; readonly queue: string }>(
  { from, to, step }: StepRange,
  cutAt: number | null,
  read: readonly Row[],
  { queue, limit = limits.statsRows }: Pick<StatsInput, 'queue' | 'limit'>,
): { readonly from: string; readonly to: string; readonly rows: readonly Row[]; readonly next: string | null } {
  const wanted = read.filter((row) => row.queue !== internalQueue && (queue === undefined || row.queue === queue));
  const first = wanted[0]?.at ?? from;
  const overAt = wanted[limit]?.at ?? null;
  const stop = [cutAt, overAt === null ? null : Math.max(overAt, first + step.ms)].filter((at) => at !== null);
  const end = stop.length === 0 ? null : Math.max(from + step.ms, Math.min(...stop));
  const rows = end === null ? wanted : wanted.filter(({ at }) => at < end);
  return { from: isoTime(from), to: isoTime(to), rows, next: end === null ? null : isoTime(end) };
}

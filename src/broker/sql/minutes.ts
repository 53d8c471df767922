/** What ended in each minute or hour of a range: folded rows plus the differences appended since. */

import type { MinuteDelta } from './changes.ts';
import { type SqlTransaction, statement } from './driver.ts';

/** What ended, and how long it waited and ran in all. */
export type EndedSums = readonly [
  succeeded: number,
  failed: number,
  cancelled: number,
  retried: number,
  waitMs: number,
  runMs: number,
];

/** Start of the minute, and the numbers of one queue and task name in it. */
export type MinuteRow = readonly [at: number, queue: string, name: string, ...EndedSums];

/** Milliseconds of what sums are kept of, see rollups.ts. */
export const spans = { minute: 60_000, tens: 600_000, hour: 3_600_000 } as const;

/** Of the row that is a mark: from its time on the sums are whole, before it there are none yet. Without one all of them are whole. */
export const markSpan = 0;

/** One row, 0 where there is no mark. */
export const rolledFrom = `SELECT coalesce(max(at), 0) AS mark FROM rollups WHERE span = ${markSpan}`;

type KeptRow = [...MinuteRow, changes: string | null];

/** Behind the folded rows: the differences that are not folded yet, which are few. */
const changed = 'SELECT at, NULL, NULL, 0, 0, 0, 0, 0, 0, minutes FROM deltas WHERE minutes IS NOT NULL';

/** Inputs: from, to, limit. */
const keptMinutes = statement<KeptRow>(
  'kept_minutes',
  () => `SELECT at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms, CAST(NULL AS text) FROM
      (SELECT at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms FROM minutes
        WHERE at >= $1 AND at < $2 ORDER BY at, queue, name LIMIT $3) AS kept
    UNION ALL ${changed}`,
);

/** Inputs: from, to, limit. What is not rolled up yet is added up here, and is before all the rest. */
const keptHours = statement<KeptRow>(
  'kept_hours',
  () => `WITH bound AS (${rolledFrom}), begun AS (SELECT CASE WHEN mark < $2 THEN mark ELSE $2 END AS hour FROM bound)
    SELECT at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms, CAST(NULL AS text) FROM
      (SELECT at / ${spans.hour} * ${spans.hour} AS at, queue, name, sum(succeeded) AS succeeded, sum(failed) AS failed,
          sum(cancelled) AS cancelled, sum(retried) AS retried, sum(wait_ms) AS wait_ms, sum(run_ms) AS run_ms FROM minutes
        WHERE at >= $1 AND at < (SELECT hour FROM begun) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT $3) AS summed
    UNION ALL SELECT at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms, NULL FROM
      (SELECT at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms FROM rollups
        WHERE span = ${spans.hour} AND at >= $1 AND at < $2 ORDER BY at, queue, name LIMIT $3) AS kept
    UNION ALL ${changed}`,
);

export interface MinutesRange {
  readonly from: number;
  readonly to: number;
  /** Rows of an hour begin and end with one: `from` and `to` do too. */
  readonly step: 'minute' | 'hour';
  readonly limit: number;
}

/** The buckets that begin within a range, oldest first. */
export async function readMinutes(
  tx: Pick<SqlTransaction, 'query'>,
  { from, to, step, limit }: MinutesRange,
): Promise<readonly MinuteRow[]> {
  const kept: MinuteRow[] = [];
  const changed = new Map<string, MinuteRow>();
  const [one, span] = step === 'minute' ? [keptMinutes, spans.minute] : [keptHours, spans.hour];
  for (const row of await tx.query(one, from, to, limit)) {
    const [at, queue, name, succeeded, failed, cancelled, retried, waitMs, runMs, changes] = row;
    if (changes === null) kept.push([at, queue, name, succeeded, failed, cancelled, retried, waitMs, runMs]);
    else addChanges(changed, at - (at % span), { from, to, changes });
  }
  // Each is there once, in order: only what the differences touch is looked for.
  if (changed.size === 0) return kept.slice(0, limit);
  for (const row of kept) if (changed.has(minuteKey(row))) addMinute(changed, row);
  return [...kept.filter((row) => !changed.has(minuteKey(row))), ...changed.values()]
    .sort(inMinuteOrder)
    .slice(0, limit);
}

/** The changes of a difference in a time that is asked for. */
function addChanges(
  minutes: Map<string, MinuteRow>,
  at: number,
  { from, to, changes }: { readonly from: number; readonly to: number; readonly changes: string },
): void {
  if (at >= from && at < to) for (const delta of deltasOf(changes)) addMinute(minutes, [at, ...delta]);
}

/** What a difference adds to its minute. */
export function deltasOf(changes: string): readonly MinuteDelta[] {
  return JSON.parse(changes) as readonly MinuteDelta[];
}

function inMinuteOrder(left: MinuteRow, right: MinuteRow): number {
  return left[0] - right[0] || compare(left[1], right[1]) || compare(left[2], right[2]);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

export function addMinute(minutes: Map<string, MinuteRow>, row: MinuteRow): void {
  const [at, queue, name, succeeded, failed, cancelled, retried, waitMs, runMs] = row;
  const key = minuteKey(row);
  const known = minutes.get(key) ?? [at, queue, name, 0, 0, 0, 0, 0, 0];
  minutes.set(key, [
    at,
    queue,
    name,
    known[3] + succeeded,
    known[4] + failed,
    known[5] + cancelled,
    known[6] + retried,
    known[7] + waitMs,
    known[8] + runMs,
  ]);
}

function minuteKey([at, queue, name]: MinuteRow): string {
  return JSON.stringify([at, queue, name]);
}

export function minuteOf(at: number): number {
  return at - (at % spans.minute);
}

/** What ended in the minutes of a range and how long it waited and ran, by queue: folded rows plus the differences appended since. */

import { addLatencies } from '../../core/latency.ts';
import type { SpreadDelta } from './changes.ts';
import { type SqlTransaction, statement } from './driver.ts';
import { type EndedSums, minuteOf, spans } from './minutes.ts';

/** What ended in one minute of a queue; `waits` and `runs` are lists of buckets, see core/latency.ts. */
export interface EndedRow {
  readonly at: number;
  readonly queue: string;
  succeeded: number;
  failed: number;
  cancelled: number;
  retried: number;
  waitMs: number;
  runMs: number;
  readonly waits: number[];
  readonly runs: number[];
}

type Found = [kind: 'sums' | 'spread' | 'changed', at: number, queue: string, ...EndedSums, told: string | null];

/** Inputs: from, to, limit. Newest first, at most so many of sums and of spreads, and behind them the differences that are not folded yet, which are few. */
const keptEnded = statement<Found>(
  'kept_ended',
  () => `SELECT 'sums', at, queue, succeeded, failed, cancelled, retried, wait_ms, run_ms, CAST(NULL AS text) FROM
      (SELECT at, queue, sum(succeeded) AS succeeded, sum(failed) AS failed, sum(cancelled) AS cancelled, sum(retried) AS retried,
          sum(wait_ms) AS wait_ms, sum(run_ms) AS run_ms FROM minutes
        WHERE at >= $1 AND at < $2 GROUP BY at, queue ORDER BY at DESC, queue DESC LIMIT $3) AS summed
    UNION ALL SELECT 'spread', at, queue, 0, 0, 0, 0, 0, 0, told FROM
      (SELECT at, queue, string_agg(kind || ' ' || bucket || ' ' || tasks, ' ') AS told FROM latencies
        WHERE at >= $1 AND at < $2 GROUP BY at, queue ORDER BY at DESC, queue DESC LIMIT $3) AS found
    UNION ALL SELECT 'changed', at, '', 0, 0, 0, 0, 0, 0, minutes FROM deltas WHERE minutes IS NOT NULL`,
);

/**
 * In any order, each queue of a minute once. Where there is more than `limit` of a kind the oldest minutes are left out: all from `from` on
 * are told whole, and none before it.
 */
export async function readEnded(
  tx: Pick<SqlTransaction, 'query'>,
  range: { readonly from: number; readonly to: number; readonly limit: number },
): Promise<{ readonly from: number; readonly rows: readonly EndedRow[] }> {
  const found = await tx.query(keptEnded, range.from, range.to, range.limit);
  const from = Math.max(wholeFrom(found, 'sums', range), wholeFrom(found, 'spread', range));
  const rows = new Map<string, EndedRow>();
  for (const [kind, at, queue, succeeded, failed, cancelled, retried, waitMs, runMs, told] of found) {
    if (minuteOf(at) < from || at >= range.to) continue;
    if (kind === 'sums') addSums(rowOf(rows, at, queue), [succeeded, failed, cancelled, retried, waitMs, runMs]);
    else if (kind === 'spread') addSpread(rowOf(rows, at, queue), told ?? '');
    else addChanges(rows, minuteOf(at), told ?? '[]');
  }
  return { from, rows: [...rows.values()] };
}

/** Of as many rows as were asked for the last may be followed by others of its minute. */
function wholeFrom(
  found: readonly Found[],
  kind: Found[0],
  { from, limit }: { readonly from: number; readonly limit: number },
): number {
  const ofKind = found.filter((row) => row[0] === kind);
  if (ofKind.length < limit) return from;
  return Math.min(...ofKind.map(([, at]) => at)) + spans.minute;
}

function rowOf(rows: Map<string, EndedRow>, at: number, queue: string): EndedRow {
  const key = `${at} ${queue}`;
  const known = rows.get(key);
  if (known !== undefined) return known;
  const nothing = { succeeded: 0, failed: 0, cancelled: 0, retried: 0, waitMs: 0, runMs: 0 };
  const row: EndedRow = { at, queue, ...nothing, waits: [], runs: [] };
  rows.set(key, row);
  return row;
}

function addSums(row: EndedRow, [succeeded, failed, cancelled, retried, waitMs, runMs]: EndedSums): void {
  row.succeeded += succeeded;
  row.failed += failed;
  row.cancelled += cancelled;
  row.retried += retried;
  row.waitMs += waitMs;
  row.runMs += runMs;
}

/** `wait 3 17 run 5 2`: of each kind a bucket and how many are in it, one behind the other. */
function addSpread({ waits, runs }: EndedRow, told: string): void {
  const words = told.split(' ');
  for (let at = 0; at + 2 < words.length; at += 3)
    addLatencies(words[at] === 'wait' ? waits : runs, [Number(words[at + 1]), Number(words[at + 2])]);
}

/** A difference that is not folded yet. */
function addChanges(rows: Map<string, EndedRow>, at: number, changes: string): void {
  for (const [queue, , succeeded, failed, cancelled, retried, waitMs, runMs, spread] of JSON.parse(
    changes,
  ) as readonly SpreadDelta[]) {
    const row = rowOf(rows, at, queue);
    addSums(row, [succeeded, failed, cancelled, retried, waitMs, runMs]);
    if (spread === undefined) continue;
    addLatencies(row.waits, spread[0]);
    addLatencies(row.runs, spread[1]);
  }
}

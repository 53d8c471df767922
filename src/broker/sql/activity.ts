/** What ended in a range, added up by the database: its steps over everything, its parts by queue, and the whole by queue and name. */

import { type SqlTransaction, statement } from './driver.ts';
import { deltasOf, minuteOf, rolledFrom, spans } from './minutes.ts';

/** Start of a step, or number of a part, and what ended in it. A step has neither queue nor name, a part no name; `recent` and `name` no time. */
export type ActivityRow = readonly [
  kind: 'step' | 'part' | 'recent' | 'name',
  at: number,
  queue: string,
  name: string,
  succeeded: number,
  failed: number,
  cancelled: number,
  retried: number,
  runMs: number,
];

/** All times are whole minutes. */
export interface ActivityRange {
  readonly from: number;
  readonly to: number;
  /** Milliseconds: of a minute or of several. */
  readonly stepMs: number;
  readonly partMs: number;
  readonly recent: { readonly from: number; readonly to: number };
  /** From when on names are told, to the end. */
  readonly namesFrom: number;
}

type Found = [kind: ActivityRow[0] | 'changed', ...numbers: Rest<ActivityRow>, changes: string | null];
type Rest<Row> = Row extends readonly [unknown, ...infer Others] ? Others : never;

const sums = 'sum(succeeded), sum(failed), sum(cancelled), sum(retried)';
/** Minutes over everything are half as many as ten minutes by queue. */
const ofStep = "'step', at - at % $6, '', ''";
/** By the ten minutes it is in, where these are added up. What is before the first of them is in the first part. */
const inPart = 'CAST((at - at % $11 - $1) / $3 AS bigint)';

/** Where the sums of a span begin, given where they might: before the mark there are none, and behind their end they are of no use. */
const begin = (from: string, to: string): string =>
  `CASE WHEN mark < ${from} THEN ${from} WHEN mark > ${to} THEN ${to} ELSE mark END`;

/** Minutes outside of what their sums tell of: before these begin, and behind their end. */
const edges = (what: string, from: string, [begins, ends]: readonly [string, string], grouped: string): string =>
  `UNION ALL SELECT ${what} FROM minutes WHERE at >= ${from} AND at < (SELECT ${begins} FROM begun) GROUP BY ${grouped}
   UNION ALL SELECT ${what} FROM minutes WHERE at >= ${ends} AND at < $2 GROUP BY ${grouped}`;

/**
 * Inputs: from, to, length of a part, from and to of the recent stretch; length of a step, from and to of the sums of parts and of names;
 * the span of what parts are made of; from when on names are told. As many rows as there are steps, parts of each queue, and names.
 */
const keptActivity = statement<Found>(
  'kept_activity',
  () => `WITH bound AS (${rolledFrom}),
      begun AS (SELECT ${begin('$1', '$2')} AS step, ${begin('$7', '$8')} AS part, ${begin('$9', '$10')} AS name FROM bound)
    SELECT ${ofStep}, ${sums}, 0, CAST(NULL AS text) FROM rollups
      WHERE span = ${spans.minute} AND at >= (SELECT step FROM begun) AND at < $2 GROUP BY 2
    UNION ALL SELECT ${ofStep}, ${sums}, 0, NULL FROM minutes WHERE at >= $1 AND at < (SELECT step FROM begun) GROUP BY 2
    UNION ALL SELECT 'part', ${inPart}, queue, '', ${sums}, 0, NULL FROM rollups
      WHERE span = ${spans.tens} AND at >= $7 AND at < $8 GROUP BY 2, 3
    ${edges(`'part', ${inPart}, queue, '', ${sums}, 0, NULL`, '$1', ['part', '$8'], '2, 3')}
    UNION ALL SELECT 'recent', 0, queue, '', ${sums}, 0, NULL FROM minutes WHERE at >= $4 AND at < $5 GROUP BY queue
    UNION ALL SELECT 'name', 0, queue, name, ${sums}, sum(run_ms), NULL FROM rollups
      WHERE span = ${spans.hour} AND at >= $9 AND at < $10 GROUP BY queue, name
    ${edges(`'name', 0, queue, name, ${sums}, sum(run_ms), NULL`, '$12', ['name', '$10'], 'queue, name')}
    UNION ALL SELECT 'changed', at, '', '', 0, 0, 0, 0, 0, minutes FROM deltas WHERE minutes IS NOT NULL`,
);

/**
 * In any order, and one may be there more than once. Ten minutes that are added up are in the part that they begin in: where these have an
 * hour and more, their bounds are up to ten minutes off. Steps begin by the clock, the first one with the range.
 */
export async function readActivity(
  tx: Pick<SqlTransaction, 'query'>,
  range: ActivityRange,
): Promise<readonly ActivityRow[]> {
  const { from, to, stepMs, partMs } = range;
  const recent = { from: Math.max(from, range.recent.from), to: Math.min(to, range.recent.to) };
  const namesFrom = Math.max(from, range.namesFrom);
  const madeOfMs = partMs < spans.hour ? spans.minute : spans.tens;
  const parts = madeOfMs === spans.tens ? within(range, madeOfMs) : none(range);
  const bounds = [...parts, ...within({ from: namesFrom, to }, spans.hour)];
  const asked = [from, to, partMs, recent.from, recent.to, stepMs, ...bounds, madeOfMs, namesFrom];
  const rows: ActivityRow[] = [];
  for (const [kind, at, queue, name, succeeded, failed, cancelled, retried, runMs, changes] of await tx.query(
    keptActivity,
    ...asked,
  )) {
    if (changes !== null) rows.push(...changedActivity(minuteOf(at), changes, { ...range, recent, madeOfMs }));
    else if (kind !== 'changed') {
      const when = kind === 'step' ? Math.max(from, at) : at;
      rows.push([kind, when, queue, name, succeeded, failed, cancelled, retried, runMs]);
    }
  }
  return rows;
}

/** Of the span that a time is in, as far as that is within the range. */
function beginOf(at: number, { from }: Pick<ActivityRange, 'from'>, span: number): number {
  return Math.max(from, at - (at % span));
}

type Bounds = readonly [from: number, to: number];

/** The whole spans of a range. */
function within({ from, to }: Pick<ActivityRange, 'from' | 'to'>, span: number): Bounds {
  const [first, last] = [Math.ceil(from / span) * span, Math.floor(to / span) * span];
  return first < last ? [first, last] : none({ to });
}

/** All are told by the minutes before it. */
function none({ to }: Pick<ActivityRange, 'to'>): Bounds {
  return [to, to];
}

/** A difference that is not folded yet. */
function changedActivity(
  at: number,
  changes: string,
  range: ActivityRange & { readonly madeOfMs: number },
): readonly ActivityRow[] {
  const { from, to, stepMs, partMs, recent, madeOfMs, namesFrom } = range;
  if (at < from || at >= to) return [];
  const step = beginOf(at, range, stepMs);
  const part = Math.floor((beginOf(at, range, madeOfMs) - from) / partMs);
  const isRecent = at >= recent.from && at < recent.to;
  return deltasOf(changes).flatMap(([queue, name, succeeded, failed, cancelled, retried, , runMs]) => {
    const numbers = [succeeded, failed, cancelled, retried] as const;
    return [
      ['step', step, '', '', ...numbers, 0],
      ['part', part, queue, '', ...numbers, 0],
      ...(isRecent ? [['recent', 0, queue, '', ...numbers, 0] as const] : []),
      ...(at >= namesFrom ? [['name', 0, queue, name, ...numbers, runMs] as const] : []),
    ] as const;
  });
}

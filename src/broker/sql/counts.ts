/** The kept counts and minutes: folded rows plus the differences appended since, and the folding. */

import type { TaskView } from '../../core/states.ts';
import type { CountDelta, MinuteDelta } from './changes.ts';
import { eachStatement, type SqlTransaction, statement } from './driver.ts';

/** Differences one fold takes in: bounds the time it holds the counts. */
const foldMax = 500;

export interface CountRecord {
  readonly queue: string;
  readonly name: string;
  readonly view: TaskView;
  readonly count: number;
}

/** Start of the minute, and the numbers of one queue and task name in it. */
export type MinuteRow = readonly [
  at: number,
  queue: string,
  name: string,
  succeeded: number,
  failed: number,
  cancelled: number,
  retried: number,
  waitMs: number,
  runMs: number,
];

const minuteMs = 60_000;

/** Folded rows, and behind them the differences that are not folded yet. */
const keptCounts = statement<[queue: string, name: string, view: TaskView, tasks: number, changes: string | null]>(
  'kept_counts',
  () =>
    `SELECT queue, name, view, tasks, CAST(NULL AS text) FROM counts UNION ALL SELECT '', '', '', 0, counts FROM deltas`,
);

/** How many tasks there are, by queue, name and view, without zeros. */
export async function readCounts(tx: Pick<SqlTransaction, 'query'>): Promise<readonly CountRecord[]> {
  const counts = new Map<string, CountDelta>();
  for (const [queue, name, view, tasks, changes] of await tx.query(keptCounts)) {
    if (changes === null) addCount(counts, [queue, name, view, tasks]);
    else for (const delta of JSON.parse(changes) as readonly CountDelta[]) addCount(counts, delta);
  }
  return [...counts.values()]
    .filter(([, , , count]) => count !== 0)
    .map(([queue, name, view, count]) => ({ queue, name, view, count }));
}

/** Inputs: from, to, limit. Folded rows, and behind them the differences that are not folded yet, which are few. */
const keptMinutes = statement<[...MinuteRow, changes: string | null]>(
  'kept_minutes',
  () => `SELECT at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms, CAST(NULL AS text) FROM
      (SELECT at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms FROM minutes
        WHERE at >= $1 AND at < $2 ORDER BY at, queue, name LIMIT $3) AS kept
    UNION ALL SELECT at, '', '', 0, 0, 0, 0, 0, 0, minutes FROM deltas WHERE minutes IS NOT NULL`,
);

/** The minute buckets that begin within a range, oldest first. */
export async function readMinutes(
  tx: Pick<SqlTransaction, 'query'>,
  from: number,
  to: number,
  limit: number,
): Promise<readonly MinuteRow[]> {
  const kept: MinuteRow[] = [];
  const changed = new Map<string, MinuteRow>();
  for (const [at, queue, name, succeeded, failed, cancelled, retried, waitMs, runMs, changes] of await tx.query(
    keptMinutes,
    from,
    to,
    limit,
  )) {
    if (changes === null) kept.push([at, queue, name, succeeded, failed, cancelled, retried, waitMs, runMs]);
    else addChanges(changed, minuteOf(at), { from, to, changes });
  }
  // Each is there once, in order: only what the differences touch is looked for.
  if (changed.size === 0) return kept;
  for (const row of kept) if (changed.has(minuteKey(row))) addMinute(changed, row);
  return [...kept.filter((row) => !changed.has(minuteKey(row))), ...changed.values()]
    .sort(inMinuteOrder)
    .slice(0, limit);
}

function inMinuteOrder(left: MinuteRow, right: MinuteRow): number {
  return left[0] - right[0] || compare(left[1], right[1]) || compare(left[2], right[2]);
}

/** The changes of a difference in a minute that is asked for. */
function addChanges(
  minutes: Map<string, MinuteRow>,
  at: number,
  { from, to, changes }: { readonly from: number; readonly to: number; readonly changes: string },
): void {
  if (at < from || at >= to) return;
  for (const delta of JSON.parse(changes) as readonly MinuteDelta[]) addMinute(minutes, [at, ...delta]);
}

/** Start of a minute or of a part, and what ended in it; a minute has neither queue nor name. */
export type ActivityRow = readonly [
  kind: 'minute' | 'part',
  at: number,
  queue: string,
  name: string,
  succeeded: number,
  failed: number,
  cancelled: number,
  retried: number,
  /** Of those that ended, how many within the stretch that was asked for. */
  recent: number,
  runMs: number,
];

/** Inputs: from, to, length of a part, from and to of the recent stretch. As many rows as there are minutes, and parts of each name. */
const keptActivity = statement<
  [
    kind: 'minute' | 'part' | 'changed',
    ...number: [number, string, string, number, number, number, number, number, number],
    changes: string | null,
  ]
>(
  'kept_activity',
  () => `SELECT 'minute', at, '', '', sum(succeeded), sum(failed), sum(cancelled), sum(retried), 0, 0, CAST(NULL AS text) FROM minutes
      WHERE at >= $1 AND at < $2 GROUP BY at
    UNION ALL SELECT 'part', CAST((at - $1) / $3 AS bigint), queue, name, sum(succeeded), sum(failed), sum(cancelled), sum(retried),
      sum(CASE WHEN at >= $4 AND at < $5 THEN succeeded + failed + cancelled ELSE 0 END), sum(run_ms), CAST(NULL AS text) FROM minutes
      WHERE at >= $1 AND at < $2 GROUP BY 2, 3, 4
    UNION ALL SELECT 'changed', at, '', '', 0, 0, 0, 0, 0, 0, minutes FROM deltas WHERE minutes IS NOT NULL`,
);

/** What ended in a range, added up by the database: its minutes alone, and by queue and name in parts of `partMs`. In any order. */
export async function readActivity(
  tx: Pick<SqlTransaction, 'query'>,
  { from, to, partMs, recent }: ActivityRange,
): Promise<readonly ActivityRow[]> {
  const rows: ActivityRow[] = [];
  for (const [kind, at, queue, name, succeeded, failed, cancelled, retried, lately, runMs, changes] of await tx.query(
    keptActivity,
    from,
    to,
    partMs,
    recent.from,
    recent.to,
  )) {
    if (kind === 'part') rows.push([kind, at, queue, name, succeeded, failed, cancelled, retried, lately, runMs]);
    else if (kind === 'minute') rows.push([kind, at, '', '', succeeded, failed, cancelled, retried, 0, 0]);
    else if (changes !== null) rows.push(...changedActivity(minuteOf(at), changes, { from, to, partMs, recent }));
  }
  return rows;
}

export interface ActivityRange {
  readonly from: number;
  readonly to: number;
  readonly partMs: number;
  readonly recent: { readonly from: number; readonly to: number };
}

/** A difference that is not folded yet. */
function changedActivity(
  at: number,
  changes: string,
  { from, to, partMs, recent }: ActivityRange,
): readonly ActivityRow[] {
  if (at < from || at >= to) return [];
  const part = Math.floor((at - from) / partMs);
  return (JSON.parse(changes) as readonly MinuteDelta[]).flatMap(
    ([queue, name, succeeded, failed, cancelled, retried, , runMs]) => {
      const lately = at >= recent.from && at < recent.to ? succeeded + failed + cancelled : 0;
      return [
        ['minute', at, '', '', succeeded, failed, cancelled, retried, 0, 0],
        ['part', part, queue, name, succeeded, failed, cancelled, retried, lately, runMs],
      ] as const;
    },
  );
}

/** Input: limit. Those that another transaction has locked, or not yet committed, are folded later. Locks: the rows. */
const takeDeltas = statement<[at: number, counts: string, minutes: string | null]>(
  'take_deltas',
  (dialect) =>
    `DELETE FROM deltas WHERE seq IN (SELECT seq FROM deltas ORDER BY seq LIMIT $1${dialect.skipLocked}) RETURNING at, counts, minutes`,
);

/** Inputs: queue, name, view, difference. Locks: the rows, in the order of their keys. */
const foldCounts = eachStatement(
  'fold_counts',
  { queue: 'text', name: 'text', view: 'text', tasks: 'bigint' },
  (value, from) =>
    `INSERT INTO counts (queue, name, view, tasks) SELECT ${value.queue}, ${value.name}, ${value.view}, ${value.tasks} ${from} WHERE true
   ON CONFLICT (queue, name, view) DO UPDATE SET tasks = counts.tasks + excluded.tasks`,
);
const dropZeroes = statement('drop_zero_counts', () => 'DELETE FROM counts WHERE tasks = 0');

/** Inputs: a row of minutes. Locks: the rows, in the order of their keys. */
const foldMinutes = eachStatement(
  'fold_minutes',
  {
    at: 'bigint',
    queue: 'text',
    name: 'text',
    succeeded: 'bigint',
    failed: 'bigint',
    cancelled: 'bigint',
    retried: 'bigint',
    waitMs: 'bigint',
    runMs: 'bigint',
  },
  (value, from) => `INSERT INTO minutes (at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms)
    SELECT ${value.at}, ${value.queue}, ${value.name}, ${value.succeeded}, ${value.failed}, ${value.cancelled}, ${value.retried},
      ${value.waitMs}, ${value.runMs} ${from} WHERE true
    ON CONFLICT (at, queue, name) DO UPDATE SET succeeded = minutes.succeeded + excluded.succeeded, failed = minutes.failed + excluded.failed,
      cancelled = minutes.cancelled + excluded.cancelled, retried = minutes.retried + excluded.retried,
      wait_ms = minutes.wait_ms + excluded.wait_ms, run_ms = minutes.run_ms + excluded.run_ms`,
);

/** Takes a bounded number of differences into the kept counts and minutes. Answers whether more may be waiting. */
export async function fold(tx: SqlTransaction): Promise<boolean> {
  // One at a time: two would wait for each other's rows.
  if (!(await tx.tryHold('folding'))) return false;
  const taken = await tx.query(takeDeltas, foldMax);
  if (taken.length === 0) return false;
  const counts = new Map<string, CountDelta>();
  const minutes = new Map<string, MinuteRow>();
  for (const [at, countText, minuteText] of taken) {
    for (const delta of JSON.parse(countText) as readonly CountDelta[]) addCount(counts, delta);
    if (minuteText === null) continue;
    for (const delta of JSON.parse(minuteText) as readonly MinuteDelta[]) addMinute(minutes, [minuteOf(at), ...delta]);
  }
  await tx.each(
    foldCounts,
    inOrder(counts).filter(([, , , difference]) => difference !== 0),
  );
  await tx.each(foldMinutes, inOrder(minutes));
  await tx.query(dropZeroes);
  return taken.length === foldMax;
}

function addCount(counts: Map<string, CountDelta>, [queue, name, view, difference]: Readonly<CountDelta>): void {
  const key = JSON.stringify([queue, name, view]);
  counts.set(key, [queue, name, view, (counts.get(key)?.[3] ?? 0) + difference]);
}

function addMinute(minutes: Map<string, MinuteRow>, row: MinuteRow): void {
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

function inOrder<Row>(rows: ReadonlyMap<string, Row>): readonly Row[] {
  return [...rows].sort(([left], [right]) => compare(left, right)).map(([, row]) => row);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function minuteOf(at: number): number {
  return at - (at % minuteMs);
}

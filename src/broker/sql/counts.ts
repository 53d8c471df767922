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
  const minutes = new Map<string, MinuteRow>();
  for (const [at, queue, name, succeeded, failed, cancelled, retried, waitMs, runMs, changes] of await tx.query(
    keptMinutes,
    from,
    to,
    limit,
  )) {
    if (changes === null) addMinute(minutes, [at, queue, name, succeeded, failed, cancelled, retried, waitMs, runMs]);
    else addChanges(minutes, minuteOf(at), { from, to, changes });
  }
  return [...minutes.values()]
    .sort((left, right) => left[0] - right[0] || compare(left[1], right[1]) || compare(left[2], right[2]))
    .slice(0, limit);
}

function addChanges(
  minutes: Map<string, MinuteRow>,
  at: number,
  { from, to, changes }: { readonly from: number; readonly to: number; readonly changes: string },
): void {
  if (at < from || at >= to) return;
  for (const delta of JSON.parse(changes) as readonly MinuteDelta[]) addMinute(minutes, [at, ...delta]);
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
  const key = JSON.stringify([at, queue, name]);
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

function inOrder<Row>(rows: ReadonlyMap<string, Row>): readonly Row[] {
  return [...rows].sort(([left], [right]) => compare(left, right)).map(([, row]) => row);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function minuteOf(at: number): number {
  return at - (at % minuteMs);
}

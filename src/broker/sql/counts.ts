/** The kept counts: folded rows plus the differences appended since; and the folding of these into counts and minutes. */

import type { TaskView } from '../../core/states.ts';
import type { CountDelta } from './changes.ts';
import { eachStatement, type SqlTransaction, statement } from './driver.ts';
import { foldLatencies } from './latencies.ts';
import { addMinute, deltasOf, type MinuteRow, minuteOf } from './minutes.ts';
import { foldRollups } from './rollups.ts';

/** Differences one fold takes in: bounds the time it holds the counts. */
const foldMax = 500;

export interface CountRecord {
  readonly queue: string;
  readonly name: string;
  readonly view: TaskView;
  readonly count: number;
}

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

/** Input: limit. Those that another transaction has locked, or not yet committed, are folded later. Locks: the rows. */
const takeDeltas = statement<[at: number, counts: string, minutes: string | null]>(
  'take_deltas',
  (dialect) =>
    `DELETE FROM deltas WHERE seq ${dialect.oneFrom(`SELECT seq FROM deltas ORDER BY seq LIMIT $1${dialect.skipLocked}`)} RETURNING at, counts, minutes`,
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

/** Takes a bounded number of differences into the kept counts, the minutes with their sums, and the latencies. Answers whether more may be waiting. */
export async function fold(tx: SqlTransaction): Promise<boolean> {
  // One at a time: two would wait for each other's rows.
  if (!(await tx.tryHold('folding'))) return false;
  const taken = await tx.query(takeDeltas, foldMax);
  if (taken.length === 0) return false;
  const counts = new Map<string, CountDelta>();
  const minutes = new Map<string, MinuteRow>();
  const ended: (readonly [at: number, changes: string])[] = [];
  for (const [at, countText, minuteText] of taken) {
    for (const delta of JSON.parse(countText) as readonly CountDelta[]) addCount(counts, delta);
    if (minuteText === null) continue;
    ended.push([at, minuteText]);
    for (const delta of deltasOf(minuteText)) addMinute(minutes, [minuteOf(at), ...delta]);
  }
  await tx.each(
    foldCounts,
    inOrder(counts).filter(([, , , difference]) => difference !== 0),
  );
  await tx.each(foldMinutes, inOrder(minutes));
  if (ended.length > 0) {
    await foldRollups(tx, minutes.values());
    await foldLatencies(tx, ended);
  }
  await tx.query(dropZeroes);
  return taken.length === foldMax;
}

function addCount(counts: Map<string, CountDelta>, [queue, name, view, difference]: Readonly<CountDelta>): void {
  const key = JSON.stringify([queue, name, view]);
  counts.set(key, [queue, name, view, (counts.get(key)?.[3] ?? 0) + difference]);
}

function inOrder<Row>(rows: ReadonlyMap<string, Row>): readonly Row[] {
  return [...rows].sort(([left], [right]) => compare(left, right)).map(([, row]) => row);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

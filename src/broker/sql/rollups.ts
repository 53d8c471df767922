/**
 * Sums of the minutes, kept in the same transaction as these: of each minute over everything, of ten minutes by queue, of an hour by queue
 * and name. What ended in a day is a few thousand of them, where it is tens of thousands of minutes.
 */

import { limits } from '../../core/limits.ts';
import { eachStatement, type SqlDriver, type SqlTransaction, statement } from './driver.ts';
import { type MinuteRow, markSpan, rolledFrom, spans } from './minutes.ts';

type RollupRow = readonly [span: number, ...MinuteRow];

const readMark = statement<[mark: number]>('rollup_mark', () => rolledFrom);

/** Inputs: a row. Locks: the rows, in the order of their keys. */
const addRollups = eachStatement(
  'add_rollups',
  {
    span: 'bigint',
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
  (value, from) => `INSERT INTO rollups (span, at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms)
    SELECT ${value.span}, ${value.at}, ${value.queue}, ${value.name}, ${value.succeeded}, ${value.failed}, ${value.cancelled},
      ${value.retried}, ${value.waitMs}, ${value.runMs} ${from} WHERE true
    ON CONFLICT (span, at, queue, name) DO UPDATE SET succeeded = rollups.succeeded + excluded.succeeded,
      failed = rollups.failed + excluded.failed, cancelled = rollups.cancelled + excluded.cancelled,
      retried = rollups.retried + excluded.retried, wait_ms = rollups.wait_ms + excluded.wait_ms, run_ms = rollups.run_ms + excluded.run_ms`,
);

/** Takes in what is added to the minutes by the same transaction, which holds the folding. Hours that are not rolled up yet are left alone. */
export async function foldRollups(tx: SqlTransaction, minutes: Iterable<MinuteRow>): Promise<void> {
  const [[mark] = [0]] = await tx.query(readMark);
  const rows = rollupsOf(minutes, mark);
  if (rows.length > 0) await tx.each(addRollups, rows);
}

/** In the order of their keys. */
function rollupsOf(minutes: Iterable<MinuteRow>, mark: number): readonly RollupRow[] {
  const rollups = new Map<string, RollupRow>();
  for (const [at, queue, name, ...numbers] of minutes) {
    if (at < mark) continue;
    add(rollups, [spans.minute, at, '', '', ...numbers]);
    add(rollups, [spans.tens, at - (at % spans.tens), queue, '', ...numbers]);
    add(rollups, [spans.hour, at - (at % spans.hour), queue, name, ...numbers]);
  }
  return [...rollups].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, row]) => row);
}

function add(rollups: Map<string, RollupRow>, row: RollupRow): void {
  const key = JSON.stringify(row.slice(0, 4));
  const known = rollups.get(key);
  rollups.set(key, known === undefined ? row : sumOf(known, row));
}

function sumOf(
  [span, at, queue, name, ...known]: RollupRow,
  [, , , , succeeded, failed, cancelled, retried, waitMs, runMs]: RollupRow,
): RollupRow {
  return [
    span,
    at,
    queue,
    name,
    known[0] + succeeded,
    known[1] + failed,
    known[2] + cancelled,
    known[3] + retried,
    known[4] + waitMs,
    known[5] + runMs,
  ];
}

const columns = 'sum(succeeded), sum(failed), sum(cancelled), sum(retried), sum(wait_ms), sum(run_ms)';

/** Input: the mark. */
const lastMinute = statement<[at: number | null]>(
  'last_minute_before',
  (dialect) => `SELECT (${dialect.greatest('at', 'minutes WHERE at < $1')})`,
);
/** Inputs: start and end of an hour of which there is no row yet. */
const rollUpHour = statement(
  'roll_up_hour',
  () => `INSERT INTO rollups (span, at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms)
    SELECT ${spans.minute}, at, '', '', ${columns} FROM minutes WHERE at >= $1 AND at < $2 GROUP BY at
    UNION ALL SELECT ${spans.tens}, at / ${spans.tens} * ${spans.tens}, queue, '', ${columns} FROM minutes WHERE at >= $1 AND at < $2
      GROUP BY at / ${spans.tens} * ${spans.tens}, queue
    UNION ALL SELECT ${spans.hour}, $1, queue, name, ${columns} FROM minutes WHERE at >= $1 AND at < $2 GROUP BY queue, name`,
);
const moveMark = statement('move_rollup_mark', () => `UPDATE rollups SET at = $1 WHERE span = ${markSpan}`);
const dropMark = statement('drop_rollup_mark', () => `DELETE FROM rollups WHERE span = ${markSpan}`);

const hourOf = (at: string) => `${at} / ${spans.hour} * ${spans.hour}`;
const before = (limits.mendHours - 1) * spans.hour;
const all = 'succeeded + failed + cancelled + retried + wait_ms + run_ms';

/** The first and last of the newest hours that are rolled up, and how much their minutes have that is in no sum: the rest is equal then. */
const newestHours = statement<[first: number | null, last: number | null, missing: number]>(
  'newest_hours',
  (
    dialect,
  ) => `WITH bound AS (${rolledFrom}), newest AS (SELECT ${hourOf(`(${dialect.greatest('at', 'minutes')})`)} AS hour),
      begun AS (SELECT CASE WHEN mark > hour - ${before} THEN mark ELSE hour - ${before} END AS hour FROM bound, newest)
    SELECT (SELECT hour FROM begun), (SELECT hour FROM newest), coalesce(sum(more), 0) FROM (
      SELECT ${all} AS more FROM minutes WHERE at >= (SELECT hour FROM begun)
      UNION ALL SELECT -(${all}) FROM rollups WHERE span = ${spans.hour} AND at >= (SELECT hour FROM begun)) AS both_kinds`,
);
/** Inputs: start and end of an hour. */
const dropHour = statement(
  'drop_rolled_hour',
  () => `DELETE FROM rollups WHERE span IN (${spans.minute}, ${spans.tens}, ${spans.hour}) AND at >= $1 AND at < $2`,
);

/** A process of an earlier version that still runs folds into the minutes alone, also of hours that are rolled up: these are made anew. */
async function mendNewest(driver: SqlDriver): Promise<void> {
  const [[, , missing] = [null, null, 0]] = await driver.readOne(newestHours);
  if (missing === 0) return;
  await driver.transaction(async (tx) => {
    if (!(await tx.tryHold('folding'))) return;
    const [[first, last, missing] = [null, null, 0]] = await tx.query(newestHours);
    if (first === null || last === null || missing === 0) return;
    for (let hour = first; hour <= last; hour += spans.hour) {
      await tx.query(dropHour, hour, hour + spans.hour);
      await tx.query(rollUpHour, hour, hour + spans.hour);
    }
  });
}

/**
 * Mends the newest hours, and rolls up what an earlier version has kept in minutes alone: the newest hours first, each with its mark in one
 * transaction, so many of them at most. Whoever is interrupted goes on there; two at once do not do one twice. Answers whether there may be more.
 */
export async function rollUpOld(driver: SqlDriver, hoursMax: number = limits.rollUpHoursMax): Promise<boolean> {
  await mendNewest(driver);
  const [[mark] = [0]] = await driver.readOne(readMark);
  if (mark === 0) return false;
  for (let hours = 0; hours < hoursMax; hours += 1) if (!(await driver.transaction(rollUpNewest))) return false;
  return true;
}

/** Answers whether there may be more. */
async function rollUpNewest(tx: SqlTransaction): Promise<boolean> {
  // What is folded now is of an hour that is rolled up, or of one that is not: never of one that becomes it.
  if (!(await tx.tryHold('folding'))) return false;
  const [[mark] = [0]] = await tx.query(readMark);
  if (mark === 0) return false;
  const [[last] = [null]] = await tx.query(lastMinute, mark);
  if (last === null) {
    await tx.query(dropMark);
    return false;
  }
  const hour = last - (last % spans.hour);
  await tx.query(rollUpHour, hour, hour + spans.hour);
  await tx.query(moveMark, hour);
  return true;
}

/** Inputs: span, the last time that goes. A mark stays. */
const pruneRows = statement('prune_rollups', () => 'DELETE FROM rollups WHERE span = $1 AND at <= $2');

export async function pruneRollups({ tx, now }: { readonly tx: SqlTransaction; readonly now: number }): Promise<void> {
  await tx.query(pruneRows, spans.minute, now - limits.minutesKeepMs);
  await tx.query(pruneRows, spans.tens, now - limits.minutesKeepMs);
  await tx.query(pruneRows, spans.hour, now - limits.hoursKeepMs);
}

/**
 * Moves a store into an empty one, table by table. Where a move ended, for whatever reason, the next one goes on: how far a table
 * has come is stored with its rows. At the end both sides are read and compared.
 */

import { createHash } from 'node:crypto';
import type { Chance } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { configure } from './configure.ts';
import { fold } from './counts.ts';
import { eachStatement, type SqlDriver, type SqlRow, type SqlTransaction, type SqlValue, statement } from './driver.ts';
import { checkStatus, migrate, migrationStatus, readIncarnation } from './migrate.ts';
import { type MovedTable, movedTables, movePause } from './moved-tables.ts';
import { getQueues } from './queues.ts';
import { refuseRecord } from './refuse-record.ts';
import { createStep, endStep } from './step.ts';

export interface MoveOptions {
  readonly from: SqlDriver;
  readonly to: SqlDriver;
  readonly chance: Chance;
  /** Also while servers and workers use the source. */
  readonly force: boolean;
  /** Rows of a table were moved, or compared. */
  readonly onProgress?: (step: 'move' | 'compare', table: string, rows: number) => void;
}

/** `to` is `null` where it has yet to be made. */
export interface PlanOptions extends Pick<MoveOptions, 'from' | 'force'> {
  readonly to: SqlDriver | null;
}

export interface MoveReport {
  /** `already`: an earlier move has done all of it. */
  readonly status: 'planned' | 'moved' | 'already';
  /** Queues of the source that are paused now. */
  readonly paused: readonly string[];
  /** Rows of each table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Of all rows, the same on both sides; `null` before they were compared. */
  readonly checksum: string | null;
}

/** Rows in one transaction: of tasks, whose payloads may be large, and of the others. */
const tasksAtOnce = 100;
const rowsAtOnce = 500;

export const readMeta = statement<[value: string]>('read_moved', () => 'SELECT value FROM meta WHERE name = $1');
export const writeMeta = statement(
  'write_moved',
  () => 'INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
);
const livingWorkers = statement<[workerId: string]>(
  'living_workers',
  () => 'SELECT worker_id FROM workers WHERE beat_at > $1 ORDER BY worker_id',
);
const anyDelta = statement<[found: number]>('any_delta', () => 'SELECT 1 FROM deltas LIMIT 1');

const intoNew = 'Move into a new file, database or namespace.';

/** Says what would be moved, and changes nothing. Throws like {@link move}. */
export async function planMove({ from, to, force }: PlanOptions): Promise<MoveReport> {
  await checkSource(from, force);
  const isReady = to !== null && (await migrationStatus(to)).applied.length > 0;
  if (isReady) {
    await refuseRecord(to, intoNew);
    await to.read(async (tx) => await checkTarget(tx, await incarnationOf(from)));
  }
  const rows = Object.fromEntries(
    await Promise.all(movedTables.map(async ({ name }) => [name, await countOf(from, name)])),
  );
  return { status: 'planned', paused: [], rows, checksum: null };
}

/**
 * Pauses the source, moves, and compares. Throws STORE_IN_USE while somebody uses the source, STORE_NOT_EMPTY for a target with
 * data of its own, MOVE_INCOMPLETE when the sides differ in the end.
 */
export async function move(options: MoveOptions): Promise<MoveReport> {
  const { from, to, chance, force } = options;
  await checkSource(from, force);
  await migrate(to, chance);
  await refuseRecord(to, intoNew);
  const incarnation = await incarnationOf(from);
  const isDone = await to.transaction(async (tx) => {
    const done = await checkTarget(tx, incarnation);
    await tx.query(writeMeta, 'move.from', incarnation);
    return done;
  });
  if (isDone) return { status: 'already', paused: [], rows: {}, checksum: null };
  const paused = await pauseAll(from);
  await foldAll(from);
  for (const table of movedTables) await copy(options, table);
  const { rows, checksum } = await compare(options);
  await to.transaction((tx) => tx.query(writeMeta, 'move.done', checksum));
  return { status: 'moved', paused, rows, checksum };
}

function incarnationOf(driver: SqlDriver): Promise<string> {
  return driver.read(readIncarnation);
}

/** Throws STORE_NOT_MIGRATED, STORE_TOO_NEW, RECORD_ELSEWHERE and STORE_IN_USE. */
async function checkSource(from: SqlDriver, force: boolean): Promise<void> {
  checkStatus(await migrationStatus(from));
  await refuseRecord(from, 'Move what lives into it first: taskflow db move --from redis://… --to <this record>');
  if (!force) await refuseLiving(from);
}

/** Throws STORE_IN_USE. */
export async function refuseLiving(from: SqlDriver): Promise<void> {
  const since = (await from.wallMs()) - limits.presenceMs;
  const living = await from.readOne(livingWorkers, since);
  if (living.length > 0) {
    throw taskFlowError('STORE_IN_USE', { workers: living.map(([workerId]) => workerId).join(', ') });
  }
}

/** Whether this very move was done before. Throws STORE_NOT_EMPTY. */
async function checkTarget(tx: SqlTransaction, incarnation: string): Promise<boolean> {
  if ((await readIncarnation(tx)) === incarnation) throw taskFlowError('STORE_NOT_EMPTY', { found: 'the same data' });
  const [movedFrom] = await tx.query(readMeta, 'move.from');
  if (movedFrom?.[0] === incarnation) return (await tx.query(readMeta, 'move.done')).length > 0;
  for (const { name } of movedTables) {
    const [row] = await tx.execute(`SELECT 1 FROM ${name} LIMIT 1`);
    if (row !== undefined) throw taskFlowError('STORE_NOT_EMPTY', { found: `rows in ${name}` });
  }
  return false;
}

/** Nothing new is started: who works with it all the same hears of the pause. */
export async function pauseAll(from: SqlDriver): Promise<readonly string[]> {
  const queues = await getQueues(from.readOne);
  const names = queues.filter(({ pause }) => pause === null).map(({ name }) => name);
  await from.transaction(async (tx) => {
    const step = createStep(tx, await tx.wallMs());
    const pause = { by: movePause, reason: 'the store is moved' };
    for (const name of names) await configure(step, 'queue', name, { pause });
    await endStep(step);
  });
  return queues.filter(({ name, pause }) => names.includes(name) || pause?.by === movePause).map(({ name }) => name);
}

async function foldAll(from: SqlDriver): Promise<void> {
  do await from.transaction(fold);
  while ((await from.readOne(anyDelta)).length > 0);
}

async function countOf(driver: SqlDriver, table: string): Promise<number> {
  const [row] = await driver.read((tx) => tx.execute<[count: number]>(`SELECT count(*) FROM ${table}`));
  return row?.[0] ?? 0;
}

/** A batch and how far it brings the table are one transaction: a move that is killed has done each row once, or not yet. */
async function copy({ from, to, onProgress }: MoveOptions, table: MovedTable): Promise<void> {
  const insert = insertOf(table);
  const place = `move.${table.name}`;
  const [known] = await to.readOne(readMeta, place);
  let after = known === undefined ? null : (JSON.parse(known[0]) as SqlRow);
  for (;;) {
    const rows = await readRows(from, table, after);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.slice(0, table.key.length);
    const reached = JSON.stringify(after);
    await to.transaction(async (tx) => {
      await tx.each(
        insert,
        rows.map((row) => row.slice(table.key.length)),
      );
      await tx.query(writeMeta, place, reached);
    });
    onProgress?.('move', table.name, rows.length);
  }
}

function insertOf({ name, columns }: MovedTable) {
  return eachStatement(
    `move_${name}`,
    columns,
    (value, from) =>
      `INSERT INTO ${name} (${Object.keys(columns).join(', ')}) SELECT ${Object.values(value).join(', ')} ${from} WHERE true`,
  );
}

/** The next rows behind a key, each with its key before its columns. */
function readRows(driver: SqlDriver, table: MovedTable, after: SqlRow | null): Promise<readonly SqlRow[]> {
  const { name, key, columns, instead = {} } = table;
  const read = Object.keys(columns).map((column) => instead[column] ?? column);
  const behind = `WHERE (${key.join(', ')}) > (${key.map((_column, index) => `$${index + 1}`).join(', ')})`;
  const limit = name === 'tasks' ? tasksAtOnce : rowsAtOnce;
  const text = `SELECT ${[...key, ...read].join(', ')} FROM ${name} ${after === null ? '' : behind} ORDER BY ${key.join(', ')} LIMIT ${limit}`;
  return driver.read((tx) => tx.execute(text, ...((after ?? []) as readonly SqlValue[])));
}

async function compare(options: MoveOptions): Promise<Pick<MoveReport, 'rows' | 'checksum'>> {
  const whole = createHash('sha256');
  const rows: Record<string, number> = {};
  for (const table of movedTables) {
    const [source, target] = [await sumOf(options, options.from, table), await sumOf(options, options.to, table)];
    if (source.rows !== target.rows || source.checksum !== target.checksum) {
      throw taskFlowError('MOVE_INCOMPLETE', { table: table.name, source: source.rows, target: target.rows });
    }
    rows[table.name] = source.rows;
    whole.update(source.checksum);
  }
  return { rows, checksum: whole.digest('hex').slice(0, 32) };
}

/** Rows and checksum of a table without its `seq`, in its order. */
async function sumOf(
  { onProgress }: MoveOptions,
  driver: SqlDriver,
  table: MovedTable,
): Promise<{ readonly rows: number; readonly checksum: string }> {
  const hash = createHash('sha256');
  let count = 0;
  for (let after: SqlRow | null = null; ; ) {
    const rows = await readRows(driver, table, after);
    const last = rows.at(-1);
    if (last === undefined) return { rows: count, checksum: hash.digest('hex') };
    after = last.slice(0, table.key.length);
    for (const row of rows) hash.update(`${JSON.stringify(row.slice(table.key.length))}\n`);
    count += rows.length;
    onProgress?.('compare', table.name, rows.length);
  }
}

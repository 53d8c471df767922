/**
 * A store of SQL and a record of SQL are the same tables, in two forms: what only a live store needs (keys, slots, leases, open edges)
 * is of no use to a record, and see form-indexes.ts. Here one becomes the other. Each call may be made again after it was killed.
 */

import type { Chance } from '../../core/chance.ts';
import { isFinished, type Reason, type TaskState, viewOf } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import { type SqlDriver, type SqlTransaction, statement } from './driver.ts';
import { takeForm } from './form-indexes.ts';
import { restore, restoreKeys } from './restore.ts';
import { idList, type TaskRow, taskColumns, toTask } from './rows.ts';
import { appendDelta, createStep, endStep } from './step.ts';

/** Rows of one look for those that are unfinished: there may be few of them among millions, and each look is to end soon. */
const rowsLookedAt = 5_000;

/** Inputs: the last id, limit. */
const nextStates = statement<[id: string, state: TaskState]>(
  'next_states',
  () => 'SELECT id, state FROM tasks WHERE id > $1 ORDER BY id LIMIT $2',
);
/** Input: list of ids. */
const storedBodies = statement<TaskRow>(
  'stored_bodies',
  (dialect) => `SELECT ${taskColumns} FROM tasks WHERE id ${dialect.oneOf('$1')} ORDER BY id`,
);

/** Unfinished tasks by id, those behind `after`, of a live store: that has no index for it. */
export async function readUnfinished(driver: SqlDriver, after: string | null, limit: number): Promise<readonly Task[]> {
  const ids: string[] = [];
  for (let last = after ?? ''; ids.length < limit; ) {
    const rows = await driver.readOne(nextStates, last, rowsLookedAt);
    for (const [id, state] of rows) if (!isFinished(state) && ids.length < limit) ids.push(id);
    if (rows.length < rowsLookedAt) break;
    last = rows.at(-1)?.[0] ?? last;
  }
  return (await driver.readOne(storedBodies, idList(ids))).map(toTask);
}

/** What is in force in a live store alone. */
const liveTables = ['keys', 'slots', 'claims', 'rounds', 'turns', 'flows', 'workers'];

/** Inputs: life of the live store, its last event that is in here. */
const insertCursor = statement('insert_cursor', () => 'INSERT INTO recorder (id, incarnation, seq) VALUES (1, $1, $2)');

/**
 * Its tasks live elsewhere from now on, and whoever records them goes on behind `seq`. Its queues stay paused: a worker that has it open
 * as a store, and was frozen meanwhile, must not be given what lives elsewhere.
 */
export async function becomeRecord(
  driver: SqlDriver,
  tx: SqlTransaction,
  { incarnation, seq }: { readonly incarnation: string; readonly seq: number },
): Promise<void> {
  await tx.query(insertCursor, incarnation, seq);
  await stayRecord(driver, tx);
}

/** Takes away what is in force in a live store alone. */
export async function stayRecord(driver: SqlDriver, tx: SqlTransaction): Promise<void> {
  for (const table of liveTables) await tx.execute(`DELETE FROM ${table}`);
  await tx.execute("UPDATE edges SET state = 'done', awaited = 0 WHERE state <> 'done'");
  await takeForm(driver, tx, 'record');
}

/** Before its tasks live here: whatever an earlier life as a live store has left. */
export async function clearForLife(driver: SqlDriver, tx: SqlTransaction): Promise<void> {
  await takeForm(driver, tx, 'both');
  for (const table of [...liveTables, 'queues', 'groups', 'limits', 'schedules'])
    await tx.execute(`DELETE FROM ${table}`);
}

type Standing = readonly [queue: string, name: string, state: TaskState, reason: Reason | null, attempt: number];

/** Input: list of ids. */
const standings = statement<Standing>(
  'recorded_standings',
  (dialect) => `SELECT queue, name, state, reason, attempt FROM tasks WHERE id ${dialect.oneOf('$1')}`,
);
const deleteTasks = statement('unrecord_tasks', (dialect) => `DELETE FROM tasks WHERE id ${dialect.oneOf('$1')}`);
/** Input: list of ids. Who waits for a row that is about to be another one looks for it again: see `meetParents`. */
const awaitAgain = statement(
  'await_again',
  (dialect) => `UPDATE edges SET awaited = 1 WHERE parent_id ${dialect.oneOf('$1')} AND state = 'open'`,
);
const deleteEdges = statement('unrecord_edges', (dialect) => `DELETE FROM edges WHERE child_id ${dialect.oneOf('$1')}`);

/** Puts the tasks in the place of their recorded rows, with all that a live store has beside them: as `restore` does. */
export async function revive(tx: SqlTransaction, tasks: readonly Task[], chance: Chance): Promise<void> {
  const ids = idList(tasks.map(({ id }) => id));
  const step = createStep(tx, await tx.wallMs());
  const gone = (await tx.query(standings, ids)).map(([queue, name, state, reason, attempt]) => [
    queue,
    name,
    viewOf({ state, reason, attempt }),
    -1,
  ]);
  await tx.query(deleteTasks, ids);
  await tx.query(deleteEdges, ids);
  await tx.query(awaitAgain, ids);
  if (gone.length > 0) await tx.query(appendDelta, step.now, JSON.stringify(gone), null);
  await restore(step, tasks, chance);
  await endStep(step);
}

/** Inputs: the last id, limit. */
const keyedSuccesses = statement<TaskRow>(
  'keyed_successes',
  () =>
    `SELECT ${taskColumns} FROM tasks WHERE state = 'succeeded' AND key IS NOT NULL AND id > $1 ORDER BY id LIMIT $2`,
);

/** Finished tasks with a key, by id, those behind `after`: a success may keep it for a time. */
export async function readKeyed(driver: SqlDriver, after: string, limit: number): Promise<readonly Task[]> {
  return (await driver.readOne(keyedSuccesses, after, limit)).map(toTask);
}

/** Lets them have the keys they still keep. */
export async function reviveKeys(tx: SqlTransaction, tasks: readonly Task[]): Promise<void> {
  await restoreKeys(createStep(tx, await tx.wallMs()), tasks);
}

/** It records nobody any more, and may become a record again. */
export async function endRecord(driver: SqlDriver, tx: SqlTransaction): Promise<void> {
  for (const table of ['recorder', 'recorded', 'unrecorded']) await tx.execute(`DELETE FROM ${table}`);
  await tx.execute("DELETE FROM meta WHERE name LIKE 'move.%' OR name = 'record of'");
  await takeForm(driver, tx, 'live');
}

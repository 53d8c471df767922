/**
 * A store of SQL and a record of SQL are the same tables, in two forms: what only a live store needs (keys, slots, leases, open edges)
 * is of no use to a record. Here one becomes the other. Each call may be made again after it was killed.
 */

import type { Chance } from '../../core/chance.ts';
import { isFinished, type Reason, type TaskState, viewOf } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import { type SqlDriver, type SqlTransaction, statement } from './driver.ts';
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
const listUnfinished = statement(
  'list_unfinished',
  (dialect) =>
    `INSERT INTO unfinished (task_id) SELECT id FROM tasks WHERE id ${dialect.oneOf('$1')} ON CONFLICT (task_id) DO NOTHING`,
);

const unlistAll = statement('unlist_all', () => 'DELETE FROM unfinished');

/** Lists the unfinished tasks where a record has them, and no others. Answers how many there are. */
export async function listAsRecord(driver: SqlDriver): Promise<number> {
  await driver.writeOne(unlistAll);
  for (let [count, after] = [0, '']; ; ) {
    const rows = await driver.readOne(nextStates, after, rowsLookedAt);
    const last = rows.at(-1);
    if (last === undefined) return count;
    const ids = rows.flatMap(([id, state]) => (isFinished(state) ? [] : [id]));
    if (ids.length > 0) await driver.writeOne(listUnfinished, idList(ids));
    [count, after] = [count + ids.length, last[0]];
  }
}

/** Of each running task one, by its id: see the record's own. */
const recordClaims = statement(
  'claims_as_record',
  (dialect) => `INSERT INTO claims (token, worker_id, check_at, running, task_ids)
    SELECT id, coalesce(worker_id, ''), ${Number.MAX_SAFE_INTEGER}, 1, ${dialect.name === 'sqlite' ? "'[' || json_quote(id) || ']'" : "'[' || to_json(id)::text || ']'"}
    FROM unfinished JOIN tasks ON id = task_id WHERE state = 'running'`,
);

/** What is in force in a live store alone. */
const liveTables = ['keys', 'slots', 'claims', 'rounds', 'turns', 'flows', 'workers'];

/** Inputs: life of the live store, its last event that is in here. */
const insertCursor = statement('insert_cursor', () => 'INSERT INTO recorder (id, incarnation, seq) VALUES (1, $1, $2)');

/**
 * Its tasks live elsewhere from now on, and whoever records them goes on behind `seq`. Its queues stay paused: a worker that has it open
 * as a store, and was frozen meanwhile, must not be given what lives elsewhere.
 */
export async function becomeRecord(tx: SqlTransaction, incarnation: string, seq: number): Promise<void> {
  await tx.query(insertCursor, incarnation, seq);
  await stayRecord(tx);
}

/** Takes away what is in force in a live store alone. */
export async function stayRecord(tx: SqlTransaction): Promise<void> {
  for (const table of liveTables) await tx.execute(`DELETE FROM ${table}`);
  await tx.execute("UPDATE edges SET state = 'done', awaited = 0 WHERE state <> 'done'");
  await tx.query(recordClaims);
}

/** Before its tasks live here: whatever an earlier life as a live store has left. */
export async function clearForLife(tx: SqlTransaction): Promise<void> {
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
export async function endRecord(tx: SqlTransaction): Promise<void> {
  for (const table of ['recorder', 'recorded', 'unfinished', 'unrecorded']) await tx.execute(`DELETE FROM ${table}`);
  await tx.execute("DELETE FROM meta WHERE name LIKE 'move.%' OR name = 'record of'");
}

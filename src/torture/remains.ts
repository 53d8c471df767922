/** What a run has left in a SQL store: every task, and whether all that is kept beside them follows from them. */

import { type SqlDriver, statement } from '../broker/sql/driver.ts';
import { type Discrepancy, recount } from '../broker/sql/recount.ts';
import { type TaskRow, taskColumns, toTask } from '../broker/sql/rows.ts';
import type { Judge } from '../checker/judge.ts';

/** Inputs: id of the last one, limit. */
const tasksAfter = statement<TaskRow>(
  'torture_tasks_after',
  () => `SELECT ${taskColumns} FROM tasks WHERE id > $1 ORDER BY id LIMIT $2`,
);
const openKeys = statement<[key: string, taskId: string]>(
  'torture_open_keys',
  () => 'SELECT key, task_id FROM keys WHERE held_until IS NULL',
);
const pageMax = 1_000;

/** Shows every task of the store to the judge. Answers how many there are. */
export async function showRows(driver: SqlDriver, judge: Judge): Promise<number> {
  let shown = 0;
  for (let after = ''; ; ) {
    const rows = await driver.read((tx) => tx.query(tasksAfter, after, pageMax));
    const tasks = rows.map(toTask);
    for (const task of tasks) judge.row(task);
    shown += rows.length;
    const last = tasks.at(-1);
    if (rows.length < pageMax || last === undefined) return shown;
    after = last.id;
  }
}

export async function heldKeys(
  driver: SqlDriver,
): Promise<readonly { readonly key: string; readonly taskId: string }[]> {
  const rows = await driver.read((tx) => tx.query(openKeys));
  return rows.map(([key, taskId]) => ({ key, taskId }));
}

/** What is kept beside the tasks of a record: it has their counts, and no claims, slots and keys of its own. */
const keptByRecord: readonly Discrepancy['what'][] = ['count'];
const keptByStore: readonly Discrepancy['what'][] = ['task', 'claim', 'slot', 'key', 'count'];

export interface IndexOptions {
  readonly isRecord?: boolean;
}

/** Counts again, while the store is in use or after. Answers how many rows were looked at. */
export async function checkIndexes(
  driver: SqlDriver,
  judge: Judge,
  { isRecord = false }: IndexOptions = {},
): Promise<number> {
  const { discrepancies, looked } = await recount(driver);
  const kept = isRecord ? keptByRecord : keptByStore;
  for (const { what, of, sentence } of discrepancies.filter((one) => kept.includes(one.what)))
    judge.tell('S21', what === 'task' ? of : null, `${what} ${of}: ${sentence}`);
  return Object.values(looked).reduce((sum, rows) => sum + rows, 0);
}

/** What a run has left in a SQL store: every task, and whether all that is kept beside them follows from them. */

import { type SqlDriver, statement } from '../broker/sql/driver.ts';
import { recount } from '../broker/sql/recount.ts';
import { type TaskRow, taskColumns, toTask } from '../broker/sql/rows.ts';
import type { Judge } from '../checker/judge.ts';

/** Inputs: number of the last row, limit. */
const tasksAfter = statement<[...TaskRow, seq: number]>(
  'torture_tasks_after',
  () => `SELECT ${taskColumns}, seq FROM tasks WHERE seq > $1 ORDER BY seq LIMIT $2`,
);
const openKeys = statement<[key: string, taskId: string]>(
  'torture_open_keys',
  () => 'SELECT key, task_id FROM keys WHERE held_until IS NULL',
);
const pageMax = 1_000;

/** Shows every task of the store to the judge. Answers how many there are. */
export async function showRows(driver: SqlDriver, judge: Judge): Promise<number> {
  let shown = 0;
  for (let after = 0; ; ) {
    const rows = await driver.read((tx) => tx.query(tasksAfter, after, pageMax));
    for (const row of rows) judge.row(toTask(row as unknown as TaskRow));
    shown += rows.length;
    const last = rows.at(-1)?.at(-1);
    if (rows.length < pageMax || typeof last !== 'number') return shown;
    after = last;
  }
}

export async function heldKeys(
  driver: SqlDriver,
): Promise<readonly { readonly key: string; readonly taskId: string }[]> {
  const rows = await driver.read((tx) => tx.query(openKeys));
  return rows.map(([key, taskId]) => ({ key, taskId }));
}

/** Counts again, while the store is in use or after. Answers how many rows were looked at. */
export async function checkIndexes(driver: SqlDriver, judge: Judge): Promise<number> {
  const { discrepancies, looked } = await recount(driver);
  for (const { what, of, sentence } of discrepancies)
    judge.tell('S21', what === 'task' ? of : null, `${what} ${of}: ${sentence}`);
  return Object.values(looked).reduce((sum, rows) => sum + rows, 0);
}

/** Builds an SQLite file with so many finished tasks: rows in order, without the indexes, which are made at the end. */

import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { connect } from '../../src/broker/connect.ts';
import { createKept, type Kept, markMinutes } from './kept.ts';
import { type BuiltTask, builtTask, taskColumns } from './tasks.ts';

const rowsAtOnce = 25;
const rowsInTransaction = 100_000;

/** The file is a store of this version afterwards, closed. Nothing of it is safe before: a build that is killed is begun anew. */
export async function buildSqlite(file: string, total: number, endAt: number): Promise<void> {
  const store = connect(`sqlite:${file}`);
  await store.broker.open();
  await store.close();
  const database = new DatabaseSync(file);
  // The log of a store has to be left before there can be none.
  for (const mode of ['journal_mode = DELETE', 'journal_mode = OFF', 'synchronous = OFF', 'cache_size = -400000'])
    database.exec(`PRAGMA ${mode}`);
  const indexes = database
    .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'tasks' AND sql IS NOT NULL")
    .all() as unknown as { name: string; sql: string }[];
  for (const { name } of indexes) database.exec(`DROP INDEX ${name}`);
  const kept = createKept(endAt);
  database.exec('BEGIN');
  insertTasks(database, total, endAt, kept);
  const count = database.prepare('INSERT INTO counts (queue, name, view, tasks) VALUES (?, ?, ?, ?)');
  for (const values of kept.counts()) count.run(...values);
  const minute = database.prepare(
    'INSERT INTO minutes (at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  for (const values of kept.minutes()) minute.run(...values);
  database.exec(markMinutes);
  database.prepare("INSERT INTO events (at, kind, items) VALUES (?, 'settle', '[]')").run(endAt);
  database.exec('COMMIT');
  for (const { sql } of indexes) database.exec(sql);
  database.close();
}

/** In the transaction that is open, and others like it. */
function insertTasks(database: DatabaseSync, total: number, endAt: number, kept: Kept): void {
  const row = `(${taskColumns.map(() => '?').join(', ')})`;
  const insert = (rows: number) =>
    database.prepare(
      `INSERT INTO tasks (${taskColumns.join(', ')}) VALUES ${Array.from({ length: rows }, () => row).join(', ')}`,
    );
  const [many, one] = [insert(rowsAtOnce), insert(1)];
  const insertRemains = remainsOf(database);
  let values: SQLInputValue[] = [];
  for (let number = 0; number < total; number += 1) {
    const task = builtTask(number, total, endAt);
    kept.add(task);
    values.push(...task.row);
    if (values.length === rowsAtOnce * taskColumns.length) {
      many.run(...values);
      values = [];
    }
    insertRemains(task, number % 20 === 0);
    if (number % rowsInTransaction === rowsInTransaction - 1) database.exec('COMMIT; BEGIN');
  }
  for (; values.length > 0; values = values.slice(taskColumns.length)) one.run(...values.slice(0, taskColumns.length));
}

/** What is kept beside a task. */
function remainsOf(database: DatabaseSync): (task: BuiltTask, hasLog: boolean) => void {
  const attempt = database.prepare(
    "INSERT INTO attempts (task_id, epoch, attempt, worker_id, claimed_at, started_at, ended_at, state, reason, error) VALUES (?, ?, ?, 'worker-1', ?, ?, ?, 'scheduled', 'error', ?)",
  );
  const line = database.prepare(
    "INSERT INTO logs (task_id, epoch, at, level, message) VALUES (?, 1, ?, 'info', 'sent')",
  );
  const member = database.prepare('INSERT OR IGNORE INTO members (flow_id, task_id) VALUES (?, ?)');
  const error = '{"name":"Error","message":"connection reset","stack":null,"fingerprint":"00"}';
  return ({ id, finishedAt, retries, flowId }, hasLog) => {
    for (let run = 1; run <= retries; run += 1)
      attempt.run(id, run, run, finishedAt - 50, finishedAt - 40, finishedAt - 10, error);
    if (hasLog) line.run(id, finishedAt);
    if (flowId !== null) member.run(flowId, id);
  };
}

/** Makes so many of the oldest tasks ones that are past their time. */
export function dueSqlite(file: string, count: number, endAt: number): void {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA busy_timeout = 10000');
  database
    .prepare('UPDATE tasks SET prune_at = ? WHERE seq IN (SELECT seq FROM tasks ORDER BY id LIMIT ?)')
    .run(endAt - 1, count);
  database.close();
}

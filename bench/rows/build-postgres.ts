/** Builds the same tasks in a Postgres database: thousands of rows a statement, as arrays; indexes are made at the end. */

import { Client } from 'pg';
import { connect } from '../../src/broker/connect.ts';
import { createKept, markMinutes } from './kept.ts';
import type { Asked } from './measure.ts';
import { builtTask, taskColumns } from './tasks.ts';

const schema = 'taskflow';
const rowsAtOnce = 5_000;
const texts: ReadonlySet<string> = new Set([
  'id',
  'queue',
  'name',
  'state',
  'reason',
  'worker_id',
  'key',
  'fingerprint',
  'options',
  'policy',
  'error',
  'result',
  'payload',
]);

/** The database is a store of this version afterwards, its tables analysed. Answers when its last task ended: what is there is taken. */
export async function buildPostgres(url: string, total: number, endAt: number): Promise<number> {
  const store = connect(url);
  await store.broker.open();
  await store.close();
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('SET synchronous_commit = off');
  await client.query(`SET search_path = ${schema}`);
  const { rows: built } = await client.query('SELECT at FROM events ORDER BY seq LIMIT 1');
  if (built.length === 0) await fill(client, total, endAt);
  await client.end();
  return built.length === 0 ? endAt : Number(built[0].at);
}

async function fill(client: Client, total: number, endAt: number): Promise<void> {
  const { rows: indexes } = await client.query(
    `SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE schemaname = '${schema}' AND tablename = 'tasks' AND indexname <> 'tasks_pkey'`,
  );
  for (const { name } of indexes) await client.query(`DROP INDEX ${schema}.${name}`);
  const kept = createKept(endAt);
  let columns = taskColumns.map((): unknown[] => []);
  let members: [string, string][] = [];
  // The next rows are made while the last ones are written.
  let written: Promise<unknown> = Promise.resolve();
  for (let number = 0; number < total; number += 1) {
    const task = builtTask(number, total, endAt);
    kept.add(task);
    for (const [index, value] of task.row.entries()) columns[index]?.push(value);
    if (task.flowId !== null) members.push([task.flowId, task.id]);
    if (columns[0]?.length !== rowsAtOnce && number !== total - 1) continue;
    await written;
    const links = [members.map(([flow]) => flow), members.map(([, id]) => id)];
    written = Promise.all([
      insert(client, 'tasks', taskColumns, columns),
      insert(client, 'members', ['flow_id', 'task_id'], links),
    ]);
    columns = taskColumns.map(() => []);
    members = [];
  }
  await written;
  const transpose = (rows: Iterable<readonly unknown[]>, width: number) => {
    const all = [...rows];
    return Array.from({ length: width }, (_, index) => all.map((row) => row[index]));
  };
  await insert(client, 'counts', ['queue', 'name', 'view', 'tasks'], transpose(kept.counts(), 4));
  const minute = ['at', 'queue', 'name', 'succeeded', 'failed', 'cancelled', 'retried', 'wait_ms', 'run_ms'];
  await insert(client, 'minutes', minute, transpose(kept.minutes(), minute.length));
  await client.query(markMinutes);
  await client.query("INSERT INTO events (at, kind, items) VALUES ($1, 'settle', '[]')", [endAt]);
  for (const { sql } of indexes) await client.query(sql);
  await client.query('VACUUM ANALYZE');
}

const isText = (column: string): boolean => texts.has(column) || ['view', 'flow_id', 'task_id'].includes(column);

async function insert(
  client: Client,
  table: string,
  names: readonly string[],
  columns: readonly (readonly unknown[])[],
): Promise<void> {
  if (columns[0]?.length === 0) return;
  const arrays = names.map((name, index) => `$${index + 1}::${isText(name) ? 'text' : 'bigint'}[]`).join(', ');
  await client.query(
    `INSERT INTO ${table} (${names.join(', ')}) SELECT * FROM unnest(${arrays}) ON CONFLICT DO NOTHING`,
    columns as unknown[],
  );
}

/** Tells how the database runs what was asked. */
export async function explainPostgres(url: string) {
  const client = new Client({ connectionString: url });
  await client.connect();
  return {
    plan: async ({ text, values }: Asked): Promise<string> => {
      const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS) ${text}`, values as unknown[]);
      return `${text.slice(0, 160).replace(/\s+/g, ' ')}\n  ${rows.map((row) => row['QUERY PLAN']).join('\n  ')}`;
    },
    close: () => client.end(),
  };
}

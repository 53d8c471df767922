/** How both databases run the statements of a record: none walks what grows with it. */

import process from 'node:process';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { postgresDialect } from '../../src/broker/postgres/dialect.ts';
import { createPostgresDriver } from '../../src/broker/postgres/driver.ts';
import { qualify } from '../../src/broker/postgres/schema.ts';
import { clientConfig, readPostgresUrl } from '../../src/broker/postgres/url.ts';
import type { EachStatement, ManyStatement, SqlDriver, Statement } from '../../src/broker/sql/driver.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { systemChance } from '../../src/core/chance.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import { limits } from '../../src/core/limits.ts';
import { systemClock } from '../../src/core/time.ts';
import type { Draft } from '../../src/history/conditions.ts';
import { lookText } from '../../src/history/look-text.ts';
import { planSearch } from '../../src/history/ways.ts';
import {
  bodyOf,
  createRecord,
  eventOf,
  life,
  lines,
  nobody,
  run,
  succeeded,
} from '../conformance/recording-samples.ts';
import { sampleId, startAt } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { sqliteRecord } from '../support/record-databases.ts';
import { noting } from './statements.ts';

type Seen = Map<string, Statement | EachStatement | ManyStatement>;

/** Tables that grow with the record. */
const growing = 'tasks|attempts|logs|timeline|edges|members|events';
const clock = { now: startAt };

/** Calls every method in a way that reaches all of its statements. */
async function useRecord(driver: SqlDriver): Promise<Seen> {
  const seen: Seen = new Map();
  const { recording, take } = createRecord(noting(driver, seen));
  const dependsOn = [{ taskId: sampleId(2), onFailure: 'fail' }] as const;
  const running = bodyOf(1, { state: 'running', workerId: 'w', flowId: sampleId(1), dependsOn });
  const gone = bodyOf(3);
  await take(
    [running, gone].map((body) => eventOf('enqueue', body, null)),
    [running, gone],
  );
  const again = succeeded(1, { flowId: sampleId(1), dependsOn });
  const retried = { ...again, attempts: [run()], logs: lines(1_000) };
  const refused = bodyOf(4, { priority: 12 });
  const events = [eventOf('retry', again, 'failed'), eventOf('settle', succeeded(3), 'running')];
  await take([...events, eventOf('enqueue', refused, null)], [retried, refused]);
  await take([eventOf('remove', succeeded(3), 'succeeded', { to: null, version: 9 })], []);
  const some = [5, 6, 7].map((number) => bodyOf(number));
  await take(
    some.map((body) => eventOf('enqueue', body, null)),
    some,
  );
  const ends = some.map(({ task }, index) => succeeded(0, { id: task.id, result: `${index % 2}`, version: 2 }));
  const settled = [...ends.slice(0, 2), succeeded(7, { version: 2, attempt: 2 })];
  await take(
    settled.map((body) => eventOf('settle', body, 'queued')),
    settled,
  );
  await recording.unfinished(null, 10);
  await recording.tasks([sampleId(1)]);
  await recording.settings(null, 10);
  await recording.remove([sampleId(1)]);
  await recording.prune(10);
  await recording.gaps(10);
  await recording.unrecorded(10);
  return seen;
}

test('SQLite reaches every row of a record by an index, and sorts nothing', async () => {
  const { driver, close } = await sqliteRecord(clock);
  onTestFinished(close);
  const seen = await useRecord(driver);
  const steps: string[] = [];
  for (const [name, statement] of seen) {
    const text = `EXPLAIN QUERY PLAN ${statement.text(driver.dialect, 1)}`;
    const rows = await driver.read((tx) => tx.execute<[number, number, number, step: string]>(text));
    for (const row of rows) steps.push(`${name}: ${row[3]}`);
  }

  expect(seen.size).toBeGreaterThan(35);
  expect(steps).toContain('recorded_tasks: SEARCH tasks USING INDEX tasks_id (id=?)');
  expect(steps).toContain('record_moves: SEARCH tasks USING INDEX tasks_id (id=?)');
  expect(steps).toContain('record_results: SEARCH tasks USING INDEX tasks_id (id=?)');
  expect(steps).toContain('unfinished_ids: SEARCH tasks USING COVERING INDEX tasks_unfinished (state=? AND id>?)');
  const walks = steps.filter((step) => new RegExp(`SCAN (${growing})\\b`).test(step));
  // One look at the first row of a partial index.
  expect(walks.filter((step) => !step.startsWith('own_tasks'))).toEqual([]);
  const sorts = steps.filter((step) => step.includes('TEMP B-TREE')).map((step) => step.split(':')[0] ?? '');
  // A page of each state at most.
  expect([...new Set(sorts)].sort()).toEqual(['recorded_lines', 'unfinished_ids']);
});

test('a search of a record for what waits reads the index of that', async () => {
  const { driver, close } = await sqliteRecord(clock);
  onTestFinished(close);
  await createRecord(driver).recording.follow(nobody, { incarnation: life, seq: 0 }, null);
  for (const state of ['queued', 'running', 'scheduled', 'blocked']) {
    for (const filter of [`state:${state}`, `state:${state} worker:w`]) {
      const plan = await planSearch(driver, parseFilter(filter), { ...limits, form: 'record' });
      expect(plan.ways.map(({ kind }) => kind)).toEqual(['index']);
      const draft: Draft = { dialect: driver.dialect, now: 0, values: [] };
      const text = lookText({ ...plan, from: sampleId(1), rows: 5, wanted: 5 }, draft);
      const steps = await driver.read((tx) =>
        tx.execute<[number, number, number, string]>(`EXPLAIN QUERY PLAN ${text}`),
      );
      const step = steps.map((row) => row[3]).find((each) => each.includes('tasks'));
      expect(step).toMatch(/USING (?:COVERING )?INDEX tasks_(unfinished|state) \(state=\?/);
    }
  }
});

await onPostgres(({ url }) => {
  const tasks = Number(process.env.PLAN_TASKS ?? 30_000);
  const namespace = 'plans';
  const address = { ...readPostgresUrl(url), pool: 2 };

  /** Finished ones nearly all; a few more wait, as a record has them. */
  async function fill(client: Client): Promise<void> {
    const id = "'X' || lpad(n::text, 25, '0')";
    const series = `FROM generate_series(1, ${tasks}) AS n`;
    await client.query(`INSERT INTO ${namespace}.tasks (id, queue, name, state, priority, version, epoch, attempt, generation, crashes,
        interruptions, snoozes, due_at, created_at, finished_at, prune_at, keep_ms, policy, payload)
      SELECT ${id}, 'q', 'name', CASE n % 100 WHEN 0 THEN 'queued' ELSE 'succeeded' END, 5, 1, 0, 0, 1, 0, 0, 0, n, n,
        CASE WHEN n % 100 > 0 THEN n END, CASE WHEN n % 100 > 0 THEN 3000000000000 END, 1, '{}', '{}' ${series}`);
    await client.query(`INSERT INTO ${namespace}.attempts (task_id, epoch, attempt, claimed_at, ended_at, state)
      SELECT ${id}, 1, 1, n, n, 'failed' ${series}`);
    await client.query(
      `INSERT INTO ${namespace}.logs (task_id, epoch, at, level, message) SELECT ${id}, 1, n, 'info', 'm' ${series}`,
    );
    await client.query(
      `INSERT INTO ${namespace}.timeline (task_id, at, kind, text) SELECT ${id}, n, 'retried', 't' ${series}`,
    );
    await client.query(`INSERT INTO ${namespace}.members SELECT ${id}, ${id} ${series}`);
    await client.query('ANALYZE');
  }

  test(`Postgres reaches every row of a record of ${tasks} by an index`, { timeout: 300_000 }, async () => {
    const driver = createPostgresDriver({
      address,
      namespace,
      clock: systemClock,
      chance: systemChance,
      now: () => clock.now,
    });
    await driver.open();
    onTestFinished(() => driver.close());
    await migrate(driver, systemChance);
    const client = new Client(clientConfig(address));
    await client.connect();
    onTestFinished(() => client.end());
    const seen = await useRecord(driver);
    await fill(client);
    await client.query("SET plan_cache_mode = 'force_generic_plan'");
    const walks: string[] = [];
    for (const [name, statement] of seen) {
      const text = qualify(statement.text(postgresDialect, 1), namespace);
      const count = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, digits]) => Number(digits)));
      await client.query(`PREPARE planned AS ${text}`);
      const values = count === 0 ? '' : `(${new Array(count).fill('NULL').join(', ')})`;
      const { rows } = await client.query(`EXPLAIN EXECUTE planned${values}`);
      await client.query('DEALLOCATE planned');
      const plan = rows.map((row) => String(row['QUERY PLAN']));
      walks.push(
        ...plan
          .filter((step) => new RegExp(`Seq Scan on (${growing})\\b`).test(step))
          .map((step) => `${name}: ${step}`),
      );
    }

    expect(walks.filter((step) => !step.startsWith('own_tasks'))).toEqual([]);
  });
});

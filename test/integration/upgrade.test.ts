/** Databases that an older version has filled. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { createPostgresDriver } from '../../src/broker/postgres/driver.ts';
import { createPostgresBroker } from '../../src/broker/postgres/store.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import type { SqlDriver } from '../../src/broker/sql/driver.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { migrations } from '../../src/broker/sql/migrations/index.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { createSqliteBroker } from '../../src/broker/sqlite/store.ts';
import { systemChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';

/** The schema before a migration, with the rows of its time. */
async function fill(driver: SqlDriver, before: string, rows: readonly string[]): Promise<void> {
  await migrate(
    driver,
    systemChance,
    migrations.filter(({ name }) => name < before),
  );
  for (const row of rows) await driver.transaction((tx) => tx.execute(row));
}

const insertTask = (id: string, state: string, options: string): string =>
  `INSERT INTO tasks (id, queue, name, state, priority, version, epoch, attempt, generation, crashes, interruptions, snoozes, due_at,
    created_at, keep_ms, policy, payload, options) VALUES ('${id}', 'default', 'old', '${state}', 5, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1000, '{}', '{}',
    '${options}')`;

/** Claims what there is, and lets it succeed. */
async function pass(broker: Broker, token: number): Promise<readonly string[]> {
  const claimed = await broker.claim(claimRequest(sampleToken(token)));
  await broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded'))));
  return claimed.map(({ task }) => task.id);
}

/** A database as an older version has left it, and the broker of this one. */
async function meetsParents(
  driver: SqlDriver & { open(): Promise<void>; close(): unknown },
  broker: Broker,
): Promise<void> {
  const [child = '', early = '', late = ''] = [1, 2, 3].map(sampleId);
  const dependsOn = [early, late].map((taskId) => ({ taskId, onFailure: 'fail' }));
  await driver.open();
  await fill(driver, '0012', [
    insertTask(child, 'blocked', JSON.stringify({ dependsOn })),
    insertTask(early, 'queued', '{}'),
    ...dependsOn.map(
      ({ taskId }) =>
        `INSERT INTO edges (parent_id, child_id, state, on_failure) VALUES ('${taskId}', '${child}', 'open', 'fail')`,
    ),
  ]);
  await broker.open();
  await broker.prune(1);
  await broker.enqueue([newTask(late)]);
  expect([await pass(broker, 1), await pass(broker, 2)]).toEqual([[early, late], [child]]);
  await broker.close();
  await driver.close();
}

test('SQLite: a child that an older version restored meets the parents that came since, and those to come', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-upgrade-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'store.db');
  const driver = createSqliteDriver({ file, now: systemClock.now, clock: systemClock, chance: systemChance });
  await meetsParents(driver, createSqliteBroker({ file }));
});

await onPostgres(({ url }) => {
  test('Postgres: a child that an older version restored meets the parents that came since, and those to come', async () => {
    const place = { address: readPostgresUrl(url), namespace: 'old' };
    const driver = createPostgresDriver({ ...place, clock: systemClock, chance: systemChance });
    await meetsParents(driver, createPostgresBroker(place));
  });
});

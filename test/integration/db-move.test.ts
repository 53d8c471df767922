/** Tests the move of a store: everything arrives, wherever it is killed, and what must not be moved is refused. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { createPostgresBroker } from '../../src/broker/postgres/store.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import type { SqlDriver } from '../../src/broker/sql/driver.ts';
import { type MoveOptions, type MoveReport, move, planMove } from '../../src/broker/sql/move.ts';
import { leftTables, movedTables } from '../../src/broker/sql/moved-tables.ts';
import { createSqliteBroker } from '../../src/broker/sqlite/store.ts';
import { seededChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';
import { createSqlHistory } from '../../src/history/sql-history.ts';
import {
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  sampleId,
  sampleToken,
  settlement,
} from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';

type SqlStore = Broker & { readonly driver: SqlDriver };

let folder: string;
let source: SqlStore;
let opened: SqlStore[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-move-'));
  opened = [];
  source = await sqlite('source');
});

afterEach(async () => {
  for (const store of opened) await store.close();
  rmSync(folder, { recursive: true });
});

async function sqlite(name: string): Promise<SqlStore> {
  return open(createSqliteBroker({ file: join(folder, `${name}.db`) }));
}

async function open(store: SqlStore): Promise<SqlStore> {
  await store.open();
  opened.push(store);
  return store;
}

const optionsOf = (from: SqlStore, to: SqlStore, given: Partial<MoveOptions> = {}): MoveOptions => ({
  from: from.driver,
  to: to.driver,
  chance: seededChance(1),
  force: false,
  ...given,
});

/** Something of everything: each state, keys, groups, limits, edges, a cancelled flow, attempts, logs, schedules, settings. */
async function fill(store: Broker): Promise<void> {
  const limits = [{ name: 'api', max: 5, rate: { count: 100, perMs: 1_000 } }];
  const plain = Array.from({ length: 250 }, (_, index) => newTask(sampleId(index + 1), { payload: `{"n":${index}}` }));
  await store.enqueue(plain);
  const run = await store.claim(claimRequest(sampleToken(1), { limit: 60, queues: [{ name: 'default', limit: 60 }] }));
  const logs = [{ at: 1, level: 'info', message: 'a "word"\u0000', fields: '{"a":1}' } as const];
  await store.settle(
    run.slice(0, 40).map(({ lease, task }, index) =>
      settlement(task.id, lease, index % 3 === 0 ? finish('failed') : finish('succeeded', { result: '{"ok":true}' }), {
        ranMs: 5,
        logs,
      }),
    ),
  );
  await store.enqueue([
    newTask(sampleId(301), { key: 'k', delayMs: 3_600_000, queue: 'later', tags: ['x'] }),
    newTask(sampleId(302), { group: 'g', limits, queue: 'grouped' }),
    newTask(sampleId(303), { group: 'h', queue: 'grouped', flowId: sampleId(302) }),
    newTask(sampleId(304), { dependsOn: [{ taskId: sampleId(302), onFailure: 'fail' }], flowId: sampleId(302) }),
    newTask(sampleId(305), { flowId: sampleId(399), queue: 'later' }),
  ]);
  await store.cancel({ taskIds: [], flowId: sampleId(399), reason: 'not wanted' });
  await store.configure('queue', 'later', { pause: { by: 'bob', reason: 'holidays' }, max: 3 });
  await store.configure('group', 'g', { weight: 3 });
  await store.configure('limit', 'api', { max: 7 });
  const next = { at: 4_000_000_000_000, dueAt: 4_000_000_000_000 };
  await store.schedules.put([{ name: 'nightly', definition: '{"cron":"0 2 * * *"}', next }]);
}

/** What anybody can see of a store, but for what is of the database itself. */
async function seen(store: SqlStore): Promise<unknown> {
  const history = createSqlHistory(store.driver, systemClock);
  const ids = [
    ...Array.from({ length: 250 }, (_, index) => sampleId(index + 1)),
    ...[301, 302, 303, 304, 305].map(sampleId),
  ];
  return {
    records: await Promise.all(ids.map((id) => history.task(id))),
    queues: (await store.getQueues()).map((queue) => ({
      ...queue,
      pause: queue.pause?.by === 'db move' ? null : queue.pause,
    })),
    groups: await store.getGroups(null, 100),
    limits: await store.getLimits(null, 100),
    schedules: await store.schedules.list(null, 100),
    minutes: await history.minutes({ from: 0, to: 4_000_000_000_000 }),
    facets: await history.facets(),
  };
}

async function check(target: SqlStore, given?: Partial<MoveOptions>): Promise<MoveReport> {
  await fill(source);
  const before = await seen(source);
  const report = await move(optionsOf(source, target, given));
  expect(await seen(target)).toEqual(before);
  return report;
}

describe('a move from SQLite to SQLite', () => {
  test('brings everything, with the leases and keys in force, and pauses the source', async () => {
    const target = await sqlite('target');
    const report = await check(target);
    expect(report).toMatchObject({ status: 'moved', paused: ['default', 'grouped'], checksum: expect.any(String) });
    expect(report.rows).toMatchObject({ tasks: 255, attempts: 14, logs: 40, claims: 1, schedules: 1 });
    expect(await source.claim(claimRequest(sampleToken(2)))).toEqual([]);
    expect(await target.claim(claimRequest(sampleToken(2), { limit: 10 }))).toHaveLength(10);
    const [held] = await target.enqueue([newTask(sampleId(400), { key: 'k' })]);
    expect(held).toMatchObject({ outcome: 'duplicate', of: sampleId(301) });
    const [running] = await source.claim(claimRequest(sampleToken(1)));
    const end = settlement(running!.task.id, running!.lease, finish('succeeded'));
    expect((await target.settle([end])).results).toEqual([{ outcome: 'applied' }]);
  });

  test('goes on where it was killed, as often as that is', async () => {
    const target = await sqlite('target');
    await fill(source);
    const before = await seen(source);
    let kills = 0;
    for (let left = 0; ; left++) {
      let batches = 0;
      const die = (): void => {
        if (batches++ === left % 3) throw new Error('killed');
      };
      const report = await move(optionsOf(source, target, { onProgress: left < 20 ? die : () => {} })).catch(
        () => null,
      );
      if (report !== null) break;
      kills += 1;
    }
    expect(kills).toBe(20);
    expect(await seen(target)).toEqual(before);
    expect(await move(optionsOf(source, target))).toMatchObject({ status: 'already' });
  });

  test('is only told by a dry run', async () => {
    const target = await sqlite('target');
    await fill(source);
    expect(await planMove(optionsOf(source, target))).toMatchObject({ status: 'planned', rows: { tasks: 255 } });
    expect((await target.getQueues()).length).toBe(0);
    expect((await source.getQueues()).map(({ pause }) => pause?.by ?? null)).toEqual([null, null, 'bob']);
  });

  test('is refused into data of another store, and into itself', async () => {
    const target = await sqlite('target');
    await target.enqueue([newTask(sampleId(1))]);
    await expect(move(optionsOf(source, target))).rejects.toMatchObject({ code: 'STORE_NOT_EMPTY' });
    await expect(move(optionsOf(source, source))).rejects.toMatchObject({ code: 'STORE_NOT_EMPTY' });
    await expect(planMove(optionsOf(source, target))).rejects.toMatchObject({ code: 'STORE_NOT_EMPTY' });
  });

  test('waits for nobody who works there, unless told', async () => {
    const target = await sqlite('target');
    await source.heartbeat(heartbeatRequest([]));
    await expect(move(optionsOf(source, target))).rejects.toMatchObject({
      code: 'STORE_IN_USE',
      message: expect.stringContaining('worker'),
    });
    expect(await check(target, { force: true })).toMatchObject({ status: 'moved' });
  });

  test('notices what was written meanwhile', async () => {
    const target = await sqlite('target');
    await fill(source);
    let written = false;
    const onProgress: MoveOptions['onProgress'] = (step) => {
      if (step !== 'compare' || written) return;
      written = true;
      void source.enqueue([newTask(sampleId(500))]);
    };
    await expect(move(optionsOf(source, target, { onProgress }))).rejects.toMatchObject({ code: 'MOVE_INCOMPLETE' });
  });
});

await onPostgres(({ url, createDatabase }) => {
  const postgres = async (database: string) =>
    open(createPostgresBroker({ address: { ...readPostgresUrl(database), pool: 4 }, namespace: 'moved' }));

  test('a move to Postgres and back brings everything', async () => {
    const target = await postgres(url);
    await check(target);
    const back = await sqlite('back');
    await move(optionsOf(target, back));
    expect(await seen(back)).toEqual(await seen(target));
    expect(await target.claim(claimRequest(sampleToken(2)))).toEqual([]);
    expect(await back.claim(claimRequest(sampleToken(2), { limit: 10 }))).toHaveLength(10);
  });

  test('new rows of a moved store are numbered behind the moved ones', async () => {
    const target = await postgres(await createDatabase());
    await check(target);
    await target.enqueue([newTask(sampleId(600), { queue: 'fresh' })]);
    expect(await target.claim(claimRequest(sampleToken(3), { queues: [{ name: 'fresh', limit: 1 }] }))).toHaveLength(1);
  });
});

test('every table of the schema is moved with all its columns, or left for a reason', () => {
  const schema = readFileSync(new URL('../../src/broker/sql/schema.sql', import.meta.url), 'utf8');
  const found = Object.fromEntries(
    [...schema.matchAll(/^CREATE TABLE (\w+) \((.*?)\n?\)(?: WITHOUT ROWID)?;$/gms)].map(([, name = '', body = '']) => [
      name,
      [...body.matchAll(/(?:^|[\n,(])\s*(\w+) (?:text|bigint)\b/g)].map(([, column]) => column).sort(),
    ]),
  );
  const named = Object.fromEntries(movedTables.map(({ name, columns }) => [name, Object.keys(columns).sort()]));
  const moved = Object.fromEntries(Object.entries(found).filter(([name]) => !(name in leftTables)));
  expect(named).toEqual(moved);
  expect(Object.keys(found).sort()).toEqual([...Object.keys(named), ...Object.keys(leftTables)].sort());
  expect(existsSync(new URL('../../src/broker/sql/schema.sql', import.meta.url))).toBe(true);
});

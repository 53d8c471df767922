/** Tests the way from a database into a live store in none, and back: everything arrives, wherever it is killed. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { createMemoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { createMemoryState } from '../../src/broker/memory/state.ts';
import { createPostgresBroker } from '../../src/broker/postgres/store.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { createRedisBroker, type RedisOptions } from '../../src/broker/redis/redis-broker.ts';
import type { SqlDriver } from '../../src/broker/sql/driver.ts';
import { isRecord } from '../../src/broker/sql/form-indexes.ts';
import { move, planMove } from '../../src/broker/sql/move.ts';
import { giveUpMove, readPlace } from '../../src/broker/sql/record-place.ts';
import { refuseRecord } from '../../src/broker/sql/refuse-record.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { createSqliteBroker } from '../../src/broker/sqlite/store.ts';
import { seededChance } from '../../src/core/chance.ts';
import { limits } from '../../src/core/limits.ts';
import { systemClock } from '../../src/core/time.ts';
import { bringBack } from '../../src/engine/bring-back.ts';
import { createSqlRecording } from '../../src/history/recording/sql-recording.ts';
import { createSqlHistory } from '../../src/history/sql-history.ts';
import { moveIntoLive, planIntoLive } from '../../src/move/into-live.ts';
import type { LiveStore } from '../../src/move/live-move.ts';
import { moveOutOfLive, planOutOfLive } from '../../src/move/out-of-live.ts';
import { createRelay } from '../../src/relay/relay.ts';
import {
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  sampleId,
  sampleToken,
  settlement,
} from '../conformance/samples.ts';
import { dyingAt } from '../support/dying-at.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { onRedis } from '../support/redis-tests.ts';
import { fill, seen } from './move-live-rig.ts';

let seeds = 1;

function createLive(outboxMax: number = limits.outboxMax): LiveStore {
  const state = createMemoryState({ outboxMax, liveKeepMs: limits.liveKeepMs });
  return createMemoryBroker({ now: systemClock.now, chance: seededChance(seeds++), state }) as unknown as LiveStore;
}

type Rig = Awaited<ReturnType<typeof createRig>>;

async function createRig(live: LiveStore = createLive()) {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-move-live-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return openRig(live, createSqliteBroker({ file: join(folder, 'a.db') }));
}

/** Of a namespace of its own on both. */
function createServersRig(address: RedisOptions['address'], url: string): Promise<Rig> {
  const namespace = `move_${randomBytes(6).toString('hex')}`;
  const live = createRedisBroker({ address, namespace });
  return openRig(live, createPostgresBroker({ address: { ...readPostgresUrl(url), pool: 4 }, namespace }));
}

async function openRig(live: LiveStore, { driver, ...sql }: Broker & { readonly driver: SqlDriver }) {
  await sql.open();
  await live.open();
  onTestFinished(async () => {
    await live.close();
    await sql.close();
  });
  const recording = createSqlRecording(driver);
  const join = () => Promise.reject(new Error('nobody enqueues'));
  const { relay } = createRelay({ driver, join, broker: live, clock: systemClock });
  const options = { live, driver, recording, clock: systemClock, chance: seededChance(5), force: false, relay };
  return { ...options, sql, options, history: createSqlHistory(driver, systemClock) };
}

/** With both stores dying at the nth call that is made of them: before it is done, or after. */
function dying(options: Rig['options'], nth: number, after: boolean): Rig['options'] {
  const last = { left: nth, after };
  const [live, driver] = [dyingAt(options.live, last), dyingAt(options.driver, last)];
  return { ...options, live, driver, recording: createSqlRecording(driver) };
}

/** Kills the move at each step, later each time, until it has come to its end. Answers how often. */
async function killedAtEachStep(move: typeof moveOutOfLive, options: Rig['options']): Promise<number> {
  for (let kills = 0; ; kills++) {
    const report = await move(dying(options, kills, kills % 2 === 0)).catch(() => null);
    if (report !== null) return kills;
  }
}

function declareMoves(name: string, rigOf: () => Promise<Rig>): void {
  // Each step is the last one once: a hundred moves.
  describe(name, { timeout: 120_000 }, () => {
    test('a database becomes the record of a live store, which has all that waits', async () => {
      const { sql, live, options, history, driver } = await rigOf();
      await fill(sql);
      const before = await seen(sql);
      const facets = await history.facets();
      expect(await planIntoLive(options)).toMatchObject({ status: 'planned', rows: { tasks: 230 } });
      const report = await moveIntoLive(options);
      expect(report).toMatchObject({
        status: 'moved',
        rows: { tasks: 230, queues: 3, groups: 1, limits: 1, schedules: 120 },
        paused: ['default', 'grouped'],
      });
      expect(await seen(live)).toEqual(before);
      expect(await history.facets()).toEqual(facets);
      expect((await history.task(sampleId(1)))?.attempts).toBeDefined();
      expect(await moveIntoLive(options)).toMatchObject({ status: 'already' });
      const [waiting, kept] = await live.enqueue([
        newTask(sampleId(400), { key: 'k' }),
        newTask(sampleId(401), { key: 'kept' }),
      ]);
      expect([waiting, kept]).toMatchObject([{ outcome: 'duplicate', of: sampleId(301) }, { outcome: 'duplicate' }]);
      expect(await live.claim(claimRequest(sampleToken(2), { limit: 10 }))).toHaveLength(10);
      expect((await driver.readOne({ name: 'keys', text: () => 'SELECT key FROM keys' })).length).toBe(0);
    });

    test('a live store that is wiped before anybody has recorded it gets back what people had set', async () => {
      const { sql, options, recording } = await rigOf();
      await fill(sql);
      await moveIntoLive(options);
      const fresh = createLive();
      await bringBack(fresh, recording);
      const settings = { pause: { by: 'bob', reason: 'holidays' }, max: 3 };
      expect((await fresh.getQueues()).find(({ name }) => name === 'later')).toMatchObject(settings);
      expect(await fresh.getGroups(null, 9)).toMatchObject([{ name: 'g', weight: 3 }]);
      expect(await fresh.getLimits(null, 9)).toMatchObject([{ name: 'api', max: 7, pause: { by: 'ada' } }]);
      expect(await fresh.schedules.list(null, 200)).toHaveLength(120);
      expect(await fresh.schedules.get(['s7'])).toMatchObject([{ pause: { by: 'ada', reason: 'later' } }]);
    });

    test('what lived elsewhere comes home into its record, with what happened there', async () => {
      const { sql, live, options, history } = await rigOf();
      await fill(sql);
      await moveIntoLive(options);
      const [first, second] = await live.claim(claimRequest(sampleToken(2), { limit: 2 }));
      await live.settle([settlement(first!.task.id, first!.lease, finish('succeeded', { result: '7' }))]);
      await live.enqueue([newTask(sampleId(501), { key: 'new', group: 'g', queue: 'grouped' })]);
      const before = await seen(live);
      expect(await planOutOfLive(options)).toMatchObject({ status: 'planned', rows: { tasks: 230 } });
      expect(await moveOutOfLive(options)).toMatchObject({ status: 'moved', rows: { tasks: 230, schedules: 120 } });
      expect(await seen(sql)).toEqual(before);
      expect((await history.task(first!.task.id))?.task).toMatchObject({ state: 'succeeded', result: '7' });
      expect(await moveOutOfLive(options)).toMatchObject({ status: 'already' });
      // It lives: keys, leases, turns and parents are in force, and the counts are right.
      const held = await sql.enqueue([
        newTask(sampleId(601), { key: 'new' }),
        newTask(sampleId(602), { key: 'kept' }),
        newTask(sampleId(603), { key: 'k' }),
      ]);
      expect(held.map(({ outcome }) => outcome)).toEqual(['duplicate', 'duplicate', 'duplicate']);
      expect((await live.getTasks([second!.task.id]))[0]?.state).toBe('running');
      await sql.configure('limit', 'api', { pause: null });
      const claimed = await sql.claim(
        claimRequest(sampleToken(9), {
          limit: 500,
          queues: ['default', 'grouped'].map((name) => ({ name, limit: 500 })),
        }),
      );
      const parents = claimed.filter(({ task }) => [302, 306].map(sampleId).includes(task.id));
      await sql.settle(parents.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded'))));
      expect((await sql.getTasks([304, 0].map(sampleId))).map((task) => task?.state)).toEqual(['queued', 'queued']);
      expect((await history.facets()).views['queued']).toBe(2);
    });

    test('killed at any step, the way into a live store goes on', async () => {
      const { sql, live, options, history } = await rigOf();
      await fill(sql);
      const [before, facets] = [await seen(sql), await history.facets()];
      expect(await killedAtEachStep(moveIntoLive, options)).toBeGreaterThan(15);
      expect([await seen(live), await history.facets()]).toEqual([before, facets]);
    });

    test('killed at any step, the way home goes on', async () => {
      const { sql, live, options, history } = await rigOf();
      await fill(sql);
      await moveIntoLive(options);
      const [before, facets] = [await seen(live), await history.facets()];
      expect(await killedAtEachStep(moveOutOfLive, options)).toBeGreaterThan(15);
      expect([await seen(sql), await history.facets()]).toEqual([before, facets]);
    });
  });
}

declareMoves('between SQLite and memory', () => createRig());

await onRedis(async (address) => {
  await onPostgres(({ url }) => {
    declareMoves('between Postgres and Redis', () => createServersRig(address, url));
  });
});

test('there and back again, and there once more', async () => {
  const { sql, options, ...rig } = await createRig();
  await fill(sql);
  const before = await seen(sql);
  for (const live of [rig.live, createLive(), createLive()]) {
    await moveIntoLive({ ...options, live });
    expect(await seen(live)).toEqual(before);
    await moveOutOfLive({ ...options, live });
    expect(await seen(sql)).toEqual(before);
  }
});

test('more than an outbox holds is moved all the same', async () => {
  const { live, sql, options } = await createRig(createLive(50));
  await fill(sql);
  const before = await seen(sql);
  await moveIntoLive(options);
  expect(await seen(live)).toEqual(before);
});

test('a move into a live store that was given up leaves a store, which can be moved elsewhere', async () => {
  const { sql, options, driver, history } = await createRig();
  await fill(sql);
  await expect(moveIntoLive(dying(options, 30, true))).rejects.toThrow('killed');
  await refuseRecord(driver);
  await sql.configure('queue', 'default', { pause: null });
  await endSome(sql, 40);
  // What came to the first target is old by now.
  await expect(moveIntoLive(options)).rejects.toMatchObject({ code: 'MOVE_INCOMPLETE' });
  const live = createLive();
  const [before, facets] = [await seen(sql), await history.facets()];
  await moveIntoLive({ ...options, live });
  expect([await seen(live), await history.facets()]).toEqual([before, facets]);
});

/** Claims as many and lets them succeed. */
async function endSome(store: Broker, limit: number): Promise<void> {
  const claimed = await store.claim(claimRequest(sampleToken(77), { limit, queues: [{ name: 'default', limit }] }));
  await store.settle(claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded'))));
}

test.each(['at once', 'after the record was in use'])('a way home that was given up begins anew: %s', async (how) => {
  const { sql, live, options, driver, history } = await createRig();
  await fill(sql);
  await moveIntoLive(options);
  await expect(moveOutOfLive(dying(options, 50, true))).rejects.toThrow('killed');
  expect(await driver.read(readPlace)).not.toBeNull();
  if (how !== 'at once') await giveUpMove(driver);
  // The live store lives on: a key is let go, another is taken.
  await live.configure('queue', 'default', { pause: null });
  await live.cancel({ taskIds: [sampleId(301)], reason: null });
  await endSome(live, 40);
  await live.enqueue([newTask(sampleId(701), { key: 'late' })]);
  const before = await seen(live);
  await moveOutOfLive(options);
  expect(await seen(sql)).toEqual(before);
  expect((await history.facets()).views['cancelled']).toBe(1);
  const tasks = [newTask(sampleId(801), { key: 'k' }), newTask(sampleId(802), { key: 'late' })];
  expect((await sql.enqueue(tasks)).map(({ outcome }) => outcome)).toEqual(['created', 'duplicate']);
});

test('a move meets no other, and no server that begins to use the record', async () => {
  const { sql, options, driver } = await createRig();
  await fill(sql);
  await moveIntoLive(options);
  let told = false;
  const onProgress = (): void => {
    if (!told) void giveUpMove(driver);
    told = true;
  };
  await expect(moveOutOfLive({ ...options, onProgress })).rejects.toMatchObject({ code: 'STORE_IN_USE' });
  expect(await moveOutOfLive(options)).toMatchObject({ status: 'moved' });
});

test('what is written during a move is told', async () => {
  const { sql, live, options } = await createRig();
  await fill(sql);
  const write = (store: Broker, id: number) => async (step: string) => {
    if (step === 'compare') await store.enqueue([newTask(sampleId(id), { queue: 'new' })]);
  };
  const into = moveIntoLive({ ...options, onProgress: (step) => void write(sql, 901)(step) });
  await expect(into).rejects.toMatchObject({ code: expect.stringMatching(/STORE_IN_USE|MOVE_INCOMPLETE/) });
  await moveIntoLive(options);
  const home = moveOutOfLive({ ...options, onProgress: (step) => void write(live, 902)(step) });
  await expect(home).rejects.toMatchObject({ code: expect.stringMatching(/STORE_IN_USE|MOVE_INCOMPLETE/) });
});

test('who has the database open as a store is refused once it is a record, and is given nothing', async () => {
  const { sql, options } = await createRig();
  await fill(sql);
  await moveIntoLive(options);
  await expect(sql.enqueue([newTask(sampleId(903), { queue: 'a' })])).rejects.toMatchObject({
    code: 'RECORD_ELSEWHERE',
  });
  expect(await sql.claim(claimRequest(sampleToken(9), { limit: 10 }))).toEqual([]);
  expect(await options.driver.read(isRecord)).toBe(true);
});

test('a record is not moved as if it were a store, and nothing is moved into one', async () => {
  const { sql, options, driver } = await createRig();
  const other = await createRig();
  await sql.enqueue([newTask(sampleId(1))]);
  await moveIntoLive(options);
  const chance = seededChance(1);
  for (const [from, to] of [
    [driver, other.driver],
    [other.driver, driver],
  ] as const) {
    await expect(move({ from, to, chance, force: false })).rejects.toMatchObject({ code: 'RECORD_ELSEWHERE' });
    await expect(planMove({ from, to, force: false })).rejects.toMatchObject({ code: 'RECORD_ELSEWHERE' });
  }
});

test('a parent that had succeeded and was removed holds nobody back, on either side', async () => {
  const { sql, live, options } = await createRig();
  const dependsOn = [1, 2, 3].map((id) => ({ taskId: sampleId(id), onFailure: 'fail' }) as const);
  const queues = ['default', 'b', 'c'];
  await sql.enqueue([
    ...queues.map((queue, index) => newTask(sampleId(index + 1), { queue })),
    newTask(sampleId(4), { dependsOn }),
  ]);
  const succeed = async (store: Broker, id: number): Promise<void> => {
    const name = queues[id - 1] ?? '';
    await store.configure('queue', name, { pause: null });
    const [claimed] = await store.claim(claimRequest(sampleToken(id), { queues: [{ name, limit: 1 }] }));
    await store.settle([settlement(sampleId(id), claimed!.lease, finish('succeeded'))]);
  };
  await succeed(sql, 1);
  await sql.remove([sampleId(1)]);
  await moveIntoLive(options);
  await succeed(live, 2);
  await live.remove([sampleId(2)]);
  expect((await live.getTasks([sampleId(4)]))[0]).toMatchObject({ state: 'blocked', dependsOn: dependsOn.slice(1) });
  await moveOutOfLive(options);
  await succeed(sql, 3);
  expect((await sql.getTasks([sampleId(4)]))[0]).toMatchObject({ state: 'queued', dependsOn: dependsOn.slice(2) });
});

test('a database that is no record, or not even migrated, is refused in the place of one', async () => {
  const { live, options } = await createRig();
  await live.enqueue([newTask(sampleId(1))]);
  const elsewhere = { code: 'RECORD_ELSEWHERE', message: expect.stringContaining('records none') };
  await expect(moveOutOfLive(options)).rejects.toMatchObject(elsewhere);
  const driver = createSqliteDriver({
    file: ':memory:',
    now: systemClock.now,
    clock: systemClock,
    chance: seededChance(1),
  });
  await driver.open();
  const empty = { ...options, driver, recording: createSqlRecording(driver) };
  await expect(planOutOfLive(empty)).rejects.toMatchObject(elsewhere);
  await expect(planIntoLive(empty)).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
  await driver.close();
});

test('what is in use, has data of its own or another record is refused, and stays as it was', async () => {
  const { sql, live, options, driver } = await createRig();
  await sql.enqueue([newTask(sampleId(1))]);
  await sql.heartbeat(heartbeatRequest([]));
  await expect(moveIntoLive(options)).rejects.toMatchObject({ code: 'STORE_IN_USE' });
  await sql.heartbeat({ ...heartbeatRequest([]), worker: { ...heartbeatRequest([]).worker, state: 'stopped' } });
  const full = createLive();
  await full.enqueue([newTask(sampleId(9))]);
  await expect(moveIntoLive({ ...options, live: full })).rejects.toMatchObject({ code: 'STORE_NOT_EMPTY' });
  await expect(moveOutOfLive(options)).rejects.toMatchObject({ code: 'RECORD_ELSEWHERE' });
  await moveIntoLive(options);
  await expect(moveIntoLive({ ...options, live: createLive() })).rejects.toMatchObject({ code: 'RECORD_ELSEWHERE' });
  await expect(moveOutOfLive({ ...options, live: full })).rejects.toMatchObject({ code: 'RECORD_ELSEWHERE' });
  await live.heartbeat(heartbeatRequest([]));
  await expect(moveOutOfLive(options)).rejects.toMatchObject({ code: 'STORE_IN_USE' });
  await driver.writeOne({
    name: 'aside',
    text: () => "INSERT INTO relay (task_id, at, task, problem) VALUES ('x', 1, '{}', 'no')",
  });
  await expect(moveOutOfLive({ ...options, force: true })).rejects.toMatchObject({ code: 'RELAY_NOT_EMPTY' });
  expect((await live.getQueues())[0]?.pause).toBeNull();
});

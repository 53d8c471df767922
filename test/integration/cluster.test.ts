/** Redis for what lives and SQL for what happened, through the front door: what is promised of one store holds of both together. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createClusterStore } from '../../src/broker/cluster-store.ts';
import { connect } from '../../src/broker/connect.ts';
import { createRecordDatabase } from '../../src/broker/record-database.ts';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { systemChance } from '../../src/core/chance.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import { createIds } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import { systemClock } from '../../src/core/time.ts';
import { createEngine } from '../../src/engine/engine.ts';
import type { Store } from '../../src/history/history.ts';
import type { Gap } from '../../src/history/recording.ts';
import { type RedisServer, startRedis } from '../../src/servers/redis.ts';
import { claimRequest, finish, newTask, settlement } from '../conformance/samples.ts';
import { newSchedule } from '../conformance/schedule-samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { repeat } from './lost-replies.ts';

const ids = createIds(systemClock, systemChance);
const token = (): string => Buffer.from(systemChance.bytes(16)).toString('hex');

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-cluster-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs the services of a server over the store until the test ends. */
function serve(store: Store, onGap: (gap: Gap) => void = () => undefined): void {
  const engine = createEngine({ store, onGap });
  engine.start();
  onTestFinished(() => engine.stop());
}

async function opened(store: Store): Promise<Store> {
  await store.broker.open();
  onTestFinished(() => store.close());
  return store;
}

async function put(store: Store, count = 1): Promise<readonly string[]> {
  const made = ids.many(count);
  await store.broker.enqueue(made.map((id) => newTask(id)));
  return made;
}

/** Claims and ends whatever waits, however often a call has to be made. */
async function workOff(store: Store, limit = 100): Promise<number> {
  const request = claimRequest(token(), { limit, queues: [{ name: 'default', limit }] });
  const claimed = await repeat(() => store.broker.claim(request));
  const ends = claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded', { keepMs: 3_600_000 })));
  if (ends.length > 0) await repeat(() => store.broker.settle(ends));
  return claimed.length;
}

const caughtUp = (store: Store) => expect.poll(() => repeat(() => store.history.lagMs()), { timeout: 30_000 }).toBe(0);

const found = async (store: Store, q: string): Promise<readonly string[]> => {
  const { tasks } = await store.history.search(parseFilter(q), { after: null, limit: 100 });
  return tasks.map(({ id }) => id);
};

function declareCluster(name: string, server: RedisServer, recordUrl: () => Promise<string>): void {
  describe(`Redis with its record in ${name}`, { timeout: 60_000 }, () => {
    const open = async (namespace: string, store: string) =>
      opened(connect(`${server.url}?durability=any`, { store, namespace }));

    test('a task is found, shown and counted in every state', async () => {
      const store = await open(token(), await recordUrl());
      serve(store);
      const [first = '', second = ''] = await put(store, 2);
      await caughtUp(store);
      expect(await found(store, 'state:queued')).toEqual([second, first]);
      await workOff(store, 1);
      // The list of before, with the states of now.
      const { tasks } = await store.history.search(parseFilter(''), { after: null, limit: 10 });
      expect(tasks.map(({ id, state }) => [id, state])).toEqual([
        [second, 'queued'],
        [first, 'succeeded'],
      ]);
      await caughtUp(store);
      expect((await store.history.facets()).views).toEqual({ succeeded: 1, queued: 1 });
      expect((await store.history.task(first))?.task).toMatchObject({ state: 'succeeded', version: 3 });
      expect((await store.history.task(first))?.timeline.map(({ kind }) => kind)).toContain('finished');
    });

    test('what a wiped Redis had is brought back, with the pause of its queue, and the gap is told', async () => {
      const namespace = token();
      const store = await open(namespace, await recordUrl());
      const gaps: Gap[] = [];
      serve(store, (gap) => gaps.push(gap));
      const waiting = await put(store, 20);
      const [done = ''] = waiting;
      await workOff(store, 1);
      await store.broker.configure('queue', 'default', { pause: { by: 'ada', reason: null } });
      await store.broker.schedules.put([newSchedule('nightly')]);
      await caughtUp(store);
      const admin = new Redis({ path: server.path });
      onTestFinished(() => admin.disconnect());
      await admin.del(...(await admin.keys(`{${namespace}}:*`)));
      await expect.poll(() => gaps.length, { timeout: 20_000 }).toBe(1);
      expect(gaps[0]).toMatchObject({ restored: 19 });
      expect(await store.recording?.gaps(3)).toHaveLength(1);
      const [fresh = ''] = await put(store);
      expect(await workOff(store)).toBe(0);
      expect(await store.broker.schedules.get(['nightly'])).toMatchObject([newSchedule('nightly')]);
      await store.broker.configure('queue', 'default', { pause: null });
      while ((await workOff(store)) > 0);
      await caughtUp(store);
      expect((await store.history.facets()).views).toEqual({ succeeded: 21 });
      expect((await found(store, 'state:succeeded')).toSorted()).toEqual([...waiting, fresh].toSorted());
      expect((await store.broker.getTasks([done]))[0]?.state).toBe('succeeded');
    });
  });
}

await onOwnRedis(async (server) => {
  declareCluster('SQLite', server, async () => `sqlite:${join(newFolder(), 'record.db')}`);

  describe('Redis with a record', { timeout: 60_000 }, () => {
    /** With bounds and a retention that a test can reach. */
    const openSmall = async (given: { readonly outboxMax?: number; readonly liveKeepMs?: number }) => {
      const file = join(newFolder(), 'record.db');
      const outboxLimits = { outboxMax: limits.outboxMax, liveKeepMs: limits.liveKeepMs, ...given };
      const broker = createRedisBroker({ address: { path: server.path }, namespace: token(), outboxLimits });
      const database = createRecordDatabase(`sqlite:${file}`, { folder: '.', namespace: 'taskflow' });
      const store = await opened(createClusterStore({ broker, database, clock: systemClock, chance: systemChance }));
      return { store, file, live: broker };
    };

    test('that is away takes no more than the outbox holds, lets running tasks end, and catches up', async () => {
      const { store, file } = await openSmall({ outboxMax: 50 });
      serve(store);
      await put(store, 5);
      await caughtUp(store);
      const other = new DatabaseSync(file);
      other.exec('BEGIN EXCLUSIVE');
      const refused = async (): Promise<string | null> => {
        try {
          await put(store, 10);
          return null;
        } catch (error) {
          return (error as { code: string }).code;
        }
      };
      await expect.poll(refused).toBe('OUTBOX_FULL');
      expect(await workOff(store, 5)).toBe(5);
      other.exec('ROLLBACK');
      other.close();
      await caughtUp(store);
      expect(await refused()).toBe(null);
      await caughtUp(store);
      const { views } = await store.history.facets();
      const live = (await store.broker.getQueues())[0]?.counts;
      expect(views).toEqual(live);
    });

    test('finished tasks leave Redis when they are recorded, and come back when they are asked to', async () => {
      const { store, live } = await openSmall({ liveKeepMs: 0 });
      const [id = ''] = await put(store);
      await workOff(store);
      expect(await store.broker.prune(10)).toBe(0);
      serve(store);
      await caughtUp(store);
      // The last event stays as a mark, and with it what ended in its millisecond.
      await put(store);
      await expect
        .poll(async () => {
          await store.broker.prune(10);
          return (await live.getTasks([id]))[0];
        })
        .toBe(null);
      expect((await store.broker.getTasks([id]))[0]).toMatchObject({ id, state: 'succeeded' });
      expect((await store.history.task(id))?.task.state).toBe('succeeded');
      expect(await store.broker.retry([id])).toEqual([{ outcome: 'queued', generation: 2 }]);
      expect((await live.getTasks([id]))[0]).toMatchObject({ state: 'queued', generation: 2 });
      await caughtUp(store);
      expect((await store.history.task(id))?.task).toMatchObject({ state: 'queued', generation: 2 });
    });

    test('that belongs to another namespace is refused, and so is one with live tasks of its own', async () => {
      const folder = newFolder();
      await opened(connect(`${server.url}?durability=any`, { folder, store: 'sqlite:./record.db', namespace: 'one' }));
      const two = connect(`${server.url}?durability=any`, { folder, store: 'sqlite:./record.db', namespace: 'two' });
      await expect(two.broker.open()).rejects.toMatchObject({ code: 'RECORD_ELSEWHERE', message: /"one"/ });
      await two.close();
      const lone = await opened(connect('sqlite:./own.db', { folder }));
      await put(lone);
      const three = connect(`${server.url}?durability=any`, { folder, store: 'sqlite:./own.db', namespace: 'three' });
      await expect(three.broker.open()).rejects.toMatchObject({ code: 'RECORD_IS_LIVE' });
      await three.close();
    });

    test('is no store of its own', async () => {
      const folder = newFolder();
      const store = await opened(
        connect(`${server.url}?durability=any`, { folder, store: 'sqlite:./record.db', namespace: token() }),
      );
      serve(store);
      await put(store);
      await caughtUp(store);
      const own = connect('sqlite:./record.db', { folder });
      await expect(own.broker.open()).rejects.toMatchObject({ code: 'RECORD_ELSEWHERE' });
      await own.close();
    });

    test('loses nothing while Redis is killed again and again', async () => {
      const own = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
      onTestFinished(() => own.stop());
      const folder = newFolder();
      const store = await opened(connect(own.url, { folder, store: 'sqlite:./record.db' }));
      const gaps: Gap[] = [];
      serve(store, (gap) => gaps.push(gap));
      const taken: string[] = [];
      let isOver = false;
      const client = async (): Promise<void> => {
        while (!isOver) {
          const made = ids.many(5);
          await repeat(() => store.broker.enqueue(made.map((id) => newTask(id))));
          taken.push(...made);
        }
      };
      const worker = async (): Promise<void> => {
        while (!isOver) await workOff(store, 20);
      };
      const all = Promise.all([client(), client(), worker(), worker()]);
      for (let kills = 0; kills < 4; kills++) {
        const before = taken.length;
        while (taken.length < before + 100) await new Promise((resolve) => setImmediate(resolve));
        await own.kill();
        await own.restart();
      }
      isOver = true;
      await all;
      while ((await workOff(store)) > 0);
      await caughtUp(store);
      expect(gaps).toEqual([]);
      expect((await store.history.facets()).views).toEqual({ succeeded: taken.length });
      for (let from = 0; from < taken.length; from += 500) {
        const recorded = await store.recording?.tasks(taken.slice(from, from + 500));
        expect(recorded?.every((task) => task?.state === 'succeeded')).toBe(true);
      }
    });
  });

  await onPostgres((postgres) => declareCluster('Postgres', server, postgres.createDatabase));
});

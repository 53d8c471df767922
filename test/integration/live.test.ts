/** Tests that whoever follows hears every change once and in order, on every store, across disconnects and beside slow readers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect, createPostgresStore, createSqliteStore } from '../../src/broker/connect.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { seededChance, systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import { systemClock } from '../../src/core/time.ts';
import { createEngine } from '../../src/engine/engine.ts';
import type { Store } from '../../src/history/history.ts';
import { createLiveHub, type LiveHub } from '../../src/live/hub.ts';
import { createContext } from '../../src/operations/context.ts';
import { claimRequest, finish, newTask, settlement } from '../conformance/samples.ts';
import { LiveListener } from '../support/live-listener.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { waitFor } from '../support/wait-for.ts';

const ids = createIds(systemClock, systemChance);
const token = (): string => Buffer.from(systemChance.bytes(16)).toString('hex');

function hubOf(store: Store, gatherMax?: number): LiveHub {
  const context = createContext({ store, actor: { name: 'ada', role: 'admin' } });
  const hub = createLiveHub({ context, report: () => undefined, ...(gatherMax && { gatherMax }) });
  onTestFinished(() => hub.close());
  return hub;
}

const opened = (client: LiveListener) =>
  waitFor(() => expect(client.of('open').length + client.of('resync').length).toBeGreaterThan(0));

async function put({ broker }: Store, count: number, queue = 'default'): Promise<readonly string[]> {
  const made = ids.many(count);
  await broker.enqueue(made.map((id) => newTask(id, { queue })));
  return made;
}

/** Claims and ends what waits; answers how many. */
async function workOff({ broker }: Store, limit = 100, queue = 'default'): Promise<number> {
  const claimed = await broker.claim(claimRequest(token(), { limit, queues: [{ name: queue, limit }] }));
  const ends = claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded', { keepMs: 3_600_000 })));
  if (ends.length > 0) await broker.settle(ends);
  return claimed.length;
}

/** Each task went through these states, each once and in the order of its versions. */
function expectWhole(client: LiveListener, taskIds: readonly string[], states: readonly (string | null)[]): void {
  const byTask = Map.groupBy(client.changes, ({ id }) => id);
  for (const id of taskIds) {
    const own = byTask.get(id) ?? [];
    expect(own.map(({ to }) => to)).toEqual(states);
    const versions = own.map(({ version }) => version);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  }
}

const whole = ['queued', 'running', 'succeeded'];

function declareLive(name: string, open: () => Promise<Store>): void {
  describe(`live updates on ${name}`, { timeout: 60_000 }, () => {
    test('every change of every task arrives once and in order', async () => {
      const store = await open();
      const hub = hubOf(store);
      const client = new LiveListener(['all']);
      client.connect(hub);
      await opened(client);
      const made = await put(store, 30);
      while ((await workOff(store, 7)) > 0);
      await waitFor(() => expect(client.changes).toHaveLength(90));
      expectWhole(client, made, whole);
      expect(client.of('resync')).toEqual([]);
      expect(client.changes[0]).toEqual({
        id: made[0],
        name: expect.any(String),
        queue: 'default',
        version: 1,
        kind: 'enqueue',
        from: null,
        to: 'queued',
        reason: null,
        attempt: 0,
        at: expect.stringMatching(/^\d{4}-.*Z$/),
      });
    });

    test.each([1, 2, 3])(
      'nothing is lost or told twice across disconnects at random points (seed %i)',
      async (seed) => {
        const store = await open();
        const chance = seededChance(seed);
        // Two servers: who comes back may meet the other one.
        const hubs = [hubOf(store), hubOf(store)];
        const clients = ['all', 'queue:default', 'queue:other'].map((topic) => new LiveListener([topic]));
        const hub = () => hubs[Math.floor(chance.float() * hubs.length)] as LiveHub;
        for (const client of clients) client.connect(hub());
        for (const client of clients) await opened(client);
        const made: string[] = [];
        const others: string[] = [];
        for (let step = 0; step < 40; step++) {
          for (const client of clients) {
            if (chance.float() < 0.15) client.disconnect();
            if (chance.float() < 0.3) {
              client.disconnect();
              client.connect(hub());
            }
          }
          if (chance.float() < 0.5) made.push(...(await put(store, 1 + Math.floor(chance.float() * 4))));
          else if (chance.float() < 0.3) others.push(...(await put(store, 2, 'other')));
          else await workOff(store, 1 + Math.floor(chance.float() * 5));
          if (chance.float() < 0.2) await new Promise((resolve) => setTimeout(resolve, chance.float() * 300));
        }
        while ((await workOff(store)) > 0);
        for (const client of clients) client.disconnect();
        for (const client of clients) client.connect(hub());
        const [all, queue, other] = clients as [LiveListener, LiveListener, LiveListener];
        await waitFor(() => expect(all.changes).toHaveLength(made.length * 3 + others.length));
        await waitFor(() => expect(queue.changes).toHaveLength(made.length * 3));
        await waitFor(() => expect(other.changes).toHaveLength(others.length));
        expectWhole(all, made, whole);
        expectWhole(queue, made, whole);
        expectWhole(other, others, ['queued']);
        expect(clients.flatMap((client) => client.of('resync'))).toEqual([]);
      },
    );

    test("a task's own topic hears of it at once, and of no other", async () => {
      const store = await open();
      const hub = hubOf(store);
      const [first = ''] = await put(store, 2);
      const client = new LiveListener([`task:${first}`]);
      client.connect(hub);
      await opened(client);
      await workOff(store);
      await waitFor(() =>
        expect(client.changes.map(({ to }) => to)).toEqual(expect.arrayContaining(['running', 'succeeded'])),
      );
      expect(new Set(client.changes.map(({ id }) => id))).toEqual(new Set([first]));
    });

    test('counts, a queue and the workers are told as their operations answer', async () => {
      const store = await open();
      const hub = hubOf(store);
      await put(store, 2);
      const client = new LiveListener(['counts', 'queue:default', 'worker']);
      client.connect(hub);
      const newest = (topic: string) =>
        client.messages.findLast((message) => message.type === 'state' && message.topic === topic);
      await waitFor(() => expect(newest('queue:default')).toMatchObject({ data: { name: 'default', waiting: 2 } }));
      await put(store, 1);
      await waitFor(() => expect(newest('queue:default')).toMatchObject({ data: { waiting: 3 } }));
      expect(newest('worker')).toMatchObject({ data: { workers: expect.any(Array) } });
      expect(newest('counts')).toMatchObject({ data: { counts: expect.any(Object) } });
      await store.broker.configure('queue', 'default', { pause: { by: 'ann', reason: 'deploy' } });
      await waitFor(() => expect(newest('queue:default')).toMatchObject({ data: { state: 'paused' } }));
    });

    test('whoever comes back to another store is told once to ask anew', async () => {
      const store = await open();
      const hub = hubOf(store);
      const client = new LiveListener(['all']);
      client.cursor = 'somebodyelse.17';
      client.connect(hub);
      await opened(client);
      expect(client.messages).toMatchObject([{ type: 'resync', reason: 'store', topics: ['all'] }]);
      const made = await put(store, 1);
      await waitFor(() => expect(client.changes.map(({ id }) => id)).toEqual(made));
    });

    test('a slow reader is told once to ask anew, and hears what comes after', async () => {
      const store = await open();
      const hub = hubOf(store);
      const [slow, good] = [new LiveListener(['all']), new LiveListener(['all'])];
      for (const client of [slow, good]) client.connect(hub);
      for (const client of [slow, good]) await opened(client);
      slow.isFull = true;
      const missed = await put(store, 5);
      await waitFor(() => expect(good.changes).toHaveLength(5));
      slow.isFull = false;
      slow.resync();
      expect(slow.messages.at(-1)).toMatchObject({ type: 'resync', reason: 'slow' });
      const made = await put(store, 2);
      await waitFor(() => expect(slow.changes).toHaveLength(2));
      expectWhole(slow, made, ['queued']);
      expectWhole(good, [...missed, ...made], ['queued']);
    });

    test('more at once than a message holds is one mark to ask anew', async () => {
      const store = await open();
      const hub = hubOf(store, 10);
      const client = new LiveListener(['all']);
      client.connect(hub);
      await opened(client);
      await put(store, 11);
      await waitFor(() =>
        expect(client.messages.some((each) => each.type === 'resync' && each.reason === 'burst')).toBe(true),
      );
      client.messages.length = 0;
      const [last] = await put(store, 1);
      await waitFor(() => expect(client.changes.some(({ id }) => id === last)).toBe(true));
    });

    test('who comes back far behind hears all of it, in messages as large as any', async () => {
      const store = await open();
      const client = new LiveListener(['all']);
      client.connect(hubOf(store));
      await opened(client);
      client.disconnect();
      const made: string[] = [];
      for (let count = 0; count < 8; count++) made.push(...(await put(store, 7)));
      client.messages.length = 0;
      // A server that begins behind all of it.
      client.connect(hubOf(store, 10));
      await waitFor(() => expect(client.changes).toHaveLength(made.length));
      expectWhole(client, made, ['queued']);
      expect(client.of('resync')).toEqual([]);
      const sizes = client.messages.map((message) => (message.type === 'changes' ? message.changes.length : 0));
      expect(Math.max(...sizes)).toBe(7);
    });

    test('those who leave leave nothing behind', async () => {
      const store = await open();
      const hub = hubOf(store);
      for (let count = 0; count < 1_000; count++) {
        const client = new LiveListener(['all', 'counts', `task:${ids.next()}`]);
        client.connect(hub);
        if (count % 100 === 0) await opened(client);
        client.disconnect();
      }
      expect(hub.followed).toBe(0);
    });
  });
}

async function opening(store: Store): Promise<Store> {
  await store.broker.open();
  onTestFinished(() => store.close());
  return store;
}

declareLive('SQLite', () => opening(createSqliteStore({ file: ':memory:' })));

await onPostgres((postgres) => {
  declareLive('Postgres', async () => {
    const address = { ...readPostgresUrl(postgres.url), pool: 4 };
    return opening(createPostgresStore({ address, namespace: `live_${token()}` }));
  });
});

await onOwnRedis((server) => {
  const open = (): Store => {
    const folder = mkdtempSync(join(tmpdir(), 'taskflow-live-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const store = `sqlite:${join(folder, 'record.db')}`;
    return connect(`${server.url}?durability=any`, { store, namespace: token() });
  };
  declareLive('Redis', () => opening(open()));

  describe('live updates on Redis beside its recorder', { timeout: 60_000 }, () => {
    test('what the recorder has trimmed while nobody looked is one mark to ask anew', async () => {
      const store = await opening(open());
      const first = hubOf(store);
      const client = new LiveListener(['all']);
      client.connect(first);
      await opened(client);
      client.disconnect();
      for (let count = 0; count < 3; count++) await put(store, 1);
      await store.broker.outbox?.trim(2);
      // Another server, which has nothing in memory.
      const second = hubOf(store);
      client.messages.length = 0;
      client.connect(second);
      await opened(client);
      expect(client.messages).toMatchObject([{ type: 'resync', reason: 'log' }]);
      const made = await put(store, 1);
      await waitFor(() => expect(client.changes.map(({ id }) => id)).toEqual(made));
    });

    test('what is trimmed before the server has read it is one mark for all who follow', async () => {
      const store = await opening(open());
      const clients = [new LiveListener(['all']), new LiveListener(['all'])];
      const hub = hubOf(withoutFollowing(store));
      for (const client of clients) client.connect(hub);
      for (const client of clients) await opened(client);
      for (let count = 0; count < 3; count++) await put(store, 1);
      await store.broker.outbox?.trim(2);
      isFollowed = true;
      const made = await put(store, 1);
      await waitFor(() => {
        for (const client of clients) expect(client.of('resync')).toMatchObject([{ reason: 'log' }]);
      });
      const more = await put(store, 1);
      await waitFor(() => {
        for (const client of clients) expect(client.changes.map(({ id }) => id).at(-1)).toBe(more[0]);
      });
      expect(made).toHaveLength(1);
    });

    test('a record that is behind holds no message up', async () => {
      const store = await opening(open());
      const hub = hubOf(store);
      const client = new LiveListener(['all']);
      client.connect(hub);
      await opened(client);
      // Nobody records here at all.
      const made = await put(store, 2);
      await workOff(store);
      await waitFor(() => expect(client.changes).toHaveLength(6));
      expectWhole(client, made, whole);
      expect(await store.history.lagMs()).toBeGreaterThanOrEqual(0);
    });

    test('every change arrives once while a recorder takes them away behind the reader', async () => {
      const store = await opening(open());
      const engine = createEngine({ store });
      engine.start();
      onTestFinished(() => engine.stop());
      const hub = hubOf(store);
      const client = new LiveListener(['all']);
      client.connect(hub);
      await opened(client);
      const made: string[] = [];
      for (let round = 0; round < 20; round++) {
        made.push(...(await put(store, 3)));
        await workOff(store);
      }
      while ((await workOff(store)) > 0);
      // On a machine that stands still for a moment some may be trimmed first: then it is said, and never silent.
      await waitFor(() =>
        expect(client.changes.length === made.length * 3 || client.of('resync').length > 0).toBe(true),
      );
      if (client.of('resync').length === 0) expectWhole(client, made, whole);
    });
  });
});

let isFollowed = false;

/** The same store, whose events are not heard of until `isFollowed`. */
function withoutFollowing(store: Store): Store {
  const { outbox } = store.broker;
  if (outbox === undefined) throw new Error('this store has no outbox');
  isFollowed = false;
  const follow: typeof outbox.follow = async (...asked) => (isFollowed ? outbox.follow(...asked) : []);
  return { ...store, broker: { ...store.broker, outbox: { ...outbox, follow } } };
}

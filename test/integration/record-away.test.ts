/** A process that begins while its record is away: tasks are taken and run, health tells it, and all is recorded once it is there. */

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/broker/connect.ts';
import { createToken, systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import { systemClock } from '../../src/core/time.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import { createEngine } from '../../src/engine/engine.ts';
import type { Store } from '../../src/history/history.ts';
import { createContext } from '../../src/operations/context.ts';
import type { OperationContext } from '../../src/operations/operation.ts';
import { systemHealth } from '../../src/operations/system.ts';
import { freePort } from '../../src/servers/free-port.ts';
import { type PostgresServer, startPostgres } from '../../src/servers/postgres.ts';
import { claimRequest, finish, newTask, settlement } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { onOwnRedis } from '../support/redis-tests.ts';

const ids = createIds(systemClock, systemChance);

await onOwnRedis(({ url: redis }) =>
  onPostgres(() => {
    const storeWith = (record: string, namespace = createToken(systemChance)): Store =>
      connect(`${redis}?durability=any`, { store: record, namespace });

    async function opened(store: Store): Promise<Store> {
      await store.broker.open();
      onTestFinished(() => store.close());
      return store;
    }

    const healthOf = (store: Store) =>
      systemHealth.run({ store, clock: systemClock } as unknown as OperationContext, {});

    /** Takes a task and ends it. */
    async function work({ broker }: Store): Promise<string> {
      const id = ids.next();
      await broker.enqueue([newTask(id)]);
      const [claimed] = await broker.claim(claimRequest(createToken(systemChance), { limit: 1 }));
      if (claimed !== undefined)
        await broker.settle([settlement(claimed.task.id, claimed.lease, finish('succeeded', { keepMs: 3_600_000 }))]);
      return id;
    }

    async function ownServer(): Promise<PostgresServer> {
      const server = await startPostgres(['fsync=off']);
      onTestFinished(server.stop);
      return server;
    }

    describe('a process that begins while its record is away', { timeout: 60_000 }, () => {
      test('takes and runs tasks, tells it, and records them when the database is there', async () => {
        const server = await ownServer();
        await server.kill();
        const store = await opened(storeWith(server.url));
        expect(store.away?.()).toMatchObject({ code: 'STORE_UNREACHABLE' });
        const engine = createEngine({ store });
        engine.start();
        onTestFinished(() => engine.stop());

        const id = await work(store);
        const { status, record } = await healthOf(store);
        expect([status, record?.problem?.code]).toEqual(['ok', 'STORE_UNREACHABLE']);
        const overview = await createPages({ version: '0' }).routes[0]?.answer(
          { path: '/', root: './', params: {}, query: {}, form: {}, choices: {} },
          createContext({ store, definitions: [], actor: { name: 'ada', role: 'viewer' } }),
        );
        expect(await overview?.text()).toMatch(/The record cannot be reached.*>default</s);
        expect((await store.history.task(id))?.task.state).toBe('succeeded');
        await expect(store.history.facets()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });

        await server.restart();
        const recorded = () => store.history.facets().then(({ views }) => views, String);
        await expect.poll(recorded, { timeout: 30_000 }).toEqual({ succeeded: 1 });
        expect((await healthOf(store)).record).toMatchObject({ problem: null, database: { durability: 'volatile' } });
      });

      test('is told later what would have been a refusal at once', async () => {
        const server = await ownServer();
        const namespace = createToken(systemChance);
        const other = await opened(storeWith(server.url, namespace));
        await other.history.facets();
        const place = `${server.url}&namespace=${namespace}`;
        await server.kill();
        const store = await opened(storeWith(place));
        await server.restart();
        await work(store);
        expect((await healthOf(store)).record?.problem?.code).toBe('RECORD_ELSEWHERE');
      });
    });

    describe('what is a mistake and no outage', () => {
      let there: PostgresServer;
      beforeAll(async () => {
        there = await startPostgres(['fsync=off']);
      });
      afterAll(() => there.stop());

      test.for([
        ['a password', 'STORE_UNREACHABLE', (url: URL) => Object.assign(url, { username: 'nobody_here' })],
        ['a database', 'STORE_UNREACHABLE', (url: URL) => Object.assign(url, { pathname: '/no_such_database' })],
        ['a host', 'STORE_UNREACHABLE', (url: URL) => Object.assign(url, { hostname: 'nowhere.invalid' })],
        ['TLS', 'STORE_UNREACHABLE', (url: URL) => url.searchParams.set('sslmode', 'require')],
        ['a weak server', 'STORE_WEAK', (url: URL) => url.searchParams.delete('durability')],
      ] as const)('%s is refused at once with %s', async ([, code, change]) => {
        const url = new URL(there.url);
        change(url);
        const store = storeWith(url.href);
        await expect(store.broker.open()).rejects.toMatchObject({ code });
        await store.close();
      });

      test('a port where nobody listens is an outage, and its store closes without the record', async () => {
        const store = storeWith(`postgres://ada@127.0.0.1:${await freePort()}/tasks`);
        await store.broker.open();
        await work(store);
        await store.close();
        await expect(store.history.facets()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
      });
    });
  }),
);

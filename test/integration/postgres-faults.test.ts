/** Postgres behind a bad network, killed, and with its backends terminated: what the seam promises holds. */

import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createPostgresBroker, type PostgresOptions } from '../../src/broker/postgres/store.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { statement } from '../../src/broker/sql/driver.ts';
import { type Clock, systemClock } from '../../src/core/time.ts';
import { startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { startPostgres } from '../../src/servers/postgres.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement, startAt } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { declareLostReplies, repeat } from './lost-replies.ts';

const sleeping = statement<[number]>('sleeping', () => 'SELECT 1 FROM pg_sleep($1)');

await onPostgres(({ url }) => {
  const openBroker = async (to: string, given: Partial<PostgresOptions> = {}) => {
    const namespace = `faults_${randomBytes(6).toString('hex')}`;
    const broker = createPostgresBroker({ address: readPostgresUrl(to), namespace, ...given });
    await broker.open();
    onTestFinished(() => broker.close());
    return broker;
  };

  declareLostReplies('Postgres', async () => {
    const { hostname: host, port } = new URL(url);
    const proxy = await startFaultProxy({ target: { host, port: Number(port) }, protocol: 'postgres' });
    const through = Object.assign(new URL(url), { port: String(proxy.port) }).href;
    onTestFinished(proxy.close);
    const proxied = await openBroker(through, { now: () => startAt });
    const direct = await openBroker(url, { now: () => startAt });
    return { proxy, proxied, direct, request: /^(commit$|with clock)/i };
  });

  describe('Postgres', () => {
    /** Enqueues, claims and settles so many tasks, each call until it is answered. */
    const work = async (broker: Awaited<ReturnType<typeof openBroker>>, from: number, count: number): Promise<void> => {
      for (let number = from; number < from + count; number++) {
        await repeat(() => broker.enqueue([newTask(sampleId(number))]));
        const token = sampleToken(number);
        const [claimed] = await repeat(() => broker.claim(claimRequest(token, { limit: 1 })));
        if (claimed !== undefined)
          await repeat(() => broker.settle([settlement(claimed.task.id, claimed.lease, finish('succeeded'))]));
      }
    };

    test('whose backends are terminated all the time loses nothing and does nothing twice', async () => {
      const broker = await openBroker(url);
      const admin = new Client({ connectionString: url });
      await admin.connect();
      onTestFinished(() => admin.end());
      let terminated = 0;
      let isOver = false;
      const working = Promise.all([1_000, 2_000, 3_000].map((from) => work(broker, from, 60))).finally(() => {
        isOver = true;
      });
      while (!isOver) {
        const { rows } = await admin.query(
          `SELECT count(pg_terminate_backend(pid)) AS gone FROM pg_stat_activity, pg_sleep(0.05)
            WHERE datname = current_database() AND pid <> pg_backend_pid()`,
        );
        terminated += Number(rows[0]?.gone);
      }
      await working;
      const [queue] = await repeat(() => broker.getQueues());
      expect((queue?.counts.succeeded ?? 0) + (queue?.counts.queued ?? 0)).toBe(180);
      expect(terminated).toBeGreaterThan(5);
    });

    test('whose answer came while this process stood still is heard, and one that gives none is let go', async () => {
      // A hundred times as fast: fifteen seconds pass in 150 ms.
      const clock: Clock = {
        now: () => Date.now(),
        elapsed: () => performance.now() * 100,
        schedule: (delayMs, callback) => systemClock.schedule(delayMs / 100, callback),
      };
      const broker = await openBroker(url, { clock });
      const asked = (seconds: number) => broker.driver.read((tx) => tx.query(sleeping, seconds));

      const answered = asked(0.05);
      // Once the statement is on its way, and where the loop looks at its timers next, as after SIGCONT.
      await new Promise((resolve) => setTimeout(() => setImmediate(resolve), 20));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
      expect(await answered).toHaveLength(1);

      await expect(asked(5)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', message: /no answer within 15000 ms/ });
      expect(await asked(0)).toHaveLength(1);
    });

    test('that ended a transaction while this process stood still in it is told as a lost connection', async () => {
      const broker = await openBroker(url);
      const standing = broker.driver.transaction(async (tx) => {
        await tx.execute('SET LOCAL idle_in_transaction_session_timeout = 50');
        // Its next statement is on the way before anybody reads that there is no connection any more.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
        return await tx.query(sleeping, 0);
      });
      await expect(standing).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', message: /idle-in-transaction/ });
      expect(await broker.enqueue([newTask(sampleId(1))])).toMatchObject([{ outcome: 'created' }]);
    });

    test('is reached over new connections once they are made anew, and who was on the old ones ends there', async () => {
      const broker = await openBroker(url);
      const backend = async () => (await broker.driver.read((tx) => tx.execute('SELECT pg_backend_pid()')))[0]?.[0];
      const before = await backend();
      const calls = [1, 2, 3, 4].map((number) => repeat(() => broker.enqueue([newTask(sampleId(number))])));
      broker.reconnect?.();
      await Promise.all(calls);
      expect((await broker.getQueues())[0]?.counts).toEqual({ queued: 4 });
      expect(await backend()).not.toBe(before);
    });

    test('serves who waits for a connection when these are made anew', async () => {
      const broker = await openBroker(`${url}${url.includes('?') ? '&' : '?'}pool=2`);
      const { promise, resolve } = Promise.withResolvers<void>();
      const holding = [1, 2].map(() => broker.driver.read(() => promise));
      const waiting = broker.enqueue([newTask(sampleId(1))]);
      broker.reconnect?.();
      resolve();
      await Promise.all(holding);
      expect(await waiting).toHaveLength(1);
    });

    test('that is killed again and again has every task it took', { timeout: 60_000 }, async () => {
      const own = await startPostgres();
      onTestFinished(() => own.stop());
      const broker = await openBroker(own.url);
      const taken: string[] = [];
      let [number, kills] = [0, 0];
      const client = async (): Promise<void> => {
        while (kills < 3) {
          const id = sampleId(++number);
          await repeat(() => broker.enqueue([newTask(id)]));
          taken.push(id);
        }
      };
      const clients = Promise.all([1, 2, 3, 4].map(client));
      for (; kills < 3; kills++) {
        const before = taken.length;
        while (taken.length < before + 30) await new Promise((resolve) => setImmediate(resolve));
        await own.kill();
        await own.restart();
      }
      await clients;
      const tasks = await repeat(() => broker.getTasks(taken.slice(0, 1_000)));
      expect(tasks.every((task) => task?.version === 1)).toBe(true);
      expect((await broker.getQueues())[0]?.counts).toEqual({ queued: taken.length });
    });
  });
});

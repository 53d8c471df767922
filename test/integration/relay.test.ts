/** Tasks of Postgres transactions on their way to Redis: whatever is cut or killed, each that was committed is run once. */

import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { seededChance } from '../../src/core/chance.ts';
import type { NewTask } from '../../src/core/task.ts';
import { sleep, systemClock } from '../../src/core/time.ts';
import { startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { type Halves, openHalves } from './relay-halves.ts';

/** A worker that runs all there is; what it has run comes in the order of the claims. */
function createWorker(broker: Broker) {
  let claims = 0;
  const ran: string[] = [];
  const run = async (): Promise<void> => {
    for (;;) {
      const claimed = await broker.claim(claimRequest(sampleToken(++claims), { leaseMs: 60_000 }));
      if (claimed.length === 0) return;
      ran.push(...claimed.map(({ task }) => task.id));
      await broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded'))));
    }
  };
  return { ran, run };
}

const relayProgram = fileURLToPath(new URL('./programs/relay.ts', import.meta.url));
/** More than a push of tasks, one of which is refused, makes of both stores. */
const callsOfRelay = 9;
const refused = { key: 'held', ifExists: 'error' } as const;

const ids = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => sampleId(from + index));

await onPostgres(async ({ url }) => {
  await onOwnRedis((server) => {
    const redis = { path: server.path };

    const open = async (given: Partial<Parameters<typeof openHalves>[0]> = {}) => {
      const namespace = `relay_${randomBytes(6).toString('hex')}`;
      const halves = await openHalves({ postgres: url, redis, namespace, ...given });
      onTestFinished(halves.close);
      const user = new Client({ connectionString: url });
      await user.connect();
      onTestFinished(() => user.end());
      const commit = async (tasks: readonly NewTask[], how = 'COMMIT'): Promise<void> => {
        await user.query('BEGIN');
        await halves.broker.transactions?.enqueue(user, tasks);
        await user.query(how);
      };
      return { ...halves, namespace: given.namespace ?? namespace, commit };
    };

    /** The same halves, each behind a proxy. */
    const openBehind = async (namespace: string) => {
      const { hostname, port } = new URL(url);
      const [postgresProxy, redisProxy] = await Promise.all([
        startFaultProxy({ target: { host: hostname, port: Number(port) }, protocol: 'postgres' }),
        startFaultProxy({ target: redis, protocol: 'redis' }),
      ]);
      const behind = new URL(url);
      behind.port = String(postgresProxy.port);
      behind.hostname = '127.0.0.1';
      const address = { url: `redis://127.0.0.1:${redisProxy.port}` };
      const halves = await openHalves({ postgres: behind.href, redis: address, namespace });
      onTestFinished(async () => {
        await halves.close();
        await Promise.all([postgresProxy.close(), redisProxy.close()]);
      });
      return { ...halves, postgresProxy, redisProxy };
    };

    test('a task of a committed transaction is run, one that was rolled back never', async () => {
      const { broker, relay, commit } = await open();
      const worker = createWorker(broker);
      await commit([newTask(sampleId(1)), newTask(sampleId(2), { key: 'k' })]);
      await commit([newTask(sampleId(3))], 'ROLLBACK');
      await broker.transactions?.announce();
      await worker.run();
      expect(worker.ran).toEqual(ids(1, 2));
      expect(await relay.status()).toEqual({ waiting: 0, setAside: 0, lagMs: 0 });
    });

    test.each([
      ['postgres', false],
      ['postgres', true],
      ['redis', false],
      ['redis', true],
    ] as const)('cut from %s at any request, executed or not (%s), each task is run once', async (side, executed) => {
      const own = await open();
      const behind = await openBehind(own.namespace);
      const [proxy, request] = {
        postgres: [behind.postgresProxy, /relay|tasks|clock/] as const,
        redis: [behind.redisProxy, /^FCALL /i] as const,
      }[side];
      await own.broker.enqueue([newTask(sampleId(9_000), { queue: 'elsewhere', key: 'held' })]);
      const worker = createWorker(own.broker);
      let cuts = 0;
      for (let nth = 1; nth <= 7; nth++) {
        const refused = newTask(sampleId(nth * 10 + 3), { key: 'held', ifExists: 'error' });
        const dependsOn = [{ taskId: sampleId(9_999), onFailure: 'fail' }] as const;
        const orphan = newTask(sampleId(nth * 10 + 4), { dependsOn });
        await own.commit([orphan, ...ids(nth * 10, 3).map((id) => newTask(id)), refused]);
        proxy.inflict({ kind: 'cutAt', request, nth, executed });
        await behind.relay.push().then(
          () => undefined,
          () => cuts++,
        );
        proxy.inflict({ kind: 'none' });
        await worker.run();
        await Promise.all([own.relay.push(), behind.relay.push().catch(() => {})]);
        await worker.run();
        expect(worker.ran.splice(0).sort()).toEqual(ids(nth * 10, 3));
        expect(await own.relay.status()).toMatchObject({ waiting: 0, setAside: 2 * nth });
      }
      expect(cuts).toBeGreaterThan(3);
    });

    test.each(['before', 'after'])(
      'a relay that is killed %s any of its calls has each task run once',
      { timeout: 120_000 },
      async (when) => {
        const { broker, relay, commit, namespace } = await open();
        await broker.enqueue([newTask(sampleId(9_000), { queue: 'elsewhere', key: 'held' })]);
        const worker = createWorker(broker);
        let lives = 0;
        for (let nth = 0; nth < callsOfRelay; nth++) {
          const first = nth * 10;
          await commit([...ids(first, 3).map((id) => newTask(id)), newTask(sampleId(first + 3), refused)]);
          const child = fork(relayProgram, [url, server.path, namespace, String(nth), when], { stdio: 'inherit' });
          const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
          expect(signal).toBe('SIGKILL');
          if ((await relay.status()).waiting > 0) lives += 1;
          // A worker is faster than the next relay: what it has run must not come again.
          await worker.run();
          await Promise.all([relay.push(), relay.push()]);
          await worker.run();
          expect(worker.ran.splice(0).sort()).toEqual(ids(first, 3));
          expect(await relay.status()).toMatchObject({ waiting: 0, setAside: nth + 1 });
        }
        // Else the last step was not among them.
        expect(lives).toBeGreaterThan(2);
        expect(lives).toBeLessThan(callsOfRelay);
      },
    );

    test('relays that are killed again and again run each committed task once, and no other', {
      timeout: 120_000,
    }, async () => {
      const { broker, relay, commit, namespace } = await open();
      const chance = seededChance(7);
      const worker = createWorker(broker);
      const start = async (): Promise<ChildProcess> => {
        const child = fork(relayProgram, [url, server.path, namespace], {
          stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        });
        onTestFinished(() => void child.kill('SIGKILL'));
        await once(child, 'message');
        return child;
      };
      const committed: string[] = [];
      let number = 1;
      let isOver = false;
      const users = async (): Promise<void> => {
        while (!isOver) {
          const batch = ids(number, 1 + Math.floor(chance.float() * 5));
          number += batch.length;
          const isKept = chance.float() < 0.8;
          await commit(
            batch.map((id) => newTask(id)),
            isKept ? 'COMMIT' : 'ROLLBACK',
          );
          if (isKept) committed.push(...batch);
          if (chance.float() < 0.2) await worker.run();
        }
      };
      const working = users();
      for (let life = 0; life < 6; life++) {
        const children = await Promise.all([start(), start()]);
        await sleep(systemClock, 5 + chance.float() * 60);
        for (const child of children) {
          child.kill('SIGKILL');
          await once(child, 'exit');
        }
      }
      isOver = true;
      await working;
      await worker.run();
      expect(worker.ran.length).toBeGreaterThan(100);
      while ((await relay.push()) === 'full');
      await worker.run();
      expect([...worker.ran].sort()).toEqual(committed.sort());
    });

    test('while Redis is away transactions go on, the lag is seen, and all comes when it is back', async () => {
      const own = await open();
      const behind = await openBehind(own.namespace);
      behind.redisProxy.inflict({ kind: 'refuse' });
      for (let n = 0; n < 30; n++) await own.commit(ids(n * 50 + 1, 50).map((id) => newTask(id)));
      await expect(behind.relay.push()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
      await behind.broker.transactions?.announce();
      const { waiting, lagMs } = await own.relay.status();
      expect([waiting, lagMs > 0]).toEqual([1_000, true]);
      behind.redisProxy.inflict({ kind: 'none' });
      await pushUntilDone(behind);
      const worker = createWorker(own.broker);
      await worker.run();
      expect(worker.ran).toHaveLength(1_500);
      expect(new Set(worker.ran).size).toBe(1_500);
    });
  });
});

/** The connection comes back by itself, somewhat later. */
async function pushUntilDone({ relay }: Halves): Promise<void> {
  for (let failures = 0; failures < 200; ) {
    try {
      if ((await relay.push()) === 'done') return;
    } catch {
      failures += 1;
      await sleep(systemClock, 25);
    }
  }
  throw new Error('Redis did not come back');
}

/** Redis behind a bad network, killed, and forgetful: what the seam promises holds. */

import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createRedisBroker, type RedisOptions } from '../../src/broker/redis/redis-broker.ts';
import { limits } from '../../src/core/limits.ts';
import { type Clock, systemClock } from '../../src/core/time.ts';
import { startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { startRedis } from '../../src/servers/redis.ts';
import { forgetScripts } from '../../src/torture/redis-admin.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement, startAt } from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { declareLostReplies, repeat } from './lost-replies.ts';

await onOwnRedis((server) => {
  const openBroker = async (given: Partial<RedisOptions> = {}) => {
    const namespace = randomBytes(6).toString('hex');
    const broker = createRedisBroker({ address: { path: server.path }, namespace, ...given });
    await broker.open();
    onTestFinished(() => broker.close());
    return broker;
  };

  declareLostReplies('Redis', async () => {
    const proxy = await startFaultProxy({ target: { path: server.path }, protocol: 'redis' });
    const address = { url: `redis://127.0.0.1:${proxy.port}` };
    const proxied = await openBroker({ address, now: () => startAt });
    const direct = await openBroker({ now: () => startAt });
    onTestFinished(proxy.close);
    return { proxy, proxied, direct, request: /^FCALL /i };
  });

  describe('Redis', () => {
    // Most calls bring all operations, and then their own as a script.
    test('that forgets its scripts all the time refuses nobody', { timeout: 90_000 }, async () => {
      const broker = await openBroker();
      const admin = new Redis({ path: server.path });
      let flushes = 0;
      const work = async (from: number): Promise<void> => {
        for (let number = from; number < from + 100; number++) {
          await broker.enqueue([newTask(sampleId(number))]);
          const [claimed] = await broker.claim(claimRequest(sampleToken(number), { limit: 1 }));
          await broker.settle([settlement(claimed!.task.id, claimed!.lease, finish('succeeded'))]);
        }
      };
      const working = Promise.all([1_000, 2_000, 3_000].map(work));
      const isDone = { now: false };
      void working.finally(() => (isDone.now = true)).catch(() => {});
      for (; !isDone.now; flushes++) await forgetScripts(admin);
      await working;
      expect((await broker.getQueues())[0]?.counts).toEqual({ succeeded: 300 });
      expect(flushes).toBeGreaterThan(10);
      admin.disconnect();
    });

    test('that is killed again and again with every answer on disk has every task it took', {
      timeout: 60_000,
    }, async () => {
      const own = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
      onTestFinished(() => own.stop());
      const broker = await openBroker({ address: { path: own.path } });
      const taken: string[] = [];
      let number = 0;
      const client = async (isOver: () => boolean): Promise<void> => {
        while (!isOver()) {
          const id = sampleId(++number);
          await repeat(() => broker.enqueue([newTask(id)]));
          taken.push(id);
        }
      };
      let kills = 0;
      const clients = Promise.all([1, 2, 3, 4].map(() => client(() => kills === 5)));
      for (; kills < 5; kills++) {
        const before = taken.length;
        while (taken.length < before + 50) await new Promise((resolve) => setImmediate(resolve));
        await own.kill();
        await own.restart();
      }
      await clients;
      for (let from = 0; from < taken.length; from += 500) {
        const ids = taken.slice(from, from + 500);
        expect((await repeat(() => broker.getTasks(ids))).every((task) => task?.version === 1)).toBe(true);
      }
      expect((await broker.getQueues())[0]?.counts).toEqual({ queued: taken.length });
    });

    test('that is killed while it syncs once a second loses nothing but what came last', {
      timeout: 60_000,
    }, async () => {
      const own = await startRedis(['--appendonly', 'yes', '--appendfsync', 'everysec']);
      onTestFinished(() => own.stop());
      const broker = await openBroker({ address: { path: own.path } });
      let number = 0;
      for (let kill = 0; kill < 3; kill++) {
        const taken: string[] = [];
        const isOver = { now: false };
        const client = async (): Promise<void> => {
          while (!isOver.now) {
            const id = sampleId(++number);
            await repeat(() => broker.enqueue([newTask(id)]));
            if (!isOver.now) taken.push(id);
          }
        };
        const working = client();
        while (taken.length < 200) await new Promise((resolve) => setImmediate(resolve));
        isOver.now = true;
        await own.kill();
        await own.restart();
        await working;
        const areThere = async (ids: readonly string[]): Promise<readonly boolean[]> =>
          (await repeat(() => broker.getTasks(ids))).map((task) => task !== null);
        const found = await areThere(taken);
        expect(found.lastIndexOf(true)).toBe(found.filter(Boolean).length - 1);
        const all = Array.from({ length: number }, (_, index) => sampleId(index + 1));
        const kept: boolean[] = [];
        for (let from = 0; from < all.length; from += 500) kept.push(...(await areThere(all.slice(from, from + 500))));
        expect((await broker.getQueues())[0]?.counts).toEqual({ queued: kept.filter(Boolean).length });
      }
    });

    test('that was wiped refuses the calls of before once, and all processes then work on the same new data', async () => {
      const admin = new Redis({ path: server.path });
      onTestFinished(() => admin.disconnect());
      const namespace = randomBytes(6).toString('hex');
      const [worker, client] = [await openBroker({ namespace }), await openBroker({ namespace })];
      const before = await client.info();
      await client.enqueue([newTask(sampleId(1))]);
      const [claimed] = await worker.claim(claimRequest(sampleToken(1)));
      await admin.flushall();
      const settle = () => worker.settle([settlement(sampleId(1), claimed!.lease, finish('succeeded'))]);
      await expect(settle()).rejects.toMatchObject({ code: 'STORE_REPLACED', retryable: true });
      expect(await settle()).toMatchObject({ results: [{ outcome: 'unknown' }] });
      const after = await client.info();
      expect(after.incarnation).not.toBe(before.incarnation);
      expect(after.incarnation).toBe((await worker.info()).incarnation);
      expect(await client.enqueue([newTask(sampleId(2))])).toMatchObject([{ outcome: 'created' }]);
      expect(await worker.claim(claimRequest(sampleToken(2)))).toMatchObject([{ task: { id: sampleId(2) } }]);
    });

    test('that was replaced by another refuses the calls of before once', async () => {
      const admin = new Redis({ path: server.path });
      onTestFinished(() => admin.disconnect());
      const broker = await openBroker({ namespace: 'mine' });
      const other = await openBroker({ namespace: 'other' });
      await other.enqueue([newTask(sampleId(7))]);
      for (const key of await admin.keys('{other}:*'))
        await admin.restore(key.replace('other', 'mine'), 0, await admin.dumpBuffer(key), 'REPLACE');
      await expect(broker.getTasks([sampleId(7)])).rejects.toMatchObject({ code: 'STORE_REPLACED' });
      expect(await broker.getTasks([sampleId(7)])).toMatchObject([{ state: 'queued' }]);
    });

    test('whose connections are gone without a word is reached on new ones', async () => {
      const proxy = await startFaultProxy({ target: { path: server.path }, protocol: 'redis' });
      onTestFinished(proxy.close);
      // As patient as ever, but for tests that wait.
      const clock: Clock = {
        ...systemClock,
        schedule: (delayMs, callback) =>
          systemClock.schedule(delayMs >= limits.redisCallMs ? delayMs / 50 : delayMs, callback),
      };
      const broker = await openBroker({ address: { url: `redis://127.0.0.1:${proxy.port}` }, clock });
      await broker.enqueue([newTask(sampleId(1))]);
      proxy.abandon();
      await expect(broker.enqueue([newTask(sampleId(2))])).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
      expect(await repeat(() => broker.enqueue([newTask(sampleId(2))]))).toMatchObject([{ outcome: 'created' }]);
    });
  });
});

/** What one process tells Redis, and what others hear of it: also after their connection was cut, or lies dead without a word. */

import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Signal } from '../../src/broker/broker.ts';
import { anything } from '../../src/broker/hints.ts';
import { createRedisBroker, type RedisOptions } from '../../src/broker/redis/redis-broker.ts';
import { limits } from '../../src/core/limits.ts';
import type { ClaimedTask } from '../../src/core/task.ts';
import { type Clock, systemClock } from '../../src/core/time.ts';
import { startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement } from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { waitFor } from '../support/wait-for.ts';

await onOwnRedis((server) => {
  /** A broker as of a process of its own, and what it hears once it listens. */
  const openProcess = async (namespace: string, given: Partial<RedisOptions> = {}) => {
    const broker = createRedisBroker({ address: { path: server.path }, namespace, ...given });
    await broker.open();
    onTestFinished(() => broker.close());
    return broker;
  };
  const openListener = async (namespace: string, given: Partial<RedisOptions> = {}) => {
    const before = await listeners(namespace);
    const broker = await openProcess(namespace, given);
    const heard: Signal[] = [];
    broker.subscribe((signal) => heard.push(signal));
    await waitFor(async () => expect(await listeners(namespace)).toBe(before + 1));
    return { broker, heard };
  };
  const admin = new Redis({ path: server.path });
  afterAll(() => admin.disconnect());
  const listeners = async (namespace: string): Promise<number> => {
    const [, count] = (await admin.call('PUBSUB', 'SHARDNUMSUB', `{${namespace}}:signals`)) as [string, number];
    return count;
  };
  const aNamespace = (): string => randomBytes(6).toString('hex');

  describe('a listener in another process', () => {
    test('hears of work, of what is due, and of ends', async () => {
      const namespace = aNamespace();
      const { heard } = await openListener(namespace);
      const broker = await openProcess(namespace);
      await broker.enqueue([newTask(sampleId(1)), newTask(sampleId(2), { delayMs: 60_000 })]);
      await waitFor(() => expect(heard.map(({ kind }) => kind)).toEqual(['work', 'due']));
      const [claimed] = await broker.claim(claimRequest(sampleToken(1)));
      await broker.settle([settlement(sampleId(1), claimed!.lease, finish('succeeded'))]);
      await waitFor(() => expect(heard.at(-1)).toEqual({ kind: 'finished', taskIds: [sampleId(1)] }));
      expect(heard[0]).toEqual({ kind: 'work', queues: ['default'] });
    });

    test('hears what happens in its own process once', async () => {
      const namespace = aNamespace();
      const [{ broker, heard }, other] = [await openListener(namespace), await openListener(namespace)];
      await broker.enqueue([newTask(sampleId(1))]);
      await waitFor(() => expect(other.heard).toHaveLength(1));
      expect(heard).toHaveLength(1);
    });

    test('hears nothing of a task that a worker beside its client has taken in the same step', async () => {
      const namespace = aNamespace();
      const [{ broker }, other] = [await openListener(namespace), await openListener(namespace)];
      const taken = Promise.withResolvers<readonly ClaimedTask[]>();
      const offer = { claim: () => claimRequest(sampleToken(1)), taken: taken.resolve, failed: taken.reject };
      const unsubscribe = broker.subscribe(
        () => undefined,
        () => offer,
      );
      await broker.enqueue([newTask(sampleId(1))]);
      expect(await taken.promise).toMatchObject([{ task: { id: sampleId(1), state: 'running' } }]);
      unsubscribe();
      await broker.enqueue([newTask(sampleId(2), { queue: 'last' })]);
      await waitFor(() => expect(other.heard).toEqual([{ kind: 'work', queues: ['last'] }]));
    });

    test('hears nothing of another namespace', async () => {
      const { heard } = await openListener(aNamespace());
      const namespace = aNamespace();
      const other = await openListener(namespace);
      await (await openProcess(namespace)).enqueue([newTask(sampleId(1))]);
      await waitFor(() => expect(other.heard).toHaveLength(1));
      expect(heard).toEqual([]);
    });

    test('hears few messages about many calls', async () => {
      const namespace = aNamespace();
      const { heard } = await openListener(namespace);
      const broker = await openProcess(namespace);
      for (let round = 0; round < 20; round++) {
        const numbers = Array.from({ length: 20 }, (_, index) => round * 20 + index);
        await Promise.all(numbers.map((number) => broker.enqueue([newTask(sampleId(number))])));
      }
      await waitFor(() => expect(heard.length).toBeGreaterThan(0));
      expect(heard.length).toBeLessThan(100);
    });

    test('whose connection was cut looks for everything, and hears again', async () => {
      const namespace = aNamespace();
      const { heard } = await openListener(namespace);
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await waitFor(() => expect(heard).toEqual(anything));
      await (await openProcess(namespace)).enqueue([newTask(sampleId(1))]);
      await waitFor(() => expect(heard).toContainEqual({ kind: 'work', queues: ['default'] }));
    });

    test('whose connection lies dead without a word finds out, and hears again', async () => {
      const proxy = await startFaultProxy({ target: { path: server.path }, protocol: 'redis' });
      onTestFinished(proxy.close);
      // As patient as ever, but for tests that wait.
      const clock: Clock = {
        ...systemClock,
        schedule: (delayMs, callback) =>
          systemClock.schedule(delayMs >= limits.redisCallMs ? delayMs / 50 : delayMs, callback),
      };
      const namespace = aNamespace();
      const { heard } = await openListener(namespace, { address: { url: `redis://127.0.0.1:${proxy.port}` }, clock });
      expect(proxy.abandon()).toBe(2);
      await waitFor(() => expect(heard).toEqual(anything), { timeout: 10_000 });
      await (await openProcess(namespace)).enqueue([newTask(sampleId(1))]);
      await waitFor(() => expect(heard).toContainEqual({ kind: 'work', queues: ['default'] }));
    });
  });
});

/** Redis on bad days: scripts forgotten, memory full, a server that is gone, silent, or would drop tasks. */

import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRedisBroker, type RedisOptions } from '../../src/broker/redis/redis-broker.ts';
import { limits } from '../../src/core/limits.ts';
import { type Clock, systemClock } from '../../src/core/time.ts';
import { startRedis } from '../../src/servers/redis.ts';
import { forgetScripts } from '../../src/torture/redis-admin.ts';
import {
  beat,
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  sampleId,
  sampleToken,
  settlement,
  storedTask,
} from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { waitFor } from '../support/wait-for.ts';

await onOwnRedis((server) => {
  const open = async (given: Partial<RedisOptions> = {}) => {
    const broker = createRedisBroker({ address: { path: server.path }, namespace: 'bad days', ...given });
    await broker.open();
    return broker;
  };
  let admin: Redis;
  beforeEach(() => {
    admin = new Redis({ path: server.path });
  });
  afterEach(async () => {
    await admin.flushall();
    admin.disconnect();
  });

  describe('the server', () => {
    test('keeps the operations as functions', async () => {
      await forgetScripts(admin);
      const broker = await open();
      await broker.enqueue([newTask(sampleId(1))]);
      const found = (await admin.call('FUNCTION', 'LIST')) as readonly (readonly unknown[])[];
      expect(found.map((facts) => String(facts[facts.indexOf('library_name') + 1]))).toEqual([
        expect.stringMatching(/^taskflow_/),
      ]);
      expect(String(await admin.call('INFO', 'commandstats'))).toMatch(/cmdstat_fcall:calls=[1-9]/);
      await broker.close();
    });

    test('a script that it has forgotten is sent again', async () => {
      const broker = await open();
      await broker.enqueue([newTask(sampleId(1))]);
      await forgetScripts(admin);
      expect(await broker.enqueue([newTask(sampleId(2))])).toMatchObject([{ outcome: 'created' }]);
      await broker.close();
    });

    test('the functions of many versions are cleared away when one more comes', async () => {
      await forgetScripts(admin);
      const load = (name: string) =>
        admin.call(
          'FUNCTION',
          'LOAD',
          `#!lua name=${name}\nredis.register_function('${name}_f', function() return 1 end)`,
        );
      for (let number = 0; number < 20; number++) await load(`taskflow_former${number}`);
      await load('of_somebody_else');
      const broker = await open();
      const found = (await admin.call('FUNCTION', 'LIST')) as readonly (readonly unknown[])[];
      const names = found.map((facts) => String(facts[facts.indexOf('library_name') + 1]));
      expect(names.filter((name) => name.startsWith('taskflow_'))).toHaveLength(9);
      expect(names).toContain('of_somebody_else');
      await broker.close();
    });

    test('that may keep no functions for its user runs scripts', async () => {
      await forgetScripts(admin);
      await admin.call('ACL', 'SETUSER', 'plain', 'on', '>pw', '~*', '&*', '+@all', '-function', '-fcall');
      const url = server.url.replace('//', '//plain:pw@');
      const broker = await open({ address: { url } });
      await broker.enqueue([newTask(sampleId(1))]);
      const [claimed] = await broker.claim(claimRequest(sampleToken(1)));
      const { results } = await broker.settle([settlement(sampleId(1), claimed!.lease, finish('succeeded'))]);
      expect(results).toEqual([{ outcome: 'applied' }]);
      expect(await admin.call('FUNCTION', 'LIST')).toEqual([]);
      await broker.close();
      await admin.call('ACL', 'DELUSER', 'plain');
    });

    test('that forgets its functions while its memory is full lets tasks end', async () => {
      const broker = await open();
      await broker.enqueue([newTask(sampleId(1))]);
      await admin.config('SET', 'maxmemory', '1');
      await forgetScripts(admin);
      const [claimed] = await broker.claim(claimRequest(sampleToken(1)));
      const { results } = await broker.settle([settlement(sampleId(1), claimed!.lease, finish('succeeded'))]);
      expect(results).toEqual([{ outcome: 'applied' }]);
      await admin.config('SET', 'maxmemory', '0');
      await broker.close();
    });

    test('its clock counts when no test moves it', async () => {
      const broker = await open();
      const [seconds] = await admin.time();
      const { now } = await broker.info();
      expect(Math.abs(now - Number(seconds) * 1_000)).toBeLessThan(5_000);
      await broker.close();
    });

    test('with its memory full it takes no new task, running ones go on and end, and workers are commanded', async () => {
      const broker = await open();
      await broker.enqueue([newTask(sampleId(1))]);
      const [claimed] = await broker.claim(claimRequest(sampleToken(1)));
      await admin.config('SET', 'maxmemory', '1');
      await expect(broker.enqueue([newTask(sampleId(2))])).rejects.toMatchObject({ code: 'STORE_OUT_OF_MEMORY' });
      expect(await broker.getTasks([sampleId(2)])).toEqual([null]);
      expect((await broker.heartbeat(heartbeatRequest([beat(claimed!.lease)]))).beats).toEqual(['ok']);
      const { results } = await broker.settle([settlement(sampleId(1), sampleToken(1), finish('succeeded'))]);
      expect(results).toEqual([{ outcome: 'applied' }]);
      expect(await broker.control(['worker-1'], { kind: 'drain' })).toMatchObject([{ outcome: 'sent' }]);
      await admin.config('SET', 'maxmemory', '0');
      await broker.close();
    });

    test('that has data in another layout is refused, with what to do', async () => {
      for (const [layout, code] of [
        [1, 'STORE_TOO_OLD'],
        [99, 'STORE_TOO_NEW'],
      ] as const) {
        await admin.hset('{bad days}:store', 'protocol', layout);
        const opened = createRedisBroker({ address: { path: server.path }, namespace: 'bad days' }).open();
        await expect(opened).rejects.toMatchObject({ code });
      }
    });

    test('a restored child waits for parents that are enqueued after it, alone or with their like', async () => {
      const broker = await open();
      const dependsOn = [1, 2].map((number) => ({ taskId: sampleId(number), onFailure: 'fail' as const }));
      await broker.restore([storedTask(sampleId(9), { state: 'blocked', dependsOn })]);
      await broker.enqueue([newTask(sampleId(1))]);
      await broker.enqueue([newTask(sampleId(3)), newTask(sampleId(2)), newTask(sampleId(4))]);
      const claimed = await broker.claim(claimRequest(sampleToken(1)));
      await broker.settle(claimed.map(({ lease }) => settlement(lease.taskId, lease, finish('succeeded'))));
      expect(claimed.map(({ task }) => task.id)).toEqual([1, 2, 3, 4].map(sampleId));
      expect(await broker.getTasks([sampleId(9)])).toMatchObject([{ state: 'queued' }]);
      await broker.close();
    });

    test('results that somebody may still ask for hold up no other task that is past its time', async () => {
      const broker = await open();
      const past = { state: 'succeeded', finishedAt: 1, pruneAt: 2 } as const;
      const parents = Array.from({ length: 6_000 }, (_, index) => storedTask(sampleId(index), past));
      for (let from = 0; from < parents.length; from += 1_000) {
        const some = parents.slice(from, from + 1_000);
        await broker.restore(some);
        const dependsOn = some.map(({ id }) => ({ taskId: id, onFailure: 'fail' as const }));
        await broker.restore([storedTask(sampleId(10_000 + from), { dependsOn })]);
      }
      await broker.restore([storedTask(sampleId(90_000), { ...past, pruneAt: 3 })]);
      let pruned = 0;
      for (let call = 0; call < 10; call++) pruned += await broker.prune(1_000);
      expect(pruned).toBe(1);
      await broker.cancel({ taskIds: [sampleId(10_000)], reason: null });
      expect(await broker.prune(1_000)).toBe(1_000);
      await broker.close();
    });

    test('that would drop tasks is refused, with the setting to change', async () => {
      await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
      const opened = open();
      await expect(opened).rejects.toMatchObject({ code: 'STORE_EVICTS', message: /allkeys-lru/ });
      await admin.config('SET', 'maxmemory-policy', 'noeviction');
    });

    test.each([
      ['no', 'everysec', 'volatile'],
      ['yes', 'everysec', 'standard'],
      ['yes', 'always', 'strict'],
      ['yes', 'no', 'volatile'],
    ])('with appendonly %s and appendfsync %s is %s', async (append, sync, durability) => {
      await admin.config('SET', 'appendonly', append);
      await admin.config('SET', 'appendfsync', sync);
      const broker = await open();
      expect(await broker.info()).toMatchObject({ kind: 'redis', durability });
      await broker.close();
      await admin.config('SET', 'appendonly', 'no');
    });
  });

  describe('the outbox', () => {
    test('gives the events behind a number, and keeps them until they are trimmed', async () => {
      const broker = await open();
      for (const number of [1, 2, 3]) await broker.enqueue([newTask(sampleId(number))]);
      const numbers = async (after: number, limit = 10): Promise<readonly number[]> =>
        ((await broker.outbox?.read(after, limit, 0)) ?? []).map(({ seq }) => seq);
      expect(await numbers(0)).toEqual([1, 2, 3]);
      expect(await numbers(1, 1)).toEqual([2]);
      await broker.outbox?.trim(2);
      expect(await numbers(0)).toEqual([3]);
      await broker.outbox?.trim(3);
      await broker.enqueue([newTask(sampleId(4))]);
      expect(await numbers(3)).toEqual([4]);
      await broker.close();
    });

    test('waits for the first event, and other calls do not wait behind it', async () => {
      const broker = await open();
      const read = broker.outbox?.read(0, 10, 5_000);
      await broker.enqueue([newTask(sampleId(1))]);
      expect(await read).toMatchObject([{ seq: 1, kind: 'enqueue', items: [{ taskId: sampleId(1), to: 'queued' }] }]);
      expect(await broker.outbox?.read(1, 10, 1)).toEqual([]);
      await broker.close();
    });
  });

  describe('the way to it', () => {
    test('a server that is not there is told with its address', async () => {
      const broker = createRedisBroker({ address: { url: 'redis://127.0.0.1:1' }, namespace: 'none' });
      await expect(broker.open()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', message: /127\.0\.0\.1:1/ });
      await broker.close();
    });

    test('a server that dies under a call ends it, and one that comes back serves the next', async () => {
      // With `everysec` Redis answers before it writes while an earlier fsync is under way: what was answered may be lost.
      const own = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
      const broker = createRedisBroker({ address: { path: own.path }, namespace: 'own' });
      await broker.open();
      await broker.enqueue([newTask(sampleId(1))]);
      await own.kill();
      await expect(broker.enqueue([newTask(sampleId(2))])).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
      await own.restart();
      const tasks = await waitFor(() => broker.getTasks([sampleId(1), sampleId(2)]), { timeout: 10_000 });
      expect(tasks).toMatchObject([{ state: 'queued' }, null]);
      await broker.close();
      await own.stop();
    });

    test('a server that says nothing is given up when its time is over', async () => {
      let giveUp = (): void => {};
      const clock: Clock = {
        ...systemClock,
        schedule: (delayMs, callback) => {
          if (delayMs === limits.redisCallMs) giveUp = callback;
          return () => {};
        },
      };
      const broker = await open({ clock });
      await admin.client('PAUSE', 60_000, 'WRITE');
      const call = broker.promote(1);
      giveUp();
      await expect(call).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', message: /no answer/ });
      await admin.client('UNPAUSE');
      await broker.close();
    });
  });
});

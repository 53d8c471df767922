/** What the functions of a Redis keep of groups that have gone. */

import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { limits } from '../../src/core/limits.ts';
import { newTask, sampleId, startAt } from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';

await onOwnRedis((server) => {
  // 10,000 are kept, which is up to 13 MB with what is not collected yet; all 50,000 would be 28.
  test('however many groups come and go, the functions keep the keys of few', async () => {
    const address = { path: server.path };
    const broker = createRedisBroker({ address, namespace: 'groups', now: () => startAt });
    await broker.open();
    const redis = new Redis(address);
    let mostBytes = 0;
    for (let at = 0; at < 50_000; at += limits.batchMax) {
      const ids = Array.from({ length: limits.batchMax }, (_none, place) => sampleId(at + place));
      await broker.enqueue(ids.map((id) => newTask(id, { group: `${'g'.repeat(40)}${id}` })));
      await broker.remove(ids);
      const [, bytes] = /used_memory_vm_functions:(\d+)/.exec(await redis.info('memory')) ?? [];
      mostBytes = Math.max(mostBytes, Number(bytes));
    }
    expect(mostBytes).toBeGreaterThan(0);
    expect(mostBytes).toBeLessThan(20_000_000);
    redis.disconnect();
    await broker.close();
  });
});

/** Plain tasks in Redis: the short way into the store leaves there what the long one leaves. */

import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import type { NewTask } from '../../src/core/task.ts';
import { claimRequest, newTask, sampleId, sampleToken } from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';

const now = 1_800_000_000_000;
/** The first call of a kind of task takes the long way. */
const calls: readonly (readonly NewTask[])[] = [
  [newTask(sampleId(1))],
  [newTask(sampleId(2), { payload: '{"n":2}' }), newTask(sampleId(3)), newTask(sampleId(4), { payload: '"ü☃"' })],
  [newTask(sampleId(5))],
];

await onOwnRedis((server) => {
  const open = async (namespace: string, user = '') => {
    const url = server.url.replace('//', `//${user}`);
    const broker = createRedisBroker({ address: { url }, namespace, now: () => now });
    await broker.open();
    return broker;
  };

  /** What a namespace holds, but for whose it is. */
  const contentsOf = async (namespace: string): Promise<unknown> => {
    const admin = new Redis(server.url);
    const prefix = `{${namespace}}:`;
    const contents: Record<string, unknown> = {};
    for (const key of await admin.keys(`${prefix}*`)) {
      const type = await admin.type(key);
      if (type === 'hash') contents[key.slice(prefix.length)] = { ...(await admin.hgetall(key)), incarnation: '' };
      else if (type === 'stream') contents[key.slice(prefix.length)] = await admin.xrange(key, '-', '+');
      else contents[key.slice(prefix.length)] = await admin.zrange(key, '0', '-1', 'WITHSCORES');
    }
    admin.disconnect();
    return contents;
  };

  test('the short way stores what the long one stores', async () => {
    const admin = new Redis(server.url);
    // Who may keep no functions always takes the long one.
    await admin.call('ACL', 'SETUSER', 'long', 'on', '>pw', '~*', '&*', '+@all', '-function', '-fcall');
    admin.disconnect();
    const [short, long] = [await open('plain-a'), await open('plain-b', 'long:pw@')];
    for (const tasks of calls) expect(await short.enqueue(tasks)).toEqual(await long.enqueue(tasks));
    expect(await contentsOf('plain-a')).toEqual(await contentsOf('plain-b'));
    await short.close();
    await long.close();
  });

  test('ids that are known, that come twice or not in order, are seen', async () => {
    const broker = await open('plain-c');
    await broker.enqueue([newTask(sampleId(2))]);
    const outcomes = async (...numbers: number[]) =>
      (await broker.enqueue(numbers.map((number) => newTask(sampleId(number))))).map(({ outcome }) => outcome);
    expect(await outcomes(1, 2, 3)).toEqual(['created', 'existing', 'created']);
    expect(await outcomes(4, 4)).toEqual(['created', 'existing']);
    expect(await outcomes(6, 5)).toEqual(['created', 'created']);
    const claimed = await broker.claim(claimRequest(sampleToken(1)));
    expect(claimed.map(({ task }) => task.id)).toEqual([1, 2, 3, 4, 5, 6].map(sampleId));
    await broker.close();
  });
});

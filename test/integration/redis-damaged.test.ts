/** Values in Redis that somebody has written by hand are told as what they are: no claim, heartbeat, end or list fails at one. */

import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { seededChance } from '../../src/core/chance.ts';
import { corruptTag } from '../../src/core/damaged.ts';
import { systemClock } from '../../src/core/time.ts';
import {
  beat,
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  sampleId,
  sampleToken,
  settlement,
  wait,
} from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';

const [bad, good, parent] = [sampleId(1), sampleId(2), sampleId(3)];
const texts = ['[{', '7', '{"a":1}', '[7]', '[[7,8]]', '[["a",{}]]', '"text"', ''];

await onOwnRedis(({ path }) => {
  const open = async (namespace: string) => {
    const look = new Redis(path);
    await look.flushall();
    const broker = createRedisBroker({ address: { path }, namespace, clock: systemClock, chance: seededChance(5) });
    await broker.open();
    const write = (hash: string, text: string) => look.hset(`{${namespace}}:${hash}`, bad, text);
    const close = async () => {
      await broker.close();
      look.disconnect();
    };
    return { broker, write, close };
  };

  test.each(texts)('steps in the form of %j are done again', async (text) => {
    const { broker, write, close } = await open('damaged-steps');
    await broker.enqueue([newTask(bad)]);
    const [first] = await broker.claim(claimRequest(sampleToken(1)));
    const lease = first!.lease;
    const checkpoints = [{ name: 'a', value: '1' }];
    await broker.heartbeat(heartbeatRequest([beat(lease, { checkpoints })]));
    await write('checkpoints', text);
    await broker.settle([settlement(bad, lease, wait('queued'))]);
    await broker.enqueue([newTask(good)]);
    const claimed = await broker.claim(claimRequest(sampleToken(2)));
    expect(claimed.map(({ task }) => [task.id, task.checkpoints, task.tags])).toEqual([
      [bad, [], [corruptTag]],
      [good, [], []],
    ]);
    expect(await broker.getTasks([bad])).toMatchObject([{ tags: [corruptTag] }]);
    const again = [{ name: 'b', value: '2' }];
    await broker.heartbeat(heartbeatRequest([beat(claimed[0]!.lease, { checkpoints: again })]));
    expect(await broker.getTasks([bad])).toMatchObject([{ checkpoints: again, tags: [] }]);
    await close();
  });

  test.each(texts)('rules in the form of %j keep nobody from its turn', async (text) => {
    const { broker, write, close } = await open('damaged-rules');
    const limits = [{ name: 'full', max: 1, rate: null }];
    await broker.enqueue([newTask(bad, { limits }), newTask(good, { limits }), newTask(sampleId(4), { limits })]);
    await write('rules', text);
    expect(await broker.inspect([bad])).toHaveLength(1);
    expect((await broker.peek('default', 5)).next).toEqual([bad, good]);
    // One of a hundred and more is told by the counts of a queue what all of it carry, and reads no rules.
    const claimed = await broker.claim(claimRequest(sampleToken(2), { limit: 10 }));
    expect(claimed.map(({ task }) => [task.id, task.limits.length, task.tags])).toEqual([
      [bad, 0, [corruptTag]],
      [good, 1, []],
    ]);
    const ends = claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded')));
    expect((await broker.settle(ends)).results).toEqual([{ outcome: 'applied' }, { outcome: 'applied' }]);
    expect((await broker.claim(claimRequest(sampleToken(3)))).map(({ task }) => task.id)).toEqual([sampleId(4)]);
    await close();
  });

  test.each(texts)('parents in the form of %j are waited for', async (text) => {
    const { broker, write, close } = await open('damaged-parents');
    await broker.enqueue([newTask(parent)]);
    await broker.enqueue([newTask(bad, { dependsOn: [{ taskId: parent, onFailure: 'fail' }] })]);
    await write('parents', text);
    expect(await broker.getTasks([bad])).toMatchObject([{ state: 'blocked', dependsOn: [], tags: [corruptTag] }]);
    expect(await broker.inspect([bad])).toHaveLength(1);
    const [first] = await broker.claim(claimRequest(sampleToken(1)));
    await broker.settle([settlement(parent, first!.lease, finish('succeeded'))]);
    const [claimed] = await broker.claim(claimRequest(sampleToken(2)));
    expect(claimed?.task.id).toBe(bad);
    await close();
  });
});

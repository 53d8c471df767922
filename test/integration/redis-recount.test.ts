/** A recount of Redis finds nothing that its own calls have left, and everything that something else did. */

import { createHash } from 'node:crypto';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { recountRedis } from '../../src/broker/redis/recount.ts';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { seededChance } from '../../src/core/chance.ts';
import { queueLimitName } from '../../src/core/limit-rules.ts';
import { systemClock } from '../../src/core/time.ts';
import { claimRequest, newTask, sampleId, sampleToken } from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';

const namespace = 'recount';
const prefix = `{${namespace}}:`;
const digest = (text: string): string => createHash('sha1').update(text).digest('hex');
const slotsOf = (name: string): string => `${prefix}slots:${digest(name)}`;
const ofQueue = queueLimitName('default');

/** Something that no call of a broker does, and a word of what is told of it. */
const bends: readonly (readonly [told: string, bend: (look: Redis) => Promise<unknown>])[] = [
  ['counts', (look) => look.hincrby(`${prefix}counts`, JSON.stringify(['default', 'sample', 'queued']), 3)],
  ['the limits with slots lacks', (look) => look.del(slotsOf('odd'))],
  ['the slots of odd lacks', (look) => look.srem(slotsOf('odd'), sampleId(1))],
  ['the slots of queue default lacks', (look) => look.srem(slotsOf(ofQueue), sampleId(2))],
  ['the slots of queue default has', (look) => look.sadd(slotsOf(ofQueue), sampleId(5))],
  ['the limits with slots has', (look) => look.sadd(slotsOf(queueLimitName('other')), sampleId(1))],
  ['the queues that are limited lacks default', (look) => look.hset(`${prefix}queues`, 'default', '')],
  ['the queues that are limited has other', (look) => look.hset(`${prefix}queues`, 'other', '!')],
  ['limitNames lacks odd', (look) => look.zrem(`${prefix}limitNames`, 'odd')],
  ['the slots of odd has', (look) => look.sadd(slotsOf('odd'), 'nobody')],
  ['queued by rules lacks', (look) => look.del(`${prefix}queue:${digest('default')}:rules`)],
  ['leases lacks', (look) => look.del(`${prefix}leases`)],
  ['the key k4 is held by', (look) => look.hdel(`${prefix}tasks`, sampleId(4))],
  ['openClaims', (look) => look.hset(`${prefix}openClaims`, 'nobodys', 2)],
];

await onOwnRedis(({ path }) => {
  test.for(bends)('a recount finds that %s', async ([told, bend]) => {
    const look = new Redis(path);
    await look.flushall();
    const broker = createRedisBroker({ address: { path }, namespace, clock: systemClock, chance: seededChance(5) });
    await broker.open();
    const given = [1, 2, 3, 4, 5].map((n) =>
      newTask(sampleId(n), { key: `k${n}`, limits: n % 2 === 1 ? [{ name: 'odd', max: 9, rate: null }] : [] }),
    );
    await broker.enqueue(given);
    await broker.configure('queue', 'default', { max: 3 });
    await broker.claim(claimRequest(sampleToken(1), { limit: 3 }));
    expect(await recountRedis(look, prefix, broker)).toEqual([]);
    await bend(look);
    expect((await recountRedis(look, prefix, broker)).join('\n')).toContain(told);
    await broker.close();
    look.disconnect();
  });

  test('a recount finds nothing once the limit of a queue was taken back, and when a queue has one whose tasks do not run', async () => {
    const look = new Redis(path);
    await look.flushall();
    const broker = createRedisBroker({ address: { path }, namespace, clock: systemClock, chance: seededChance(5) });
    await broker.open();
    await broker.enqueue([1, 2].map((n) => newTask(sampleId(n))));
    await broker.claim(claimRequest(sampleToken(1), { limit: 1 }));
    for (const max of [1, null]) {
      await broker.configure('queue', 'default', { max });
      await broker.configure('queue', 'idle', { max: 1 });
      expect(await recountRedis(look, prefix, broker)).toEqual([]);
    }
    await broker.close();
    look.disconnect();
  });
});

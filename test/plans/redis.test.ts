/** What a call costs a Redis in commands: as many among few waiting tasks as among many, and none that reads a whole key. */

import process from 'node:process';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { limits } from '../../src/core/limits.ts';
import type { ClaimedTask, NewTask } from '../../src/core/task.ts';
import {
  beat,
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  overdueRequest,
  sampleId,
  sampleToken,
  settlement,
  startAt,
  wait,
} from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';

const few = 1_000;
/** `PLAN_TASKS=1000000` asks the same of a million. */
const many = Number(process.env.PLAN_TASKS ?? 100_000);
const batch = 100;

/** By name, how often a command was called. */
type Calls = Readonly<Record<string, number>>;

const backlogs: Readonly<Record<string, (at: number) => Partial<NewTask>>> = {
  'plain tasks': () => ({}),
  'tasks with key, group, limit and deadline': (at) => ({
    key: `k${at}`,
    group: `g${at % batch}`,
    limits: [{ name: 'all', max: 1_000, rate: null }],
    expiresInMs: 3_600_000,
  }),
  'tasks of the future': () => ({ delayMs: 3_600_000 }),
};

/** Commands whose work grows with their key, not with what they were asked for. */
const boundless = /^(keys|scan|hgetall|hkeys|hvals|hscan|smembers|sscan|lrange|zrangebylex|sort|sunion|sinter|sdiff)$/;
/** Not of the scripts, and what only asks for the time. */
const around =
  /^(eval|evalsha|script\|load|fcall|function\|load|function\|list|info|config\|resetstat|time|publish|spublish)$/;

await onOwnRedis(({ path }) => {
  test.each(Object.keys(backlogs))(
    `every hot call makes the same commands among ${few} and ${many} %s`,
    { timeout: 30_000 + many / 4 },
    async (kind) => {
      const amongFew = await callsAmong(path, few, backlogs[kind]!);
      const amongMany = await callsAmong(path, many, backlogs[kind]!);
      expect(amongMany).toEqual(amongFew);
      // Prune is rare, and looks through the wishes for the ends of flows.
      const { prune: _prune, ...hot } = amongMany;
      const names = Object.values(hot).flatMap((calls) => Object.keys(calls));
      expect(names.filter((name) => boundless.test(name))).toEqual([]);
    },
  );

  test.each([
    ['without groups', 0],
    ['of a hundred groups', 100],
  ] as const)(
    `a claim makes the same few commands behind ${few} and ${many} tasks %s that wait for one full limit`,
    { timeout: 30_000 + many / 4 },
    async (_kind, groups) => {
      const amongFew = await callsBehindFullLimit(path, few, groups);
      expect(await callsBehindFullLimit(path, many, groups)).toEqual(amongFew);
      expect(Object.values(amongFew).reduce((sum, calls) => sum + calls, 0)).toBeLessThan(50);
    },
  );

  test('a hundred plain tasks cost as many commands as the fewest that stand together, but for the attempts of those that failed', async () => {
    const fewest = await callsAmong(path, few, () => ({}), limits.packMin);
    const hundred = await callsAmong(path, few, () => ({}));
    const { rpush, ...ofWaiting } = hundred['settle to wait']!;
    expect(rpush).toBe(batch);
    expect({ ...hundred, 'settle to wait': { rpush: limits.packMin, ...ofWaiting } }).toEqual(fewest);
  });

  test('few groups are kept as many are, so that no look goes through all of them', async () => {
    const look = new Redis({ path });
    await look.flushall();
    const broker = createRedisBroker({ address: { path }, namespace: 'plans', now: () => startAt });
    await broker.open();
    const encodings = async (): Promise<unknown> => {
      const keys = await look.keys('{plans}:queue:*');
      const kept = keys.filter((key) => key.endsWith(':standing') || key.endsWith(':turns')).sort();
      return Promise.all(kept.map((key) => look.object('ENCODING', key)));
    };
    await broker.enqueue([0, 1, 2, 3, 4, 5].map((at) => newTask(sampleId(at), { group: `g${at % 2}` })));
    expect(await encodings()).toEqual(['skiplist', 'hashtable']);
    // All that stand are served, and stand anew.
    await broker.claim(claimRequest(sampleToken(1), { limit: 2 }));
    expect(await encodings()).toEqual(['skiplist', 'hashtable']);
    expect((await broker.claim(claimRequest(sampleToken(2), { limit: 10 }))).length).toBe(4);
    await broker.close();
    look.disconnect();
  });

  test('where all tasks of a claim carry the same limits, a settlement reads none of them', async () => {
    const shared = await readsOfSettlement(path, () => 'all');
    const own = await readsOfSettlement(path, (at) => `own ${at}`);
    expect(own - shared).toBe(1);
  });

  test('where all who wait carry the same limits, a large claim reads them once', async () => {
    const alike = await readsOfClaim(path, 0);
    const others = await readsOfClaim(path, 1);
    expect(others - alike).toBe(1);
  });

  test('where a claim stopped in the line of a group is forgotten with its last task', async () => {
    const look = new Redis({ path });
    await look.flushall();
    const broker = createRedisBroker({ address: { path }, namespace: 'plans', now: () => startAt });
    await broker.open();
    const limits = [{ name: 'all', max: 1, rate: null }];
    const batches = [0, 1, 2, 3, 4, 5].map((nth) =>
      Array.from({ length: few }, (_none, at) => sampleId(nth * few + at)),
    );
    for (const ids of batches) await broker.enqueue(ids.map((id, at) => newTask(id, { limits, group: `g${at % 2}` })));
    // One without the limit: else nobody would look behind it.
    await broker.enqueue([newTask(sampleId(batches.length * few), { group: 'paused' })]);
    await broker.configure('group', 'paused', { pause: { by: 'ada', reason: null } });
    const claim = (number: number) => broker.claim(claimRequest(sampleToken(number), { limit: 5 }));
    for (let number = 1; number <= 20 && (await look.exists('{plans}:cursors')) === 0; number++) await claim(number);
    expect(await look.exists('{plans}:cursors')).toBe(1);
    for (const taskIds of batches) await broker.cancel({ taskIds, reason: null });
    expect(await look.exists('{plans}:cursors')).toBe(0);
    await broker.close();
    look.disconnect();
  });
});

/** The commands of each call, on a namespace in which so many wait. */
async function callsAmong(
  path: string,
  waiting: number,
  given: (at: number) => Partial<NewTask>,
  size = batch,
): Promise<Readonly<Record<string, Calls>>> {
  const look = new Redis({ path });
  await look.flushall();
  let now = startAt;
  const broker = createRedisBroker({ address: { path }, namespace: 'plans', now: () => now });
  await broker.open();
  let at = 0;
  const next = (length: number): readonly NewTask[] =>
    Array.from({ length }, () => newTask(sampleId(at), { ...given(at++), delayMs: given(at).delayMs ?? 0 }));
  for (let left = waiting; left > 0; left -= few) {
    await broker.enqueue(next(Math.min(left, few)));
    // Nobody records them, and a full outbox takes nothing new.
    await broker.outbox?.trim((await broker.outbox.state()).lastSeq);
    // No store takes a million in one millisecond, and those of one are put in order by the claim that meets them.
    now += 1;
  }
  // The first pass brings all scripts to the server.
  await pass(broker, next, size, async (_name, call) => call(), 1);
  now += 1_000;
  const noted: Record<string, Calls> = {};
  await pass(
    broker,
    next,
    size,
    async (name, call) => {
      await look.config('RESETSTAT');
      const answer = await call();
      noted[name] = readCalls(await look.info('commandstats'));
      return answer;
    },
    2,
  );
  await broker.close();
  look.disconnect();
  return noted;
}

/** How many lists of fields a claim of a hundred reads among tasks with one limit, and so many with another. */
async function readsOfClaim(path: string, others: number): Promise<number> {
  const look = new Redis({ path });
  await look.flushall();
  const broker = createRedisBroker({ address: { path }, namespace: 'plans', now: () => startAt });
  await broker.open();
  const limits = (name: string) => [{ name, max: 200, rate: null }];
  await broker.enqueue(Array.from({ length: 100 }, (_none, at) => newTask(sampleId(at), { limits: limits('all') })));
  for (let at = 0; at < others; at += 1)
    await broker.enqueue([newTask(sampleId(200 + at), { limits: limits('other') })]);
  await look.config('RESETSTAT');
  const claimed = await broker.claim(
    claimRequest(sampleToken(1), { limit: 100, queues: [{ name: 'default', limit: 100 }] }),
  );
  expect(claimed.map(({ task }) => task.limits[0]?.name)).toEqual(Array.from({ length: 100 }, () => 'all'));
  const { hmget = 0 } = readCalls(await look.info('commandstats'));
  await broker.close();
  look.disconnect();
  return hmget;
}

/** How many lists of fields are read where two tasks with such limits end. */
async function readsOfSettlement(path: string, limitOf: (at: number) => string): Promise<number> {
  const look = new Redis({ path });
  await look.flushall();
  const broker = createRedisBroker({ address: { path }, namespace: 'plans', now: () => startAt });
  await broker.open();
  const limits = (at: number) => [{ name: limitOf(at), max: 9, rate: null }];
  await broker.enqueue([0, 1].map((at) => newTask(sampleId(at), { limits: limits(at) })));
  const claimed = await broker.claim(claimRequest(sampleToken(1)));
  expect(claimed).toHaveLength(2);
  await look.config('RESETSTAT');
  await broker.settle(ended(claimed, 'succeeded'));
  const { hmget = 0 } = readCalls(await look.info('commandstats'));
  await broker.close();
  look.disconnect();
  return hmget;
}

/** The commands of a claim that finds nothing, as all that wait carry a limit that is full. */
async function callsBehindFullLimit(path: string, waiting: number, groups: number): Promise<Calls> {
  const look = new Redis({ path });
  await look.flushall();
  const broker = createRedisBroker({ address: { path }, namespace: 'plans', now: () => startAt });
  await broker.open();
  const limits = [{ name: 'all', max: batch, rate: null }];
  const make = (at: number): NewTask =>
    newTask(sampleId(at), { limits, group: groups === 0 ? null : `g${at % groups}` });
  for (let from = 0; from < waiting + batch; from += few) {
    const length = Math.min(few, waiting + batch - from);
    await broker.enqueue(Array.from({ length }, (_none, place) => make(from + place)));
    await broker.outbox?.trim((await broker.outbox.state()).lastSeq);
  }
  expect(await broker.claim(claimRequest(sampleToken(1), { limit: batch }))).toHaveLength(batch);
  await look.config('RESETSTAT');
  expect(await broker.claim(claimRequest(sampleToken(2), { limit: batch }))).toEqual([]);
  const calls = readCalls(await look.info('commandstats'));
  await broker.close();
  look.disconnect();
  return calls;
}

type Note = <Answer>(name: string, call: () => Promise<Answer>) => Promise<Answer>;

/** Every call that is made again and again while tasks pass through. */
async function pass(
  broker: Broker,
  next: (length: number) => readonly NewTask[],
  size: number,
  note: Note,
  round: number,
): Promise<void> {
  const request = (number: number) => claimRequest(sampleToken(10 * round + number), { limit: size });
  await note('enqueue', () => broker.enqueue(next(size)));
  const first = await note('claim', () => broker.claim(request(1)));
  const beats = first.map(({ lease }) => beat(lease, { ranMs: 5 }));
  await note('heartbeat', () => broker.heartbeat(heartbeatRequest(beats)));
  const { claimed } = await note('settle', () => broker.settle(ended(first, 'succeeded'), request(2)));
  await note('settle to wait', () => broker.settle(ended(claimed, 'queued')));
  await note('promote', () => broker.promote(size));
  await note('claimOverdue', () => broker.claimOverdue(overdueRequest(sampleToken(10 * round + 3))));
  await note('prune', () => broker.prune(size));
}

function ended(claimed: readonly ClaimedTask[], to: 'succeeded' | 'queued') {
  return claimed.map(({ lease }) =>
    settlement(lease.taskId, lease, to === 'queued' ? wait(to, { error: null }) : finish(to)),
  );
}

function readCalls(text: string): Calls {
  const found = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(
    ([, name = '', calls]) => [name, Number(calls)] as const,
  );
  return Object.fromEntries(found.filter(([name]) => !around.test(name)).sort());
}

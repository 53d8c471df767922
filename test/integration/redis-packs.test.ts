/** Packs in Redis: plain tasks of one call stand in line together, and nobody can tell. */

import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { createMemoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { recountRedis } from '../../src/broker/redis/recount.ts';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { type Chance, seededChance } from '../../src/core/chance.ts';
import { limits } from '../../src/core/limits.ts';
import type { ClaimedTask, NewTask, TaskPatch } from '../../src/core/task.ts';
import {
  beat,
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  sampleId,
  sampleToken,
  settlement,
  startAt,
  wait,
} from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';

const packMin = 3;
const steps = 120;
const queues = ['default', 'other'];

await onOwnRedis(({ path }) => {
  const open = async (namespace: string, given: { now?: () => number; packMin?: number } = {}) => {
    const outboxLimits = { outboxMax: limits.outboxMax, liveKeepMs: limits.liveKeepMs, packMin, bareMin: 4 };
    const broker = createRedisBroker({ address: { path }, namespace, now: () => startAt, outboxLimits, ...given });
    await broker.open();
    return broker;
  };
  const ids = (from: number, count: number): string[] => Array.from({ length: count }, (_, at) => sampleId(from + at));
  const tasksOf = (from: number, count: number): NewTask[] => ids(from, count).map((id) => newTask(id));

  /** What stands in line, by itself and in packs. */
  const linesOf = async (namespace: string): Promise<readonly number[]> => {
    const look = new Redis({ path });
    const keys = await look.keys(`{${namespace}}:queue:*`);
    const sizeOf = async (wanted: RegExp): Promise<number> => {
      const key = keys.find((name) => wanted.test(name));
      return key === undefined ? 0 : look.zcard(key);
    };
    const sizes = [await sizeOf(/:queue:\w{40}$/), await sizeOf(/:queue:\w{40}:packs$/)];
    look.disconnect();
    return sizes;
  };

  test.for([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'a store with packs and one in memory answer alike, whatever is asked of them, from seed %i on',
    { timeout: 60_000 },
    async (seed) => {
      const world = createWorld(seed);
      const namespace = `alike-${seed}`;
      const packed = await open(namespace, { now: world.now });
      const plain = createMemoryBroker({ now: world.now, chance: seededChance(seed) });
      await plain.open();
      for (let step = 0; step < steps; step++) {
        const ask = world.next(step);
        const answer = await ask.of(packed);
        expect([ask.name, step, answer]).toEqual([ask.name, step, await ask.of(plain)]);
        world.hear(answer);
      }
      const look = new Redis({ path });
      expect(await recountRedis(look, `{${namespace}}:`, packed)).toEqual([]);
      look.disconnect();
      await Promise.all([packed.close(), plain.close()]);
    },
  );

  test('a claim takes packs as they stand, and writes the rest of the last one', async () => {
    let time = startAt;
    const broker = await open('whole', { now: () => time++ });
    await broker.enqueue(tasksOf(0, 1));
    await broker.enqueue(tasksOf(1, 250));
    expect(await linesOf('whole')).toEqual([1, 3]);
    const claimed = await broker.claim(
      claimRequest(sampleToken(1), { limit: 150, queues: [{ name: 'default', limit: 150 }] }),
    );
    expect(claimed.map(({ task }) => task.id)).toEqual(ids(0, 150));
    expect(await linesOf('whole')).toEqual([0, 2]);
    const others = await broker.claim(
      claimRequest(sampleToken(2), { limit: 500, queues: [{ name: 'default', limit: 500 }] }),
    );
    expect(others.map(({ task }) => task.id)).toEqual(ids(150, 101));
    expect(await linesOf('whole')).toEqual([0, 0]);
    await broker.close();
  });

  test('a claim of a few tasks, or one that leaves, takes packs apart', async () => {
    const broker = await open('apart');
    await broker.enqueue(tasksOf(0, 1));
    await broker.enqueue(tasksOf(1, 300));
    await broker.claim(claimRequest(sampleToken(1), { limit: 2 }));
    expect(await linesOf('apart')).toEqual([299, 0]);
    await broker.close();
  });

  test('a claim that left the rows to its caller answers the same when it is sent again, and as the next one of a settlement', async () => {
    let time = startAt;
    const broker = await open('bare', { now: () => time++ });
    await broker.enqueue(tasksOf(0, 1));
    await broker.enqueue(ids(1, 60).map((id) => newTask(id, { payload: `{"id":"${id}"}` })));
    const request = claimRequest(sampleToken(1), { limit: 30 });
    await broker.claim(claimRequest(sampleToken(9), { limit: 1 }));
    const claimed = await broker.claim(request);
    expect(claimed.map(({ task }) => task.payload)).toEqual(ids(1, 30).map((id) => `{"id":"${id}"}`));
    expect(await broker.claim(request)).toEqual(claimed);
    const ended = claimed.map(({ lease }) => settlement(lease.taskId, lease, finish('succeeded')));
    const next = await broker.settle(ended, claimRequest(sampleToken(2), { limit: 100 }));
    expect(next.claimed.map(({ task }) => task.payload)).toEqual(ids(31, 30).map((id) => `{"id":"${id}"}`));
    await broker.close();
  });

  test('what an earlier program has cancelled in a pack that it cannot see is given to nobody', async () => {
    const broker = await open('earlier');
    const other = await open('earlier-other');
    await other.enqueue(tasksOf(2, 1));
    await other.cancel({ taskIds: ids(2, 1), reason: null });
    await broker.enqueue(tasksOf(0, 1));
    await broker.enqueue(tasksOf(1, 20));
    const look = new Redis({ path });
    // Such a program writes the head, and takes the task out of the line, where it is not.
    const head = await look.hgetBuffer('{earlier-other}:heads', sampleId(2));
    await look.hset('{earlier}:heads', sampleId(2), head ?? '');
    look.disconnect();
    const claimed = await broker.claim(claimRequest(sampleToken(1)));
    expect(claimed.map(({ task }) => task.id)).toEqual([sampleId(0), sampleId(1), ...ids(3, 18)]);
    await Promise.all([broker.close(), other.close()]);
  });

  test('an earlier layout has no packs until all processes of it have ended', async () => {
    let time = startAt;
    const now = () => time;
    const first = await open('upgrade', { now });
    const look = new Redis({ path });
    await look.hset('{upgrade}:store', 'protocol', '2');
    await first.heartbeat(heartbeatRequest([]));
    const second = await open('upgrade', { now });
    await second.enqueue(tasksOf(0, 1));
    await second.enqueue(tasksOf(1, 50));
    expect(await linesOf('upgrade')).toEqual([51, 0]);
    time += limits.presenceMs;
    const third = await open('upgrade', { now });
    expect(await look.hget('{upgrade}:store', 'protocol')).toBe('3');
    await second.enqueue(tasksOf(51, 50));
    expect(await linesOf('upgrade')).toEqual([51, 1]);
    const claimed = await third.claim(
      claimRequest(sampleToken(1), { limit: 200, queues: [{ name: 'default', limit: 200 }] }),
    );
    expect(claimed.map(({ task }) => task.id)).toEqual(ids(0, 101));
    look.disconnect();
    await Promise.all([first.close(), second.close(), third.close()]);
  });
});

interface Ask {
  readonly name: string;
  of(broker: Broker): Promise<unknown>;
}

/** Chooses what is asked next: of the same seed the same. */
function createWorld(seed: number) {
  const chance = seededChance(seed);
  const below = (most: number): number => Math.floor(chance.float() * most);
  const pick = <Item>(list: readonly Item[]): Item => list[below(list.length)] as Item;
  let time = startAt;
  let count = 0;
  let running: ClaimedTask[] = [];
  const known: string[] = [];
  const some = (most: number): string[] =>
    Array.from({ length: Math.min(known.length, 1 + below(most)) }, () => pick(known));

  const enqueue = (): Ask => {
    const given = kindOf(chance, pick);
    const size = 1 + below(pick([2, 12, 130]));
    // Now and then two calls have ids in between each other's.
    const numbers = Array.from({ length: size }, (_, at) => 2 * (count + at) + (below(9) === 0 ? 1 : 0));
    count += pick([size, size, Math.ceil(size / 2)]);
    const fresh = [...new Set(numbers)].map(sampleId).filter((id) => !known.includes(id));
    known.push(...fresh);
    const isParent = below(12) === 0 && known.length > fresh.length;
    const dependsOn = isParent ? [{ taskId: known[0] as string, onFailure: 'ignore' as const }] : [];
    return { name: 'enqueue', of: (broker) => broker.enqueue(fresh.map((id) => newTask(id, { ...given, dependsOn }))) };
  };
  const claim = (step: number): Ask => {
    const limit = pick([1, 2, 5, 40, 250]);
    const names = pick([['default'], ['default'], ['other'], queues]);
    const request = claimRequest(sampleToken(step + 1), { limit, queues: names.map((name) => ({ name, limit })) });
    return { name: 'claim', of: (broker) => broker.claim(request) };
  };
  const settle = (): Ask => {
    const size = below(running.length + 1);
    const ended = running.splice(0, size);
    const isBack = below(4) === 0;
    const list = ended.map(({ lease }) =>
      settlement(lease.taskId, lease, isBack ? wait('queued', { error: null }) : finish(pick(['succeeded', 'failed']))),
    );
    return { name: 'settle', of: async (broker) => (await broker.settle(list)).results };
  };
  const asks: readonly ((step: number) => Ask)[] = [
    enqueue,
    enqueue,
    enqueue,
    claim,
    claim,
    settle,
    () => {
      const taskIds = some(4);
      return { name: 'cancel', of: (broker) => broker.cancel({ taskIds, reason: null }) };
    },
    () => {
      const changes = [...new Set(some(3))].map((taskId) => ({
        taskId,
        version: null,
        patch: pick<TaskPatch>([{ priority: 2 }, { queue: 'other' }, { delayMs: 0 }]),
      }));
      return { name: 'update', of: (broker) => broker.update(changes) };
    },
    () => {
      const taskIds = [...new Set(some(3))];
      return { name: 'retry', of: (broker) => broker.retry(taskIds) };
    },
    () => {
      const [queue, limit] = [pick(queues), 1 + below(60)];
      return { name: 'peek', of: (broker) => broker.peek(queue, limit) };
    },
    () => ({ name: 'queues', of: (broker) => broker.getQueues().then(sorted) }),
    () => {
      const taskIds = [...new Set(some(5))];
      return {
        name: 'ahead',
        of: async (broker) => (await broker.inspect(taskIds)).map((facts) => facts && aheadOf(facts)),
      };
    },
    () => {
      const settings = pick([{ max: 3 }, { max: null }, { max: null }]);
      return { name: 'configure', of: (broker) => broker.configure('queue', 'other', settings) };
    },
    () => {
      const beats = running.slice(0, 3).map(({ lease }) => beat(lease, { ranMs: 5 }));
      return { name: 'heartbeat', of: async (broker) => (await broker.heartbeat(heartbeatRequest(beats))).beats };
    },
  ];
  return {
    now: () => time,
    next(step: number): Ask {
      time += pick([0, 0, 1, 7]);
      return pick(asks)(step);
    },
    /** Who was claimed runs until it is settled. */
    hear(answer: unknown): void {
      const isClaim = Array.isArray(answer) && answer[0]?.lease !== undefined;
      if (isClaim) running = [...running, ...(answer as ClaimedTask[])];
    },
  };
}

const aheadOf = (facts: object): unknown => ('ahead' in facts ? facts.ahead : facts);
const sorted = (list: readonly { readonly name: string }[]) => list.toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** Mostly nothing of its own: then a call is a pack. */
function kindOf(chance: Chance, pick: <Item>(list: readonly Item[]) => Item): Partial<NewTask> {
  if (chance.float() < 0.6) return {};
  return pick<Partial<NewTask>>([
    { queue: 'other' },
    { queue: 'other' },
    { priority: 2 },
    { group: pick(['a', 'b', 'c']) },
    { limits: [{ name: 'l', max: 4, rate: null }] },
    { delayMs: 3 },
    { startWithinMs: 5 },
  ]);
}

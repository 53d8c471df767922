/** A full limit that nearly all of a queue waits for: who does not carry it is found, whatever came and left before. */

import { expect } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import type { NewTask } from '../../src/core/task.ts';
import { claimIds, one, putAll, slots } from './limit-samples.ts';
import { claimRequest, finish, newTask, overdueRequest, sampleId, settlement, storedTask, wait } from './samples.ts';
import type { Case, World } from './world.ts';

const other = { limits: [slots('user:1', 1), slots('other', 5)] };

/** What a queued task that carries the limit may do, and which tasks are then free beside the one behind it. */
const ways: Readonly<Record<string, (world: World, given: Partial<NewTask>) => Promise<readonly string[]>>> = {
  'is cancelled': async (world, given) => {
    await world.broker().cancel({ taskIds: [await world.put(given)], reason: null });
    return [];
  },
  'is put off': async (world, given) => {
    await change(world, await world.put(given), { delayMs: 5_000 });
    return [];
  },
  'goes to another queue': async (world, given) => {
    await change(world, await world.put(given), { queue: 'elsewhere' });
    return [];
  },
  'comes from another queue': async (world, given) => {
    await change(world, await world.put({ ...given, queue: 'elsewhere' }), { queue: 'default' });
    return [];
  },
  'loses its limits': async (world, given) => {
    const id = await world.put(given);
    await change(world, id, { limits: [] });
    return [id];
  },
  'gains another limit': async (world, given) => {
    await change(world, await world.put(given), { limits: other.limits });
    return [];
  },
  'gains the limit': async (world, given) => {
    await change(world, await world.put({ ...given, limits: [] }), { limits: one.limits });
    return [];
  },
  'gives way to one without it': async (world, given) => {
    await world.put({ ...given, key: 'k' });
    return [await world.put({ ...given, limits: [], key: 'k', ifExists: 'replace' })];
  },
  'becomes due': async (world, given) => {
    await world.put({ ...given, delayMs: 10 });
    world.clock.move(10);
    await world.broker().promote(10);
    return [];
  },
  'is let go by its parent': async (world, given) => {
    const parent = await world.put({ queue: 'elsewhere' });
    await world.put({ ...given, dependsOn: [{ taskId: parent, onFailure: 'ignore' }] });
    await world.broker().cancel({ taskIds: [parent], reason: null });
    return [];
  },
  'is retried': async (world, given) => {
    const id = await world.put(given);
    await world.broker().cancel({ taskIds: [id], reason: null });
    await world.broker().retry([id]);
    return [];
  },
  'is restored': async (world, given) => {
    await world.broker().restore([storedTask(world.nextId(), { ...given, state: 'queued' })]);
    return [];
  },
};

function change(world: World, taskId: string, patch: Parameters<ReturnType<World['broker']>['update']>[0][0]['patch']) {
  return world.broker().update([{ taskId, version: null, patch }]);
}

export const fullLimitCases: readonly Case[] = [
  ...Object.entries(ways).flatMap(([way, go]) =>
    [one, { ...one, group: 'a' }].map(
      (given): Case => [
        `where a ${given === one ? 'task' : "group's task"} with a full limit ${way}, the one behind it is found`,
        async (world) => {
          await world.bring('running', one);
          await world.put(given);
          const free = await go(world, given);
          await world.put(given);
          const last = await world.put({});
          expect((await claimIds(world)).toSorted()).toEqual([...free, last].toSorted());
          expect(await claimIds(world)).toEqual([]);
        },
      ],
    ),
  ),
  [
    'a claim behind verdicts of the same call finds who is left, though most of what was held back has gone',
    async (world) => {
      await world.bring('running', one);
      const late = await putAll(world, { ...one, expiresInMs: 10 }, { ...one, expiresInMs: 10 });
      world.clock.move(10);
      const overdue = await world.broker().claimOverdue(overdueRequest(world.nextToken()));
      expect(overdue.map(({ task }) => task.id).toSorted()).toEqual(late.toSorted());
      const [, free] = await putAll(world, one, {});
      const settled = overdue.map(({ lease }) => settlement(lease.taskId, lease, finish('cancelled')));
      const { claimed } = await world.broker().settle(settled, claimRequest(world.nextToken()));
      expect(claimed.map(({ task }) => task.id)).toEqual([free]);
    },
  ],
  [
    'a claim behind hand-backs of the same call finds who is left',
    async (world) => {
      await world.broker().configure('limit', 'user:1', { max: 3 });
      await putAll(world, one, one, one);
      const claimed = await world.claimAll();
      await world.broker().configure('limit', 'user:1', { max: 1 });
      const free = await world.put({});
      const back = claimed.slice(0, 2).map(({ lease }) => settlement(lease.taskId, lease, wait('queued')));
      const answer = await world.broker().settle(back, claimRequest(world.nextToken()));
      expect(answer.claimed.map(({ task }) => task.id)).toEqual([free]);
    },
  ],
  [
    'a limit that the claim itself has filled hides nobody',
    async (world) => {
      const three = { limits: [slots('user:1', 3)] };
      const ids = await putAll(world, three, three, three, three, {});
      expect(await claimIds(world)).toEqual([0, 1, 2, 4].map((index) => ids[index]));
    },
  ],
  [
    'tasks that carry a full limit each beside another one of their own are passed, and none of them is claimed',
    async (world) => {
      const both = (own: string) => ({ limits: [slots(own, 1), slots('user:1', 1)] });
      const ids = await putAll(
        world,
        both('a'),
        both('b'),
        both('c'),
        {},
        both('d'),
        {},
        both('say "e"'),
        both('f'),
        {},
      );
      const request = claimRequest(world.nextToken(), { limit: 4, queues: [{ name: 'default', limit: 3 }] });
      const first = await world.broker().claim(request);
      expect(first.map(({ task }) => task.id)).toEqual([0, 3, 5].map((index) => ids[index]));
      expect(await claimIds(world)).toEqual([ids[8]]);
    },
  ],
  [
    'a limit that was found full in one queue is counted in each',
    async (world) => {
      await world.bring('running', one);
      const ids = await putAll(world, one, { ...one, queue: 'b' }, { queue: 'b' }, { ...one, queue: 'b' }, one, {});
      const queues = ['default', 'b'].map((name) => ({ name, limit: 10 }));
      const claimed = await world.broker().claim(claimRequest(world.nextToken(), { queues }));
      expect(claimed.map(({ task }) => task.id)).toEqual([ids[2], ids[5]]);
    },
  ],
  [
    'those past their start deadline hide nobody, with a full limit or without',
    async (world) => {
      await world.bring('running', one);
      const soon = { startWithinMs: 10 };
      await putAll(world, { ...one, ...soon }, soon, one, { ...one, ...soon });
      world.clock.move(10);
      const last = await world.put({});
      expect(await claimIds(world)).toEqual([last]);
    },
  ],
  [
    'the limit of a queue and a full limit of its tasks hide nobody from a claim of two queues',
    async (world) => {
      await world.bring('running', one);
      await world.broker().configure('queue', 'default', { max: 2 });
      const ids = await putAll(world, one, {}, {}, { ...one, queue: 'b' }, { queue: 'b' });
      const queues = ['default', 'b'].map((name) => ({ name, limit: 10 }));
      const claimed = await world.broker().claim(claimRequest(world.nextToken(), { queues }));
      expect(claimed.map(({ task }) => task.id)).toEqual([ids[1], ids[4]]);
    },
  ],
  [
    'once a slot is free the one that waits longest is claimed, and nobody else',
    async (world) => {
      const holder = await world.bring('running', one);
      const ids = await putAll(world, one, { ...one, group: 'a' }, { ...one, group: 'b' }, one);
      expect(await claimIds(world)).toEqual([]);
      await world.settle(holder, finish('succeeded'));
      expect(await claimIds(world)).toEqual([ids[0]]);
      expect(await claimIds(world)).toEqual([]);
    },
  ],
  [
    'a task without a full limit is found deep in any of many groups that have full limits',
    async (world) => {
      const [groups, each] = [40, 20];
      const given = Array.from({ length: groups * each }, (_, index) =>
        newTask(sampleId(1_000 + index), { ...one, group: `g${10 + (index % groups)}` }),
      );
      for (let from = 0; from < given.length; from += limits.batchMax)
        await world.broker().enqueue(given.slice(from, from + limits.batchMax));
      const last = await world.put({ id: sampleId(90_000), group: `g${groups}` });
      const found: string[] = [];
      for (let call = 0; call < 12; call += 1) {
        const request = claimRequest(world.nextToken(), { limit: 2, queues: [{ name: 'default', limit: 2 }] });
        found.push(...(await world.broker().claim(request)).map(({ task }) => task.id));
      }
      expect(found).toEqual([sampleId(1_000), last]);
    },
  ],
  [
    'a task whose limit opens is found, though there is always enough to claim behind where claims go on',
    async (world) => {
      const holder = await world.bring('running', { limits: [slots('other', 1)] });
      await world.bring('running', one);
      const many = limits.claimScanMax * limits.claimReadsMax + 500;
      const held = Array.from({ length: many }, (_, at) =>
        newTask(sampleId(10_000 + at), at === 3_000 ? { limits: [slots('other', 1)] } : one),
      );
      for (let from = 0; from < many; from += limits.batchMax)
        await world.broker().enqueue(held.slice(from, from + limits.batchMax));
      const found: string[] = [];
      for (let call = 0; call < 24; call += 1) {
        world.clock.move(1);
        if (call === 8) await world.settle(holder, finish('succeeded'));
        await world.broker().enqueue([0, 1, 2].map((at) => newTask(sampleId(20_000 + 3 * call + at))));
        const request = claimRequest(world.nextToken(), { queues: [{ name: 'default', limit: 2 }] });
        found.push(...(await world.broker().claim(request)).map(({ task }) => task.id));
      }
      expect(found.filter((id) => id < sampleId(20_000))).toEqual([sampleId(13_000)]);
      expect(found.length).toBeGreaterThan(40);
    },
  ],
];

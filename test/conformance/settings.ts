/** configure for groups, limits and whole queues: what it holds back, what it never may, and what is told of it. */

import { expect } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import type { Facts } from '../../src/core/facts.ts';
import { claimIds, one, putAll, rated, slots } from './limit-samples.ts';
import { claimRequest, finish, leaseMs, newTask, sampleId, startAt, storedTask } from './samples.ts';
import type { Case, World } from './world.ts';

const pause = { by: 'ada', reason: 'they asked for it' };
const a = { group: 'a' };
const b = { group: 'b' };

const refused: Readonly<Record<string, (broker: Broker) => Promise<unknown>>> = {
  'a weight of 0': (broker) => broker.configure('group', 'g', { weight: 0 }),
  'a negative weight': (broker) => broker.configure('group', 'g', { weight: -1 }),
  'half a weight': (broker) => broker.configure('group', 'g', { weight: 1.5 }),
  'a weight beyond the bound': (broker) => broker.configure('group', 'g', { weight: 1_001 }),
  'a maximum of a group': (broker) => broker.configure('group', 'g', { weight: 2, max: 1 }),
  'a rate of a group': (broker) => broker.configure('group', 'g', { rate: null }),
  'a weight of a queue': (broker) => broker.configure('queue', 'q', { pause, weight: 2 }),
  'a weight of a limit': (broker) => broker.configure('limit', 'l', { max: 1, weight: 2 }),
  'a maximum of 0 of a queue': (broker) => broker.configure('queue', 'q', { max: 0 }),
  'an endless rate of a queue': (broker) => broker.configure('queue', 'q', { rate: { count: 1, perMs: Infinity } }),
  'a group without a name': (broker) => broker.configure('group', '', { pause }),
  'a limit that is named like that of a queue': (broker) => broker.configure('limit', '\u0001default', { max: 1 }),
  'a task with a limit that is named like that of a queue': (broker) =>
    broker.enqueue([newTask(sampleId(9), { limits: [slots('\u0001default', 1)] })]),
};

export const settingCases: readonly Case[] = [
  ...Object.entries(refused).map(
    ([what, call]): Case => [`${what} is refused`, (world) => world.checkRefused(call, 'INVALID_OPTION')],
  ),
  [
    'a group of weight 3 is served three times as often',
    async (world) => {
      await world.broker().configure('group', 'a', { weight: 3 });
      await putAll(world, ...Array.from({ length: 12 }, () => a), ...Array.from({ length: 12 }, () => b));
      expect(await counted(world, 12)).toEqual({ a: 9, b: 3 });
      await world.broker().configure('group', 'a', { weight: null });
      expect(await counted(world, 4)).toEqual({ a: 2, b: 2 });
    },
  ],
  [
    'settings of a group are told, changed one by one, and gone with the last of them',
    async (world) => {
      await world.check((broker) => broker.configure('group', 'a', { weight: 2 }), undefined, {
        'group a': { name: 'a', weight: 2, pause: null },
      });
      await world.check((broker) => broker.configure('group', 'a', { pause }), undefined, {
        'group a': { name: 'a', weight: 2, pause: { ...pause, at: startAt } },
      });
      await world.check((broker) => broker.configure('group', 'a', {}), undefined);
      await world.check((broker) => broker.configure('group', 'a', { weight: null, pause: null }), undefined, {
        'group a': null,
      });
    },
  ],
  [
    'a paused group gives nothing and holds back nobody else',
    async (world) => {
      const ids = await putAll(world, a, b, {}, a);
      await world.broker().configure('group', 'a', { pause });
      expect(await claimIds(world)).toEqual([ids[2], ids[1]]);
      await world.broker().configure('group', 'a', { pause: null });
      expect(await claimIds(world)).toEqual([ids[0], ids[3]]);
    },
  ],
  [
    'a group may be paused before it has a task, in every queue',
    async (world) => {
      await world.broker().configure('group', 'a', { pause });
      await putAll(world, a, { ...a, queue: 'other' });
      const queues = ['default', 'other'].map((name) => ({ name, limit: 10 }));
      expect(await world.broker().claim(claimRequest(world.nextToken(), { queues }))).toEqual([]);
      await world.broker().configure('group', 'a', { pause: null });
      expect(await world.broker().claim(claimRequest(world.nextToken(), { queues }))).toHaveLength(2);
    },
  ],
  [
    'a group that was paused has saved up no turns',
    async (world) => {
      await world.broker().configure('group', 'a', { pause });
      await putAll(world, ...Array.from({ length: 6 }, () => a), ...Array.from({ length: 12 }, () => b));
      expect(await counted(world, 6)).toEqual({ b: 6 });
      await world.broker().configure('group', 'a', { pause: null });
      const { a: ofA = 0 } = await counted(world, 6);
      expect(ofA).toBeLessThanOrEqual(4);
    },
  ],
  [
    'resuming a group or a limit signals work',
    async (world) => {
      for (const scope of ['group', 'limit'] as const) {
        await world.broker().configure(scope, 'x', { pause });
        await turn();
        world.signals();
        await world.broker().configure(scope, 'x', { pause: null });
        await turn();
        expect(world.signals()).toContainEqual({ kind: 'work', queues: null });
      }
    },
  ],
  [
    'a paused limit lets nobody start, whoever runs goes on, and its maximum is another setting',
    async (world) => {
      const two = { limits: [slots('user:1', 2)] };
      const running = await world.bring('running', two);
      const ids = await putAll(world, two, {});
      await world.check((broker) => broker.configure('limit', 'user:1', { pause }), undefined, {
        'limit user:1': { max: null, rate: null, pause: { ...pause, at: startAt } },
      });
      expect(await claimIds(world)).toEqual([ids[1]]);
      await world.broker().configure('limit', 'user:1', { max: 5 });
      expect(await claimIds(world)).toEqual([]);
      expect((await world.task(running.id)).state).toBe('running');
      await world.broker().configure('limit', 'user:1', { pause: null });
      expect(await claimIds(world)).toEqual([ids[0]]);
    },
  ],
  [
    'the maximum of a queue counts those that run already, and holds back no other queue',
    async (world) => {
      const running = await world.bring('running');
      const ids = await putAll(world, {}, {}, { queue: 'other' });
      await world.check((broker) => broker.configure('queue', 'default', { max: 2 }), undefined, {
        'limit \u0001default': { max: 2, rate: null },
      });
      const queues = ['default', 'other'].map((name) => ({ name, limit: 10 }));
      const claimed = await world.broker().claim(claimRequest(world.nextToken(), { queues }));
      expect(claimed.map(({ task }) => task.id)).toEqual([ids[0], ids[2]]);
      await world.settle(running, finish('succeeded'));
      expect(await claimIds(world)).toEqual([ids[1]]);
      expect(await world.broker().getQueues()).toMatchObject([{ name: 'default', max: 2 }, { max: null }]);
    },
  ],
  [
    'the maximum of a queue is kept together with limits and groups of its tasks',
    async (world) => {
      await world.broker().configure('queue', 'default', { max: 3 });
      const ids = await putAll(world, { ...a, ...one }, { ...b, ...one }, a, b, b, {});
      expect((await claimIds(world)).toSorted()).toEqual([ids[0], ids[3], ids[5]]);
      expect(await claimIds(world)).toEqual([]);
    },
  ],
  [
    'a limited queue stays closed while it is paused, with groups and without',
    async (world) => {
      await world.broker().configure('queue', 'default', { max: 5, pause });
      await putAll(world, {}, {});
      expect(await claimIds(world)).toEqual([]);
      await world.put(a);
      expect(await claimIds(world)).toEqual([]);
      await world.broker().configure('queue', 'default', { pause: null });
      expect(await claimIds(world)).toHaveLength(3);
    },
  ],
  [
    'the rate of a queue gives its burst, and then one an interval',
    async (world) => {
      await world.broker().configure('queue', 'default', { rate: { count: 2, perMs: 1_000 } });
      const ids = await putAll(world, {}, {}, {}, {});
      expect(await claimIds(world)).toEqual(ids.slice(0, 2));
      world.clock.move(500);
      expect(await claimIds(world)).toEqual([ids[2]]);
      await world.broker().configure('queue', 'default', { rate: null });
      expect(await claimIds(world)).toEqual([ids[3]]);
      expect(await world.broker().getQueues()).toMatchObject([{ max: null, rate: null }]);
    },
  ],
  [
    'a slot of a queue is free when its run ends by a judge, and taken by a restored run',
    async (world) => {
      await world.broker().configure('queue', 'default', { max: 1 });
      const [id = '', next] = await putAll(world, {}, {});
      await world.claimAll();
      world.clock.move(leaseMs + 1);
      const [overdue] = await world
        .broker()
        .claimOverdue({ token: world.nextToken(), limit: 10, leaseMs, deadWorkers: [] });
      await world.settle({ id, token: overdue?.lease.token ?? '' }, finish('failed'));
      expect(await claimIds(world)).toEqual([next]);
      const running = {
        state: 'running',
        workerId: 'w',
        leaseUntil: startAt,
        claimedAt: startAt,
        epoch: 1,
        attempt: 1,
      };
      await world.broker().restore([storedTask(world.nextId(), { ...running, state: 'running' })]);
      await world.broker().configure('queue', 'default', { max: 2 });
      await world.put();
      expect(await claimIds(world)).toEqual([]);
    },
  ],
  [
    'a slot of a queue that a claim had missed signals work when it is free',
    async (world) => {
      await world.broker().configure('queue', 'default', { max: 1 });
      const running = await world.bring('running');
      await world.put();
      await world.claimAll();
      await turn();
      world.signals();
      await world.settle(running, finish('succeeded'));
      await turn();
      expect(world.signals()).toContainEqual({ kind: 'work', queues: null });
    },
  ],
  [
    'the limits of running tasks are listed, with how many hold each',
    async (world) => {
      const rules = { limits: [slots('b', 5), rated('a', 5, 1_000)] };
      await putAll(world, rules, rules, { limits: [slots('c', 1)], delayMs: 5_000 });
      await world.claimAll();
      const free = { max: null, rate: null, pause: null, held: 2 };
      expect(await world.broker().getLimits(null, 10)).toEqual([
        { name: 'a', ...free },
        { name: 'b', ...free },
      ]);
    },
  ],
  [
    'limits that are configured or held are listed by name, those of queues are not',
    async (world) => {
      await world.broker().configure('queue', 'default', { max: 5 });
      await world.broker().configure('limit', 'c', { max: 2, pause });
      await putAll(world, { limits: [slots('b', 1), rated('a', 5, 1_000)] });
      await world.claimAll();
      const free = { max: null, rate: null, pause: null, held: 1 };
      const c = { name: 'c', max: 2, rate: null, pause: { ...pause, at: startAt }, held: 0 };
      expect(await world.broker().getLimits(null, 10)).toEqual([{ name: 'a', ...free }, { name: 'b', ...free }, c]);
      expect(await world.broker().getLimits('bb', 10)).toEqual([c]);
      expect(await world.broker().getLimits(null, 1)).toEqual([{ name: 'a', ...free }]);
    },
  ],
  [
    'groups that are configured are listed by name',
    async (world) => {
      for (const name of ['c', 'a', 'b']) await world.broker().configure('group', name, { weight: 2 });
      await world.put({ group: 'd' });
      const named = (name: string) => ({ name, weight: 2, pause: null });
      expect(await world.broker().getGroups(null, 2)).toEqual([named('a'), named('b')]);
      expect(await world.broker().getGroups('b', 2)).toEqual([named('b'), named('c')]);
    },
  ],
  [
    'inspect tells of the group whose turn is before, of pauses and of the limit of the queue',
    async (world) => {
      const ids = await putAll(world, {}, a, b, { group: 'c', limits: [slots('l', 1)] });
      await world.broker().configure('group', 'b', { pause });
      await world.broker().configure('group', 'c', { weight: 4 });
      await world.broker().configure('limit', 'l', { pause });
      await world.broker().configure('queue', 'default', { max: 9 });
      const [ofB, ofC] = (await world.broker().inspect([ids[2] ?? '', ids[3] ?? ''])) as readonly Facts[];
      const paused = { ...pause, at: startAt };
      expect(ofB?.turn).toEqual({ group: 'b', weight: 1, pause: paused, ahead: 0, first: null });
      expect(ofC?.turn).toEqual({ group: 'c', weight: 4, pause: null, ahead: 2, first: null });
      expect(ofC?.limits).toMatchObject([{ name: 'l', pause: paused }]);
      expect(ofC?.queueLimit).toEqual({ name: 'default', pause: null, max: 9, held: 0, holders: [], tokenAt: null });
      await world.broker().claim(claimRequest(world.nextToken(), { limit: 1 }));
      const [later] = (await world.broker().inspect([ids[3] ?? ''])) as readonly Facts[];
      expect(later?.turn).toMatchObject({ ahead: 1, first: 'a' });
    },
  ],
];

/** How many tasks of each group one claim gives. */
async function counted(world: World, limit: number): Promise<Record<string, number>> {
  const claimed = await world.broker().claim(claimRequest(world.nextToken(), { limit }));
  const groups = [...Map.groupBy(claimed, ({ task }) => String(task.group))];
  return Object.fromEntries(groups.map(([group, tasks]) => [group, tasks.length]));
}

/** Signals come on a turn of their own. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

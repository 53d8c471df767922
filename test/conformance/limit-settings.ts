/** Rates of limits, what people configure and change, and what is told of it. */

import { expect } from 'vitest';
import type { Signal } from '../../src/broker/broker.ts';
import type { LimitFact } from '../../src/core/facts.ts';
import { limits } from '../../src/core/limits.ts';
import type { LimitRule } from '../../src/core/task.ts';
import { claimIds, one, putAll, rated, slots } from './limit-samples.ts';
import { claimRequest, finish, newTask, sampleId, startAt, wait } from './samples.ts';
import type { Case, World } from './world.ts';

const refused: Readonly<Record<string, readonly LimitRule[]>> = {
  'four rules': ['a', 'b', 'c', 'd'].map((name) => slots(name, 1)),
  'a name twice': [slots('a', 1), slots('a', 2)],
  'a max of 0': [slots('a', 0)],
  'a rate of 0': [rated('a', 0, 1)],
  'an endless period': [rated('a', 1, limits.ratePeriodMaxMs + 1)],
};

export const limitSettingCases: readonly Case[] = [
  [
    'a rate gives its burst, and then one an interval',
    async (world) => {
      const rule = { limits: [rated('mail', 2, 1_000)] };
      const ids = await putAll(world, rule, rule, rule, rule);
      expect(await claimIds(world)).toEqual(ids.slice(0, 2));
      world.clock.move(499);
      expect(await claimIds(world)).toEqual([]);
      world.clock.move(1);
      expect(await claimIds(world)).toEqual([ids[2]]);
      world.clock.move(60_000);
      expect(await claimIds(world)).toEqual([ids[3]]);
    },
  ],
  [
    'a token is not given back, not even by a hand-back',
    async (world) => {
      const subject = await world.bring('running', { limits: [rated('mail', 1, 10_000)] });
      await world.settle(subject, wait('queued', { charge: 'nothing' }));
      expect(await claimIds(world)).toEqual([]);
      world.clock.move(10_000);
      expect(await claimIds(world)).toEqual([subject.id]);
    },
  ],
  [
    'a clock that is set back gives no tokens and takes none',
    async (world) => {
      const rule = { limits: [rated('mail', 1, 1_000)] };
      const ids = await putAll(world, rule, rule);
      await world.claimAll();
      world.clock.move(-3_600_000);
      expect(await claimIds(world)).toEqual([]);
      world.clock.move(3_600_000 + 1_000);
      expect(await claimIds(world)).toEqual([ids[1]]);
    },
  ],
  [
    'a configured max goes before the own ones, and null gives them back',
    async (world) => {
      const ids = await putAll(world, one, one, one);
      await world.check((broker) => broker.configure('limit', 'user:1', { max: 2 }), undefined, {
        'limit user:1': { max: 2, rate: null },
      });
      expect(await claimIds(world)).toEqual(ids.slice(0, 2));
      await world.check((broker) => broker.configure('limit', 'user:1', { max: null }), undefined, {
        'limit user:1': null,
      });
      expect(await claimIds(world)).toEqual([]);
    },
  ],
  [
    'what is not given stays configured',
    async (world) => {
      const rate = { count: 3, perMs: 10 };
      await world.broker().configure('limit', 'l', { max: 2, rate });
      await world.check((broker) => broker.configure('limit', 'l', {}), undefined);
      await world.check((broker) => broker.configure('limit', 'l', { max: 3 }), undefined, {
        'limit l': { max: 3, rate },
      });
    },
  ],
  [
    'lowering a max ends nothing, and nothing starts until there is room',
    async (world) => {
      const three = { limits: [slots('user:1', 3)] };
      await putAll(world, three, three, three, three);
      const claimed = await world.claimAll();
      await world.check((broker) => broker.configure('limit', 'user:1', { max: 1 }), undefined, {
        'limit user:1': { max: 1, rate: null },
      });
      for (const { task, lease } of claimed.slice(0, 2))
        await world.settle({ id: task.id, token: lease.token }, finish('failed'));
      expect(await claimIds(world)).toEqual([]);
      await world.settle({ id: claimed[2]!.task.id, token: claimed[2]!.lease.token }, finish('failed'));
      expect(await claimIds(world)).toHaveLength(1);
    },
  ],
  [
    'a configured rate goes before the own one, and forgets the tokens that were taken',
    async (world) => {
      const rule = { limits: [rated('mail', 1, 3_600_000)] };
      const ids = await putAll(world, rule, rule, rule, rule);
      await world.claimAll();
      await world.broker().configure('limit', 'mail', { rate: { count: 2, perMs: 1_000 } });
      expect(await claimIds(world)).toEqual(ids.slice(1, 3));
      await world.broker().configure('limit', 'mail', { rate: null });
      expect(await claimIds(world)).toEqual(ids.slice(3));
      // For the check of all rates that follows every case: it knows those in force at the end.
      await world.broker().configure('limit', 'mail', { rate: { count: 2, perMs: 1_000 } });
    },
  ],
  [
    'a rate that is configured once more as it is forgets no token',
    async (world) => {
      const rate = { count: 2, perMs: 10_000 };
      await world.broker().configure('limit', 'mail', { rate });
      const rule = { limits: [slots('mail', null)] };
      const ids = await putAll(world, rule, rule, rule);
      expect(await claimIds(world)).toEqual(ids.slice(0, 2));
      await world.broker().configure('limit', 'mail', { rate: { ...rate }, max: 5 });
      expect(await claimIds(world)).toEqual([]);
      await world.broker().configure('limit', 'mail', { rate: { count: 1, perMs: 10_000 } });
      expect(await claimIds(world)).toEqual([ids[2]]);
    },
  ],
  [
    'a rate that nobody configured is not taken away twice',
    async (world) => {
      const rule = { limits: [rated('mail', 1, 10_000)] };
      await putAll(world, rule, rule);
      expect(await claimIds(world)).toHaveLength(1);
      await world.broker().configure('limit', 'mail', { rate: null });
      expect(await claimIds(world)).toEqual([]);
    },
  ],
  [
    'names of limits may look like anything',
    async (world) => {
      const names = ['"limitNames":["x"]', "'; --", '%_*', '{"a":1}', '\u0002', 'default', '🐙'];
      await putAll(world, ...names.flatMap((name) => [{ limits: [slots(name, 1)] }, { limits: [slots(name, 1)] }]));
      expect(await claimIds(world)).toHaveLength(names.length);
      expect(await claimIds(world)).toEqual([]);
    },
  ],
  [
    'a limit without max and rate waits to be configured',
    async (world) => {
      const rule = { limits: [slots('free', null)] };
      const ids = await putAll(world, rule, rule, rule);
      await world.broker().claim(claimRequest(world.nextToken(), { limit: 1 }));
      await world.broker().configure('limit', 'free', { max: 1 });
      expect(await claimIds(world)).toEqual([]);
      await world.broker().configure('limit', 'free', { max: null });
      expect(await claimIds(world)).toEqual(ids.slice(1));
    },
  ],
  ...Object.entries(refused).flatMap(([what, rules]): Case[] => [
    [
      `enqueue with ${what} is refused`,
      (world) =>
        world.checkRefused(
          (broker) => broker.enqueue([newTask(sampleId(8)), newTask(sampleId(9), { limits: rules })]),
          'INVALID_OPTION',
        ),
    ],
    [
      `update with ${what} is refused`,
      async (world) => {
        const taskId = await world.put();
        await world.checkRefused(
          (broker) => broker.update([{ taskId, version: null, patch: { limits: rules } }]),
          'INVALID_OPTION',
        );
      },
    ],
  ]),
  [
    'a max of 0 and a rate of nothing are refused as settings',
    async (world) => {
      await world.checkRefused((broker) => broker.configure('limit', 'l', { max: 0 }), 'INVALID_OPTION');
      const rate = { count: 1, perMs: 0 };
      await world.checkRefused((broker) => broker.configure('limit', 'l', { max: 1, rate }), 'INVALID_OPTION');
    },
  ],
  [
    'update replaces all rules of a waiting task',
    async (world) => {
      await world.bring('running', one);
      const taskId = await world.put({ ...one, tags: ['a'] });
      await world.check(
        (broker) => broker.update([{ taskId, version: null, patch: { limits: [slots('user:2', 1)] } }]),
        [{ outcome: 'updated', state: 'queued' }],
        { [taskId]: { limits: [slots('user:2', 1)] } },
      );
      expect(await claimIds(world)).toEqual([taskId]);
    },
  ],
  [
    'update can take all rules away',
    async (world) => {
      await world.bring('running', one);
      const taskId = await world.put(one);
      await world.broker().update([{ taskId, version: null, patch: { limits: [] } }]);
      expect(await claimIds(world)).toEqual([taskId]);
    },
  ],
  [
    'inspect tells the max in force, who holds it, and when there is a token',
    async (world) => {
      const rules = { limits: [slots('user:1', 1), rated('mail', 1, 1_500)] };
      const { id } = await world.bring('running', rules);
      const waiting = await world.put(rules);
      world.clock.move(10);
      const holders = [{ taskId: id, workerId: 'worker-1', sinceAt: startAt }];
      expect(await limitFacts(world, waiting)).toEqual([
        { name: 'user:1', pause: null, max: 1, holders, held: 1, tokenAt: null },
        { name: 'mail', pause: null, max: null, holders, held: 1, tokenAt: startAt + 1_500 },
      ]);
      world.clock.move(1_490);
      await world.broker().configure('limit', 'user:1', { max: 7 });
      expect(await limitFacts(world, waiting)).toMatchObject([{ max: 7 }, { tokenAt: null }]);
    },
  ],
  [
    'inspect names the first twenty holders and counts all',
    async (world) => {
      const rule = { limits: [slots('wide', 100)] };
      const ids = await putAll(world, ...Array.from({ length: 25 }, () => rule));
      await world.claimAll();
      const [fact] = (await limitFacts(world, await world.put(rule))) ?? [];
      expect(fact?.held).toBe(25);
      expect(fact?.holders.map(({ taskId }) => taskId)).toEqual(ids.slice(0, limits.holdersMax));
    },
  ],
  [
    'pruning forgets no token that is out',
    async (world) => {
      const rule = { limits: [rated('mail', 1, 100_000_000), slots('user:1', 5)] };
      const { id } = await world.bring('succeeded', rule);
      world.clock.move(2_000_000);
      await world.broker().prune(10);
      expect(await world.broker().getTasks([id])).toEqual([null]);
      await world.put(rule);
      expect(await claimIds(world)).toEqual([]);
    },
  ],
  [
    'a freed slot that a claim had missed signals work, others do not',
    async (world) => {
      const first = await world.bring('running', one);
      world.signals();
      await world.settle(first, finish('succeeded'));
      expect((await settled(world)).filter(({ kind }) => kind === 'work')).toEqual([]);
      const second = await world.bring('running', one);
      await world.put(one);
      await world.claimAll();
      await settled(world);
      await world.settle(second, finish('succeeded'));
      expect(await settled(world)).toContainEqual({ kind: 'work', queues: null });
    },
  ],
  [
    'configuring a limit signals work and settings',
    async (world) => {
      await world.broker().configure('limit', 'l', { max: 2 });
      const signals = await settled(world);
      expect(signals).toContainEqual({ kind: 'work', queues: null });
      expect(signals).toContainEqual({ kind: 'settings' });
    },
  ],
];

async function limitFacts(world: World, id: string): Promise<readonly LimitFact[] | undefined> {
  const [facts] = await world.broker().inspect([id]);
  return facts?.limits;
}

/** Signals come on a turn of their own. */
async function settled(world: World): Promise<readonly Signal[]> {
  await new Promise((resolve) => setImmediate(resolve));
  return world.signals();
}

/** Slots of limits: who may run, who waits, and who is not held back by it. */

import { expect } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import { claimIds, one, putAll, rated, slots } from './limit-samples.ts';
import {
  claimRequest,
  finish,
  newTask,
  overdueRequest,
  sampleId,
  settlement,
  startAt,
  storedTask,
  wait,
} from './samples.ts';
import type { Case } from './world.ts';

export const taskLimitCases: readonly Case[] = [
  [
    'a task keeps its rules',
    async (world) => {
      const rules = [slots('user:1', 2), rated('mail', 5, 1_000), slots('free', null)];
      const id = await world.put({ limits: rules });
      expect((await world.task(id)).limits).toEqual(rules);
    },
  ],
  [
    'no more run than the max, and the next one when a slot is free',
    async (world) => {
      const [first = '', second = ''] = await putAll(world, one, one);
      const [claimed] = await world.claimAll();
      expect(claimed?.task.id).toBe(first);
      expect(await claimIds(world)).toEqual([]);
      await world.settle({ id: first, token: claimed?.lease.token ?? '' }, finish('succeeded'));
      expect(await claimIds(world)).toEqual([second]);
    },
  ],
  [
    'a slot freed by a settlement is taken by the claim of the same call',
    async (world) => {
      const [first = '', second = ''] = await putAll(world, one, one);
      const [claimed] = await world.claimAll();
      const { claimed: next } = await world
        .broker()
        .settle([settlement(first, claimed?.lease ?? '', finish('failed'))], claimRequest(world.nextToken()));
      expect(next.map(({ task }) => task.id)).toEqual([second]);
    },
  ],
  [
    'a full limit holds back nobody else, in any queue or place',
    async (world) => {
      const ids = await putAll(world, one, one, one, {}, { limits: [slots('user:2', 1)] }, one, {});
      expect(await claimIds(world)).toEqual([0, 3, 4, 6].map((index) => ids[index]));
    },
  ],
  [
    'many tasks behind a full limit do not hide the ones after them',
    async (world) => {
      const blocked = Array.from({ length: 400 }, (_, index) => newTask(sampleId(1_000 + index), one));
      await world.broker().enqueue(blocked);
      const last = await world.put({ id: sampleId(9_000) });
      const request = claimRequest(world.nextToken(), { limit: 2, queues: [{ name: 'default', limit: 2 }] });
      const claimed = await world.broker().claim(request);
      expect(claimed.map(({ task }) => task.id)).toEqual([sampleId(1_000), last]);
    },
  ],
  [
    'more tasks behind full limits than one claim looks through are passed by the next claims',
    async (world) => {
      const many = limits.claimScanMax * limits.claimReadsMax + 500;
      for (let from = 0; from < many; from += limits.batchMax) {
        const batch = Array.from({ length: Math.min(limits.batchMax, many - from) }, (_, index) => from + index);
        await world.broker().enqueue(batch.map((index) => newTask(sampleId(10_000 + index), one)));
      }
      const last = await world.put({ id: sampleId(90_000) });
      const found: string[] = [];
      for (let call = 0; call < 4; call += 1) {
        const request = claimRequest(world.nextToken(), { limit: 2, queues: [{ name: 'default', limit: 2 }] });
        found.push(...(await world.broker().claim(request)).map(({ task }) => task.id));
      }
      expect(found).toEqual([sampleId(10_000), last]);
    },
  ],
  [
    'the order of claims stays the order of priority and age over all queues',
    async (world) => {
      const ids = await putAll(
        world,
        { ...one, priority: 9 },
        { queue: 'b', priority: 1 },
        { ...one, queue: 'b', priority: 0 },
        { limits: [slots('user:2', 1)], priority: 5 },
      );
      const queues = ['default', 'b'].map((name) => ({ name, limit: 10 }));
      const claimed = await world.broker().claim(claimRequest(world.nextToken(), { queues }));
      expect(claimed.map(({ task }) => task.id)).toEqual([2, 1, 3].map((index) => ids[index]));
    },
  ],
  [
    'the limit of a queue and of the call are kept among tasks with limits',
    async (world) => {
      const ids = await putAll(world, one, one, {}, {}, { queue: 'b' }, { queue: 'b' });
      const queues = [
        { name: 'default', limit: 2 },
        { name: 'b', limit: 5 },
      ];
      const claimed = await world.broker().claim(claimRequest(world.nextToken(), { queues, limit: 3 }));
      expect(claimed.map(({ task }) => task.id)).toEqual([0, 2, 4].map((index) => ids[index]));
    },
  ],
  [
    'a paused queue stays closed, also behind full limits',
    async (world) => {
      await putAll(world, one, one);
      const other = await world.put({ queue: 'b', limits: [slots('user:1', 1)] });
      await world.broker().configure('queue', 'default', { pause: { by: 'ada', reason: null } });
      const queues = ['default', 'b'].map((name) => ({ name, limit: 10 }));
      const claimed = await world.broker().claim(claimRequest(world.nextToken(), { queues }));
      expect(claimed.map(({ task }) => task.id)).toEqual([other]);
    },
  ],
  [
    'a task with several limits needs all of them, and takes none when one is full',
    async (world) => {
      const both = { limits: [slots('a', 1), slots('b', 1)] };
      const ids = await putAll(world, { limits: [slots('a', 1)] }, both, { limits: [slots('b', 1)] });
      expect(await claimIds(world)).toEqual([ids[0], ids[2]]);
    },
  ],
  [
    'a limit found full is closed for the rest of the claim, whatever a later task would allow',
    async (world) => {
      const ids = await putAll(world, one, one, { limits: [slots('user:1', 5)] });
      expect(await claimIds(world)).toEqual([ids[0]]);
    },
  ],
  [
    'a repeated claim token gives the same tasks and takes nothing more',
    async (world) => {
      const rule = { limits: [rated('mail', 1, 60_000), slots('user:1', 1)] };
      const [first] = await putAll(world, rule, rule);
      const request = claimRequest(world.nextToken());
      const claimed = await world.broker().claim(request);
      await world.check((broker) => broker.claim(request), claimed);
      expect(claimed.map(({ task }) => task.id)).toEqual([first]);
    },
  ],
  ...(['succeeded', 'failed', 'cancelled'] as const).map(
    (to): Case => [
      `a run that ends ${to} frees its slot`,
      async (world) => {
        await world.bring(to, one);
        const next = await world.put(one);
        expect(await claimIds(world)).toEqual([next]);
      },
    ],
  ),
  ...(['scheduled', 'queued', 'blocked'] as const).map(
    (to): Case => [
      `a run that goes back to ${to} frees its slot`,
      async (world) => {
        const subject = await world.bring('running', { ...one, priority: 9 });
        const next = await world.put(one);
        await world.settle(subject, wait(to));
        expect(await claimIds(world)).toEqual([next]);
      },
    ],
  ),
  [
    "a judge's verdict frees the slot of a lost worker",
    async (world) => {
      const { id } = await world.bring('running', one);
      const next = await world.put(one);
      world.clock.move(40_000);
      const [overdue] = await world.broker().claimOverdue(overdueRequest(world.nextToken()));
      expect(await claimIds(world)).toEqual([]);
      await world.settle({ id, token: overdue?.lease.token ?? '' }, finish('failed'));
      expect(await claimIds(world)).toEqual([next]);
    },
  ],
  [
    'a stale or repeated settlement frees nothing',
    async (world) => {
      const first = await world.bring('running', one);
      await world.settle(first, wait('queued'));
      const token = world.nextToken();
      await world.broker().claim(claimRequest(token));
      await world.broker().settle([settlement(first.id, first.token, finish('failed'))]);
      await world.put(one);
      expect(await claimIds(world)).toEqual([]);
    },
  ],
  [
    'a restored running task holds its slot until it is judged',
    async (world) => {
      const running = {
        state: 'running',
        workerId: 'w',
        leaseUntil: startAt + 5_000,
        claimedAt: startAt,
        epoch: 1,
        attempt: 1,
      };
      await world.broker().restore([storedTask(world.nextId(), { ...running, state: 'running', ...one })]);
      await world.put(one);
      expect(await claimIds(world)).toEqual([]);
    },
  ],
  [
    'a retried task takes its slot anew',
    async (world) => {
      const { id } = await world.bring('failed', one);
      await world.bring('running', one);
      await world.broker().retry([id]);
      expect(await claimIds(world)).toEqual([]);
    },
  ],
];

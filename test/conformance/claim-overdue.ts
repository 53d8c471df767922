/** claimOverdue: what needs a verdict, why, and one judge at a time. */

import { expect } from 'vitest';
import type { OverdueRequest } from '../../src/broker/broker.ts';
import { limits } from '../../src/core/limits.ts';
import type { NewTask, OverdueReason } from '../../src/core/task.ts';
import {
  awaited,
  beat,
  finish,
  heartbeatRequest,
  leaseMs,
  overdueRequest,
  settlement,
  startAt,
  storedTask,
  wait,
} from './samples.ts';
import type { Case, World } from './world.ts';

const grace = limits.graceMs;

/** A running task: what happened to it, how late it is, and the reason then; `null` is none. */
interface RunningLook {
  readonly given?: Partial<NewTask>;
  readonly beatAt?: number;
  readonly cancelAt?: number;
  readonly dead?: boolean;
  readonly lookAt: number;
  readonly reason: OverdueReason | null;
}

const long = 3_600_000;
const runningLooks: Readonly<Record<string, RunningLook>> = {
  'a living lease': { lookAt: leaseMs - 1, reason: null },
  'a lease at its end': { lookAt: leaseMs, reason: 'lease_expired' },
  'a living lease of a dead worker': { lookAt: 10, dead: true, reason: 'lease_expired' },
  'a cancel request within its grace': { cancelAt: 0, lookAt: grace - 1, reason: null },
  'a cancel request after its grace': { cancelAt: 0, lookAt: grace, reason: 'cancel_requested' },
  'a cancel request and a lease at its end': { cancelAt: leaseMs - 1, lookAt: leaseMs, reason: 'cancel_requested' },
  'a cancel request and a dead worker': { cancelAt: 5, lookAt: 10, dead: true, reason: 'cancel_requested' },
  'a life over within its grace': { given: { expiresInMs: 1_000 }, lookAt: 1_000 + grace - 1, reason: null },
  'a life over after its grace': { given: { expiresInMs: 1_000 }, lookAt: 1_000 + grace, reason: 'expired' },
  'a life and a lease over': { given: { expiresInMs: leaseMs }, lookAt: leaseMs, reason: 'expired' },
  'a life not over and a lease over': { given: { expiresInMs: leaseMs + 1 }, lookAt: leaseMs, reason: 'lease_expired' },
  'a life over and a dead worker': { given: { expiresInMs: 1_000 }, lookAt: 1_000, dead: true, reason: 'expired' },
  'a timeout within its grace': { given: { timeoutMs: 500 }, beatAt: 100, lookAt: 600 + grace - 1, reason: null },
  'a timeout after its grace': { given: { timeoutMs: 500 }, beatAt: 100, lookAt: 600 + grace, reason: 'timeout' },
  'a timeout whose start was never told': { given: { timeoutMs: 500 }, lookAt: leaseMs - 1, reason: null },
  'a timeout and a lease over': { given: { timeoutMs: 500 }, beatAt: 0, lookAt: leaseMs, reason: 'timeout' },
  'a cancel request, a life, a timeout and a lease over': {
    given: { timeoutMs: 500, expiresInMs: 500 },
    beatAt: 0,
    cancelAt: 0,
    lookAt: long,
    reason: 'cancel_requested',
  },
  'a life, a timeout and a lease over': {
    given: { timeoutMs: 500, expiresInMs: 500 },
    beatAt: 0,
    lookAt: long,
    reason: 'expired',
  },
  'a start deadline over while it runs': { given: { startWithinMs: 500 }, lookAt: 5_000, reason: null },
};

async function look(world: World, { given, beatAt, cancelAt, dead, lookAt, reason }: RunningLook): Promise<void> {
  const { id, token } = await world.bring('running', given);
  const at = (ms: number): void => world.clock.move(startAt + ms - world.clock.now());
  if (beatAt !== undefined) {
    at(beatAt);
    await world
      .broker()
      .heartbeat(
        heartbeatRequest([beat({ taskId: id, token, epoch: 1 }, { ranMs: 0 })], { leaseMs: leaseMs - beatAt }),
      );
  }
  if (cancelAt !== undefined) {
    at(cancelAt);
    await world.broker().cancel({ taskIds: [id], reason: null });
  }
  at(lookAt);
  const overdue = await world
    .broker()
    .claimOverdue(overdueRequest(world.nextToken(), { deadWorkers: dead ? ['worker-0', 'worker-1'] : ['worker-0'] }));
  expect(overdue.map((one) => one.reason)).toEqual(reason === null ? [] : [reason]);
}

const waitingCases: readonly Case[] = (['blocked', 'scheduled', 'queued'] as const).flatMap(
  (state): readonly Case[] => [
    [
      `a ${state} task whose life is over is expired, even past its start deadline`,
      async (world) => {
        await world.bring(state, {
          expiresInMs: 100,
          startWithinMs: 100,
          ...(state === 'scheduled' && { delayMs: 20 }),
        });
        world.clock.move(99);
        expect(await world.broker().claimOverdue(overdueRequest(world.nextToken()))).toEqual([]);
        world.clock.move(1);
        expect(await world.broker().claimOverdue(overdueRequest(world.nextToken()))).toMatchObject([
          { reason: 'expired', task: { state } },
        ]);
      },
    ],
  ],
);

const startCases: readonly Case[] = (['scheduled', 'queued'] as const).map(
  (state): Case => [
    `a ${state} task past its start deadline is found`,
    async (world) => {
      await world.bring(state, { startWithinMs: 100, ...(state === 'scheduled' && { delayMs: 20 }) });
      world.clock.move(state === 'scheduled' ? 119 : 99);
      expect(await world.broker().claimOverdue(overdueRequest(world.nextToken()))).toEqual([]);
      world.clock.move(1);
      expect(await world.broker().claimOverdue(overdueRequest(world.nextToken()))).toMatchObject([
        { reason: 'start_deadline', task: { state } },
      ]);
    },
  ],
);

const blockedCase: Case = [
  'a blocked task has no start deadline yet: it is counted from the end of its last parent',
  async (world) => {
    const { id } = await world.bring('blocked', { startWithinMs: 100 });
    world.clock.move(5_000);
    expect(await world.broker().claimOverdue(overdueRequest(world.nextToken()))).toEqual([]);
    const parent = storedTask(awaited.taskId, { state: 'succeeded', finishedAt: startAt, pruneAt: startAt });
    await world.broker().restore([parent]);
    expect(await world.task(id)).toMatchObject({ state: 'queued', dueAt: startAt + 5_000, startBy: startAt + 5_100 });
  },
];

/** A running task whose lease is over. */
async function overdueTask(world: World): Promise<{ id: string; token: string }> {
  const subject = await world.bring('running');
  world.clock.move(leaseMs);
  return subject;
}

async function judge(world: World, given: Partial<OverdueRequest> = {}): Promise<readonly string[]> {
  const overdue = await world.broker().claimOverdue(overdueRequest(world.nextToken(), given));
  return overdue.map(({ task }) => task.id).sort();
}

const judgeCases: readonly Case[] = [
  [
    'a judge whose task was renewed meanwhile comes too late, and the task is found again when it is overdue again',
    async (world) => {
      const { id, token } = await overdueTask(world);
      const judgeToken = world.nextToken();
      await world.broker().claimOverdue(overdueRequest(judgeToken, { leaseMs: 120_000 }));
      await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 })]));
      const { results } = await world.broker().settle([settlement(id, judgeToken, wait('queued'))]);
      expect(results).toEqual([{ outcome: 'stale' }]);
      expect(await judge(world)).toEqual([]);
      world.clock.move(leaseMs);
      expect(await judge(world)).toEqual([id]);
    },
  ],
  [
    'a beat sends away the judge of a cancelled run as well; the next look finds it at once',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.broker().cancel({ taskIds: [id], reason: null });
      world.clock.move(limits.graceMs);
      expect(await judge(world)).toEqual([id]);
      expect((await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 })]))).beats).toEqual(
        ['cancel'],
      );
      expect(await judge(world)).toEqual([id]);
    },
  ],
  [
    "a second judge finds nothing until the first one's time is over",
    async (world) => {
      const { id } = await overdueTask(world);
      expect(await judge(world, { leaseMs: 1_000 })).toEqual([id]);
      world.clock.move(999);
      expect(await judge(world)).toEqual([]);
      world.clock.move(1);
      expect(await judge(world)).toEqual([id]);
    },
  ],
  [
    'the same token gives its own tasks again and nothing new',
    async (world) => {
      const { id } = await overdueTask(world);
      const request = overdueRequest(world.nextToken());
      const first = await world.broker().claimOverdue(request);
      await overdueTask(world);
      await world.check((broker) => broker.claimOverdue(request), first);
      expect(first[0]?.task.id).toBe(id);
    },
  ],
  [
    'the same token finds new ones when its own are settled',
    async (world) => {
      const { id } = await overdueTask(world);
      const request = overdueRequest(world.nextToken());
      await world.broker().claimOverdue(request);
      await world.settle({ id, token: request.token }, finish('failed'));
      const next = await overdueTask(world);
      expect(await world.broker().claimOverdue(request)).toMatchObject([{ task: { id: next.id } }]);
    },
  ],
  [
    'a repeated token does not tell of a task that lives again',
    async (world) => {
      const { id, token } = await overdueTask(world);
      const request = overdueRequest(world.nextToken());
      await world.broker().claimOverdue(request);
      await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 })]));
      await world.check((broker) => broker.claimOverdue(request), []);
    },
  ],
  [
    'a settled task that is overdue again is judged again at once',
    async (world) => {
      const { id } = await overdueTask(world);
      const token = world.nextToken();
      await world.broker().claimOverdue(overdueRequest(token, { leaseMs: 3_600_000 }));
      await world.settle({ id, token }, wait('queued'));
      await world.claimAll();
      world.clock.move(leaseMs);
      expect(await judge(world)).toEqual([id]);
    },
  ],
  [
    'a judge gets at most as many as it asked for',
    async (world) => {
      for (let count = 0; count < 5; count++) await world.bring('running');
      world.clock.move(leaseMs);
      expect(await judge(world, { limit: 2 })).toHaveLength(2);
      expect(await judge(world, { limit: 0 })).toHaveLength(0);
      expect(await judge(world)).toHaveLength(3);
    },
  ],
  [
    'ten judges at once never share a task',
    async (world) => {
      const ids = await Promise.all(Array.from({ length: 20 }, async () => (await world.bring('running')).id));
      world.clock.move(leaseMs);
      const found = (await Promise.all(Array.from({ length: 10 }, () => judge(world, { limit: 3 })))).flat();
      // What one of them was looking at, the others may have left to it.
      for (let rest = await judge(world); rest.length > 0; rest = await judge(world)) found.push(...rest);
      expect(found.sort()).toEqual([...ids].sort());
    },
  ],
  [
    'judging leaves no event and no version',
    async (world) => {
      const { id } = await overdueTask(world);
      const events = await world.store.events();
      await judge(world);
      expect(await world.store.events()).toEqual(events);
      expect((await world.task(id)).version).toBe(2);
    },
  ],
  [
    'finished tasks are never overdue',
    async (world) => {
      for (const state of ['succeeded', 'failed', 'cancelled'] as const)
        await world.bring(state, { expiresInMs: 1, startWithinMs: 1, timeoutMs: 1 });
      world.clock.move(long);
      expect(await judge(world)).toEqual([]);
    },
  ],
  [
    'a judge survives a reopening of the store',
    async (world) => {
      const { id } = await overdueTask(world);
      const token = world.nextToken();
      await world.broker().claimOverdue(overdueRequest(token));
      await world.reopen();
      expect(await judge(world)).toEqual([]);
      await world.settle({ id, token }, finish('failed'));
    },
  ],
];

export const claimOverdueCases: readonly Case[] = [
  ...Object.entries(runningLooks).map(
    ([what, details]): Case => [
      `${what} is ${details.reason === null ? 'nothing to judge' : `judged as ${details.reason}`}`,
      (world) => look(world, details),
    ],
  ),
  ...waitingCases,
  ...startCases,
  blockedCase,
  ...judgeCases,
];

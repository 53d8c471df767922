/** subscribe with a taker: what is enqueued goes straight to who waits for it here, or is told as work like everything else. */

import { expect } from 'vitest';
import type { ClaimRequest, Signal } from '../../src/broker/broker.ts';
import type { ClaimedTask, NewTask } from '../../src/core/task.ts';
import { claimRequest, newTask } from './samples.ts';
import type { Case, World } from './world.ts';

interface Taken {
  /** For which queues a claim was asked for. */
  readonly asked: readonly (readonly string[])[];
  /** `null` while the store left it at the signal. */
  readonly claimed: readonly ClaimedTask[] | null;
  readonly signals: readonly Signal[];
}

/** Enqueues while somebody waits for work with this claim. */
async function enqueueFor(world: World, request: ClaimRequest | null, tasks: readonly NewTask[]): Promise<Taken> {
  const asked: (readonly string[])[] = [];
  let claimed: readonly ClaimedTask[] | null = null;
  const unsubscribe = world.broker().subscribe(
    () => undefined,
    () => ({
      claim(queues) {
        asked.push(queues);
        return request;
      },
      taken(tasksTaken) {
        claimed = tasksTaken;
      },
      failed: () => expect.unreachable('the call succeeded'),
    }),
  );
  await turn();
  world.signals();
  await world.broker().enqueue(tasks);
  expect(claimed, 'a handler must not begin before enqueue has answered').toBeNull();
  await turn();
  unsubscribe();
  return { asked, claimed, signals: world.signals() };
}

/** Two, for signals that come on the next one. */
const turn = async (): Promise<void> => {
  for (let n = 0; n < 2; n++) await new Promise((resolve) => setImmediate(resolve));
};

const idsOf = (claimed: readonly ClaimedTask[]): readonly string[] => claimed.map(({ task }) => task.id);

const work = (...queues: string[]): Signal => ({ kind: 'work', queues });

export const handOverCases: readonly Case[] = [
  [
    'a task is claimed in the step that stores it, or told as work',
    async (world) => {
      const task = newTask(world.nextId());
      const request = claimRequest(world.nextToken());
      const { claimed, signals } = await enqueueFor(world, request, [task]);
      if (claimed === null) {
        expect(signals).toEqual([work('default')]);
        expect(await world.broker().claim(request)).toHaveLength(1);
        return;
      }
      expect(signals).toEqual([]);
      expect(claimed).toEqual(await world.broker().claim(request));
      expect(claimed[0]?.lease).toEqual({ taskId: task.id, token: request.token, epoch: 1 });
      expect((await world.task(task.id)).state).toBe('running');
    },
  ],
  [
    'what is taken comes in claim order; what is left, and other queues, are told as work',
    async (world) => {
      const waiting = await world.put({ priority: 0 });
      const tasks = ['default', 'other'].map((queue) => newTask(world.nextId(), { queue }));
      const request = claimRequest(world.nextToken(), { limit: 1 });
      const { claimed, signals } = await enqueueFor(world, request, tasks);
      expect(signals).toEqual([work('default', 'other')]);
      if (claimed !== null) expect(idsOf(claimed)).toEqual([waiting]);
    },
  ],
  [
    'a claim that takes all of one queue leaves the signal to the others',
    async (world) => {
      const tasks = ['default', 'other'].map((queue) => newTask(world.nextId(), { queue }));
      const { claimed, signals } = await enqueueFor(world, claimRequest(world.nextToken()), tasks);
      if (claimed === null) expect(signals).toEqual([work('default', 'other')]);
      else {
        expect(idsOf(claimed)).toEqual([tasks[0]!.id]);
        expect(signals).toEqual([work('other')]);
      }
    },
  ],
  [
    'nobody is asked when nothing became claimable',
    async (world) => {
      const key = 'held';
      await world.put({ key });
      const later = newTask(world.nextId(), { delayMs: 1_000 });
      const duplicate = newTask(world.nextId(), { key });
      const { asked, claimed } = await enqueueFor(world, claimRequest(world.nextToken()), [later, duplicate]);
      expect([asked, claimed]).toEqual([[], null]);
    },
  ],
  [
    'who does not want any more is left alone',
    async (world) => {
      const { claimed, signals } = await enqueueFor(world, null, [newTask(world.nextId())]);
      expect([claimed, signals]).toEqual([null, [work('default')]]);
    },
  ],
  [
    'pauses and limits hold as for every claim',
    async (world) => {
      await world.broker().configure('queue', 'paused', { pause: { by: 'bob', reason: null } });
      const paused = newTask(world.nextId(), { queue: 'paused' });
      const request = claimRequest(world.nextToken(), { queues: ['paused', 'default'].map(demand) });
      const limits = [{ name: 'one', max: 1, rate: null }];
      const limited = [0, 1].map(() => newTask(world.nextId(), { limits }));
      const { claimed } = await enqueueFor(world, request, [paused, ...limited]);
      if (claimed !== null) expect(idsOf(claimed)).toEqual([limited[0]!.id]);
      expect((await world.task(paused.id)).state).toBe('queued');
      expect((await world.task(limited[1]!.id)).state).toBe('queued');
    },
  ],
];

const demand = (name: string) => ({ name, limit: 10 });

/** Every way a parent may end, come back or be missing, and what it means for its child. */

import { expect } from 'vitest';
import type { TaskState } from '../../src/core/states.ts';
import type { NewTask } from '../../src/core/task.ts';
import { end, on, overdue, stateOf } from './dependencies.ts';
import { claimIds } from './limit-samples.ts';
import {
  awaited,
  finish,
  keepMs,
  leaseMs,
  newTask,
  overdueRequest,
  sampleId,
  settlement,
  startAt,
  storedTask,
  wait,
} from './samples.ts';
import type { Case } from './world.ts';

const otherEnds: readonly Case[] = [
  [
    'a parent that is cancelled while it waits has failed',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)] });
      const heedless = await world.put({ dependsOn: [on(parent, 'ignore')] });
      await world.broker().cancel({ taskIds: [parent], reason: null });
      expect(await stateOf(world, heedless)).toBe('queued');
      expect(await overdue(world)).toEqual([[child, 'dependency_failed', [parent]]]);
    },
  ],
  [
    'a parent that is replaced has failed',
    async (world) => {
      const parent = await world.put({ key: 'k' });
      const child = await world.put({ dependsOn: [on(parent)] });
      const heedless = await world.put({ dependsOn: [on(parent, 'ignore')] });
      await world.put({ key: 'k', ifExists: 'replace' });
      expect(await stateOf(world, heedless)).toBe('queued');
      expect(await overdue(world)).toEqual([[child, 'dependency_failed', [parent]]]);
    },
  ],
  [
    'a parent that expires has failed once it was judged',
    async (world) => {
      const parent = await world.put({ expiresInMs: 100 });
      const child = await world.put({ dependsOn: [on(parent)] });
      world.clock.move(100);
      const [judged] = await world.broker().claimOverdue(overdueRequest(world.nextToken()));
      const verdict = finish('cancelled', { reason: 'expired', charge: 'nothing' });
      await world.broker().settle([settlement(parent, judged?.lease ?? '', verdict, { ranMs: null })]);
      expect(await overdue(world)).toEqual([[child, 'dependency_failed', [parent]]]);
    },
  ],
  [
    'a parent that goes back to wait holds its child back until it has ended',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)] });
      const [claimed] = await world.claimAll();
      await world.settle({ id: parent, token: claimed?.lease.token ?? '' }, wait('queued'));
      expect(await stateOf(world, child)).toBe('blocked');
    },
  ],
  [
    'a life that is over is judged before the failed parent',
    async (world) => {
      const parent = await world.put();
      await world.put({ dependsOn: [on(parent)], expiresInMs: 100 });
      await end(world, parent, 'failed');
      world.clock.move(100);
      expect((await overdue(world)).map(([, reason]) => reason)).toEqual(['expired']);
    },
  ],
  [
    'the same judge token finds the same child again',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)] });
      await end(world, parent, 'failed');
      const request = overdueRequest(world.nextToken(), { leaseMs });
      const first = await world.broker().claimOverdue(request);
      await world.check((broker) => broker.claimOverdue(request), first);
      expect(first.map(({ task }) => task.id)).toEqual([child]);
    },
  ],
];

const retries: readonly Case[] = [
  [
    'a failed parent that is retried before its child was judged is waited for again, and the judge comes too late',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)] });
      await end(world, parent, 'failed');
      const judgeToken = world.nextToken();
      await world.broker().claimOverdue(overdueRequest(judgeToken));
      await world.broker().retry([parent]);
      const { results: late } = await world.broker().settle([settlement(child, judgeToken, finish('failed'))]);
      expect(late).toEqual([{ outcome: 'stale' }]);
      expect(await overdue(world)).toEqual([]);
      await end(world, parent);
      expect(await stateOf(world, child)).toBe('queued');
    },
  ],
  [
    'a retry of a parent runs no child again that it had let go',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)] });
      await end(world, parent);
      await end(world, child);
      await world.check((broker) => broker.retry([parent]), [{ outcome: 'queued', generation: 2 }], {
        [parent]: expect.objectContaining({ state: 'queued' }),
      });
    },
  ],
  [
    'a retried child waits for a parent that is unfinished, whichever of them is named first',
    async (world) => {
      const [parent, child] = [await world.put(), world.nextId()];
      await world.put({ id: child, dependsOn: [on(parent)] });
      await end(world, parent);
      await end(world, child, 'failed');
      expect(await world.broker().retry([child])).toEqual([{ outcome: 'queued', generation: 2 }]);
      await end(world, child, 'failed');
      expect(await world.broker().retry([child, parent])).toEqual([
        { outcome: 'queued', generation: 3 },
        { outcome: 'queued', generation: 2 },
      ]);
      await end(world, child, 'failed');
      expect(await world.broker().retry([child])).toEqual([{ outcome: 'blocked', generation: 4 }]);
      await end(world, parent);
      expect(await stateOf(world, child)).toBe('queued');
    },
  ],
  [
    'a failed branch is run again by one retry of all of it',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)] });
      await end(world, parent, 'failed');
      const [judged] = await world.broker().claimOverdue(overdueRequest(world.nextToken()));
      const verdict = finish('failed', { reason: 'dependency', charge: 'nothing' });
      await world.broker().settle([settlement(child, judged?.lease ?? '', verdict, { ranMs: null })]);
      expect((await world.broker().retry([child, parent])).map(({ outcome }) => outcome)).toEqual([
        'blocked',
        'queued',
      ]);
      expect(await overdue(world)).toEqual([]);
      await end(world, parent);
      expect(await claimIds(world)).toEqual([child]);
    },
  ],
  [
    'a retried child whose parent is gone is not held back',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)] });
      await end(world, parent, 'failed');
      await world.broker().cancel({ taskIds: [child], reason: null });
      await world.broker().remove([parent]);
      expect(await world.broker().retry([child])).toEqual([{ outcome: 'queued', generation: 2 }]);
    },
  ],
  [
    'a retried child does not wait for another task that has taken the id of a parent that is gone',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)] });
      await end(world, parent);
      await end(world, child, 'failed');
      await world.broker().remove([parent]);
      await world.put({ id: parent });
      expect(await world.broker().retry([child])).toEqual([{ outcome: 'queued', generation: 2 }]);
    },
  ],
  [
    'a retried child waits for the task that has taken the id of a parent that had failed it',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)] });
      await end(world, parent, 'failed');
      await world.broker().cancel({ taskIds: [child], reason: null });
      await world.broker().remove([parent]);
      await world.put({ id: parent });
      expect(await world.broker().retry([child])).toEqual([{ outcome: 'blocked', generation: 2 }]);
      await end(world, parent);
      expect(await stateOf(world, child)).toBe('queued');
    },
  ],
  [
    'a retry opens no edge to a task that would wait for its own child: that parent has failed it',
    async (world) => {
      const above = await world.put();
      const parent = await world.put({ dependsOn: [on(above)] });
      await end(world, above);
      await end(world, parent, 'failed');
      await world.broker().retry([above]);
      const child = await world.put({ dependsOn: [on(parent)], blocks: [on(above)] });
      expect(await world.broker().retry([parent])).toEqual([{ outcome: 'blocked', generation: 2 }]);
      expect(await overdue(world)).toEqual([[child, 'dependency_failed', [parent]]]);
    },
  ],
];

const restored: readonly Case[] = [
  [
    'a restored child waits for a parent that is restored later, and is let go when that has ended',
    async (world) => {
      const child = storedTask(sampleId(1));
      await world.broker().restore([child]);
      const parent = storedTask(awaited.taskId, { state: 'queued' });
      await world.broker().restore([parent]);
      expect(await stateOf(world, child.id)).toBe('blocked');
      await end(world, parent.id);
      expect(await stateOf(world, child.id)).toBe('queued');
    },
  ],
  [
    'a restored child waits for parents that are enqueued after it, alone or with their like',
    async (world) => {
      const [one, other] = [sampleId(91), sampleId(92)];
      const child = storedTask(sampleId(1), { dependsOn: [on(one), on(other)] });
      await world.broker().restore([child]);
      await world.broker().enqueue([newTask(one)]);
      await world.broker().enqueue([newTask(sampleId(2)), newTask(other, { key: 'k' })]);
      await end(world, one);
      expect(await stateOf(world, child.id)).toBe('blocked');
      await end(world, other);
      expect(await stateOf(world, child.id)).toBe('queued');
    },
  ],
  [
    'a restored child is overdue once a parent has failed that was enqueued after it',
    async (world) => {
      const child = storedTask(sampleId(1));
      await world.broker().restore([child]);
      await world.broker().enqueue([newTask(awaited.taskId, { flowId: 'f' })]);
      await end(world, awaited.taskId, 'failed');
      expect(await overdue(world)).toEqual([[child.id, 'dependency_failed', [awaited.taskId]]]);
    },
  ],
  [
    'a restored child whose parents are all done is let go at once',
    async (world) => {
      const ended = { finishedAt: startAt, pruneAt: startAt + keepMs } as const;
      await world
        .broker()
        .restore([storedTask(sampleId(1)), storedTask(awaited.taskId, { state: 'succeeded', ...ended })]);
      expect(await stateOf(world, sampleId(1))).toBe('queued');
    },
  ],
  [
    'who runs or has ended comes back with its parents, and waits for none of them',
    async (world) => {
      const given = { state: 'queued', dependsOn: [awaited] } satisfies Partial<NewTask & { state: TaskState }>;
      await world.broker().restore([storedTask(sampleId(1), given)]);
      expect(await world.task(sampleId(1))).toMatchObject(given);
    },
  ],
];

export const parentEndCases: readonly Case[] = [...otherEnds, ...retries, ...restored];

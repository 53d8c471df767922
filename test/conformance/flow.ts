/** Spawned tasks, the tasks they hold back, and flows that are cancelled as a whole. */

import { expect } from 'vitest';
import type { Verdict } from '../../src/core/task.ts';
import { end, on, stateOf } from './dependencies.ts';
import { claimIds } from './limit-samples.ts';
import { claimRequest, finish, newTask, overdueRequest, sampleId, settlement, startAt, wait } from './samples.ts';
import type { Case, World } from './world.ts';

/** Claims the one task there is. */
async function claimOne(world: World): Promise<{ readonly id: string; readonly token: string }> {
  const [claimed] = await world.claimAll();
  return { id: claimed?.task.id ?? '', token: claimed?.lease.token ?? '' };
}

async function spawned(world: World, verdict: Verdict, cancelled = false): Promise<readonly unknown[]> {
  await world.put();
  const { id, token } = await claimOne(world);
  if (cancelled) await world.broker().cancel({ taskIds: [id], reason: null });
  const child = newTask(world.nextId());
  const { results } = await world.broker().settle([settlement(id, token, verdict, { spawn: [child] })]);
  return [results[0]?.outcome, (await world.task(child.id))?.state];
}

const spawnCases: readonly Case[] = [
  [
    'what a settlement spawned is stored with it',
    async (world) => expect(await spawned(world, finish('succeeded'))).toEqual(['applied', 'queued']),
  ],
  [
    'a diverted settlement spawns nothing',
    async (world) => expect(await spawned(world, finish('failed'), true)).toEqual(['diverted', undefined]),
  ],
  [
    'a settlement that is sent again, or twice in one call, spawns once',
    async (world) => {
      const { id, token } = await world.bring('running');
      const one = settlement(id, token, finish('succeeded'), { spawn: [newTask(sampleId(500))] });
      await world.broker().settle([one, one]);
      await world.check(async (broker) => (await broker.settle([one])).results, [{ outcome: 'alreadyApplied' }]);
      expect((await world.dump()).counts['default / mail.send / queued']).toBe(1);
    },
  ],
  [
    'a stale settlement spawns nothing',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.settle({ id, token }, wait('queued'));
      await world.claimAll();
      const late = settlement(id, token, finish('succeeded'), { spawn: [newTask(sampleId(500))] });
      // The token was that of the last settlement: the same words would be `alreadyApplied`, and spawn nothing either.
      await world.check(async (broker) => (await broker.settle([late])).results, [{ outcome: 'alreadyApplied' }]);
      const foreign = { ...late, lease: { taskId: id, token: world.nextToken(), epoch: 1 } };
      await world.check(async (broker) => (await broker.settle([foreign])).results, [{ outcome: 'stale' }]);
    },
  ],
  [
    'spawned tasks that wait for each other are refused, and the settlement with them',
    async (world) => {
      const { id, token } = await world.bring('running');
      const [a, b] = [sampleId(500), sampleId(501)];
      const spawn = [newTask(a, { dependsOn: [on(b)] }), newTask(b, { dependsOn: [on(a)] })];
      await world.checkRefused(
        (broker) => broker.settle([settlement(id, token, finish('succeeded'), { spawn })]),
        'INVALID_FLOW',
      );
    },
  ],
  [
    'a spawned task with an unknown parent has a parent that failed: its settlement is accepted',
    async (world) => {
      const { id, token } = await world.bring('running');
      const child = newTask(sampleId(500), { dependsOn: [on(sampleId(77))] });
      await world.broker().settle([settlement(id, token, finish('succeeded'), { spawn: [child] })]);
      expect(await world.broker().claimOverdue(overdueRequest(world.nextToken()))).toMatchObject([
        { reason: 'dependency_failed', task: { id: child.id }, failedParents: [{ taskId: sampleId(77), state: null }] },
      ]);
    },
  ],
  [
    'more than 1,000 spawned tasks in one call are refused',
    async (world) => {
      const { id, token } = await world.bring('running');
      const spawn = Array.from({ length: 1_001 }, (_, index) => newTask(sampleId(10_000 + index)));
      await world.checkRefused(
        (broker) => broker.settle([settlement(id, token, finish('succeeded'), { spawn })]),
        'BATCH_TOO_LARGE',
      );
    },
  ],
];

const blockCases: readonly Case[] = [
  [
    'a task waits for what a settlement spawned, though that settlement ended its last parent',
    async (world) => {
      const parent = await world.put();
      const join = await world.put({ dependsOn: [on(parent)] });
      const { token } = await claimOne(world);
      const children = [world.nextId(), world.nextId()];
      const spawn = children.map((child) => newTask(child, { blocks: [on(join)] }));
      await world.broker().settle([settlement(parent, token, finish('succeeded'), { spawn })]);
      expect(await stateOf(world, join)).toBe('blocked');
      for (const child of children) await end(world, child);
      expect(await claimIds(world)).toEqual([join]);
    },
  ],
  [
    'a task that settles to blocked runs again when what it spawned has ended, and sees the results',
    async (world) => {
      const { id, token } = await world.bring('running');
      const child = newTask(sampleId(500), { blocks: [on(id, 'ignore')] });
      const waits = wait('blocked', { charge: 'nothing', reason: null, error: null });
      await world.broker().settle([settlement(id, token, waits, { spawn: [child] })]);
      expect(await stateOf(world, id)).toBe('blocked');
      await end(world, child.id);
      const [again] = await world.claimAll();
      expect(again).toMatchObject({
        task: { id, attempt: 1, epoch: 2 },
        parents: [{ taskId: child.id, state: 'succeeded', result: '{"ok":true}' }],
      });
    },
  ],
  [
    'a task that settles to blocked and has nothing to wait for is queued at once',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.broker().settle([settlement(id, token, wait('blocked'))]);
      expect(await stateOf(world, id)).toBe('queued');
    },
  ],
  [
    'a task of a group that settles to blocked and has nothing to wait for is queued at once',
    async (world) => {
      const { id, token } = await world.bring('running', { group: 'g' });
      await world.broker().settle([settlement(id, token, wait('blocked'))]);
      expect(await stateOf(world, id)).toBe('queued');
    },
  ],
  [
    'a task that runs, has ended or is unknown gains no parent',
    async (world) => {
      const [running, ended] = [await world.bring('running'), await world.bring('succeeded')];
      const targets = [running.id, ended.id, sampleId(77)].map((id) => on(id));
      await world.check(
        async (broker) => (await broker.enqueue([newTask(sampleId(500), { blocks: targets })]))[0]?.outcome,
        'created',
        { [sampleId(500)]: expect.objectContaining({ state: 'queued' }) },
      );
    },
  ],
  [
    'a duplicate holds back by its holder',
    async (world) => {
      const holder = await world.put({ key: 'k' });
      const join = await world.put({ delayMs: 60_000 });
      await world.broker().enqueue([newTask(world.nextId(), { key: 'k', blocks: [on(join)] })]);
      expect(await world.task(join)).toMatchObject({ state: 'blocked', dependsOn: [on(holder)] });
    },
  ],
];

const cancelCases: readonly Case[] = [
  [
    'cancelling a flow ends what waits and asks what runs, and leaves other flows alone',
    async (world) => {
      const running = await world.put({ flowId: 'f' });
      await claimOne(world);
      const waiting = await world.put({ flowId: 'f' });
      const blocked = await world.put({ flowId: 'f', dependsOn: [on(running)] });
      const other = await world.put({ flowId: 'g' });
      const results = await world.broker().cancel({ taskIds: [], flowId: 'f', reason: 'ada: wrong film' });
      expect(results.map(({ outcome }) => outcome).toSorted()).toEqual(['cancelled', 'cancelled', 'requested']);
      expect(await world.task(running)).toMatchObject({ state: 'running', cancelReason: 'ada: wrong film' });
      for (const id of [waiting, blocked]) expect(await stateOf(world, id)).toBe('cancelled');
      expect(await stateOf(world, other)).toBe('queued');
    },
  ],
  [
    'what comes to a cancelled flow is cancelled at once, with what depends on it',
    async (world) => {
      await world.broker().cancel({ taskIds: [], flowId: 'f', reason: 'why' });
      const [late, child] = [newTask(world.nextId(), { flowId: 'f', key: 'k' }), newTask(world.nextId())];
      const results = await world.broker().enqueue([late, { ...child, dependsOn: [on(late.id)] }]);
      expect(results).toEqual([
        { outcome: 'created', taskId: late.id, state: 'cancelled' },
        { outcome: 'created', taskId: child.id, state: 'blocked' },
      ]);
      expect(await world.task(late.id)).toMatchObject({ reason: 'user', cancelReason: 'why', finishedAt: startAt });
      expect((await world.dump()).keys).toEqual({});
    },
  ],
  [
    'what a running task of a cancelled flow spawns is cancelled, even when it succeeds',
    async (world) => {
      await world.put({ flowId: 'f' });
      const { id, token } = await claimOne(world);
      await world.broker().cancel({ taskIds: [], flowId: 'f', reason: null });
      const child = newTask(world.nextId(), { flowId: 'f' });
      await world.broker().settle([settlement(id, token, finish('succeeded'), { spawn: [child] })]);
      expect(await stateOf(world, child.id)).toBe('cancelled');
    },
  ],
  [
    'a task that a retry has blocked is cancelled when a cancelled flow lets it go, and so are those behind it',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ flowId: 'f', dependsOn: [on(parent)] });
      const behind = await world.put({ dependsOn: [on(child, 'ignore')] });
      await world.broker().cancel({ taskIds: [], flowId: 'f', reason: 'why' });
      await world.broker().retry([child]);
      expect(await stateOf(world, child)).toBe('blocked');
      await end(world, parent);
      expect(await world.task(child)).toMatchObject({ state: 'cancelled', reason: 'user', cancelReason: 'why' });
      expect(await stateOf(world, behind)).toBe('queued');
    },
  ],
  [
    'a retry of the task that stands for the flow lets its tasks run again',
    async (world) => {
      const root = world.nextId();
      await world.put({ id: root, flowId: root });
      await world.broker().cancel({ taskIds: [], flowId: root, reason: null });
      await world.broker().retry([root]);
      const child = await world.put({ flowId: root });
      expect(await stateOf(world, child)).toBe('queued');
    },
  ],
  [
    'the wish is forgotten a day after the last task of the flow is gone',
    async (world) => {
      const id = await world.put({ flowId: 'f' });
      await world.broker().cancel({ taskIds: [], flowId: 'f', reason: null });
      world.clock.move(25 * 3_600_000);
      await world.broker().prune(100);
      expect(await world.task(id)).toBeNull();
      expect((await world.dump()).cancelledFlows).toEqual([]);
      expect(await stateOf(world, await world.put({ flowId: 'f' }))).toBe('queued');
    },
  ],
  [
    'cancelling a flow again asks the same, and names tasks once',
    async (world) => {
      const id = await world.put({ flowId: 'f' });
      await world.broker().claim(claimRequest(world.nextToken()));
      const request = { taskIds: [id], flowId: 'f', reason: null };
      expect(await world.broker().cancel(request)).toEqual([{ outcome: 'requested' }]);
      await world.check((broker) => broker.cancel(request), [{ outcome: 'requested' }]);
    },
  ],
];

export const flowCases: readonly Case[] = [...spawnCases, ...blockCases, ...cancelCases];

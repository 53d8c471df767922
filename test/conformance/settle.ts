/** settle: who may report on a task, once, and the next claim in the same step. */

import { expect } from 'vitest';
import {
  beat,
  claimRequest,
  finish,
  heartbeatRequest,
  leaseMs,
  overdueRequest,
  sampleToken,
  settlement,
  startAt,
  wait,
} from './samples.ts';
import type { Case, Subject, World } from './world.ts';

/** Settles in one batch and answers the outcomes. */
export const outcomesOf = async (world: World, ...given: Parameters<typeof settlement>[]): Promise<readonly string[]> =>
  (await world.broker().settle(given.map((one) => settlement(...one)))).results.map(({ outcome }) => outcome);

/** Brings the task under a judge's token; the worker's stays in force. */
export async function judgeAlone(world: World, { id }: Subject): Promise<string> {
  world.clock.move(leaseMs);
  const token = world.nextToken();
  const overdue = await world.broker().claimOverdue(overdueRequest(token));
  expect(overdue.map(({ task }) => task.id)).toEqual([id]);
  return token;
}

type Given = Parameters<typeof settlement>;

const fenceCases: readonly Case[] = [
  [
    'the token of an earlier lease is stale once another has settled',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.settle({ id, token }, wait('queued'));
      const [second] = await world.claimAll();
      await world.settle({ id, token: second!.lease.token }, wait('queued'));
      expect(await outcomesOf(world, [id, token, finish('succeeded')])).toEqual(['stale']);
    },
  ],
  [
    'the token of the last settlement is known while the next lease runs, and changes nothing',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.settle({ id, token }, wait('queued'));
      await world.claimAll();
      const late = settlement(id, token, finish('succeeded'), {
        logs: [{ at: 1, level: 'info', message: 'late', fields: null }],
      });
      await world.check(async (broker) => (await broker.settle([late])).results, [{ outcome: 'alreadyApplied' }]);
      expect((await world.store.record(id)).logs).toEqual([]);
    },
  ],
  [
    'what others did to a task since its claim counts, and only for that task',
    async (world) => {
      const ids = [await world.put(), await world.put(), await world.put()] as const;
      const claimed = await world.claimAll();
      const other = await world.store.connect();
      await other.cancel({ taskIds: [ids[0]], reason: 'too late' });
      await other.heartbeat(heartbeatRequest([beat(claimed[1]!.lease, { ranMs: 0 })]));
      world.clock.move(10);
      const successes = claimed.map(({ lease }) =>
        settlement(lease.taskId, lease.token, finish('succeeded'), { ranMs: 3 }),
      );
      expect((await world.broker().settle(successes)).results).toEqual(ids.map(() => ({ outcome: 'applied' })));
      expect((await world.broker().settle(successes)).results).toEqual(ids.map(() => ({ outcome: 'alreadyApplied' })));
      const tasks = await world.broker().getTasks(ids);
      expect(tasks.map((task) => [task?.state, task?.version, task?.startedAt])).toEqual([
        ['succeeded', 4, startAt + 7],
        ['succeeded', 3, startAt],
        ['succeeded', 3, startAt + 7],
      ]);
      await other.close();
    },
  ],
  [
    'a lease that another connection has ended is stale, the others of its batch are not',
    async (world) => {
      const ids = [await world.put(), await world.put()] as const;
      const claimed = await world.claimAll();
      const other = await world.store.connect();
      const [first, second] = claimed.map(({ lease }) => settlement(lease.taskId, lease.token, finish('succeeded')));
      await other.settle([settlement(ids[0], claimed[0]!.lease.token, wait('queued'))]);
      await other.claim(claimRequest(world.nextToken()));
      expect((await world.broker().settle([second!, first!])).results).toEqual([
        { outcome: 'applied' },
        { outcome: 'alreadyApplied' },
      ]);
      expect((await world.task(ids[0])).state).toBe('running');
      await other.close();
    },
  ],
  [
    'a token that is right for another task is stale for this one',
    async (world) => {
      const [mine, other] = [await world.bring('running'), await world.bring('running')];
      expect(await outcomesOf(world, [mine.id, other.token, finish('succeeded')])).toEqual(['stale']);
    },
  ],
  [
    'a second settlement of a lease in one batch finds the first',
    async (world) => {
      const { id, token } = await world.bring('running');
      expect(await outcomesOf(world, [id, token, finish('failed')], [id, token, finish('succeeded')])).toEqual([
        'applied',
        'alreadyApplied',
      ]);
      expect(await world.task(id)).toMatchObject({ state: 'failed', version: 3 });
    },
  ],
  [
    'good and bad settlements of one batch do not disturb each other',
    async (world) => {
      const [a, b] = [await world.bring('running'), await world.bring('running')];
      const results = await outcomesOf(
        world,
        [world.nextId(), a.token, finish('failed')],
        [a.id, sampleToken(0xfeed), finish('failed')],
        [b.id, b.token, finish('succeeded')],
      );
      expect(results).toEqual(['unknown', 'stale', 'applied']);
      expect((await world.task(a.id)).state).toBe('running');
    },
  ],
  [
    'tasks that differ in nothing but their ids end each with its own result and key',
    async (world) => {
      for (const key of ['a', 'b', 'c', 'd']) await world.put({ key, group: key < 'c' ? 'low' : 'high' });
      const claimed = await world.claimAll();
      const results: Readonly<Record<string, string | null>> = { a: '"of a"', b: null, c: '"of c"', d: '"of d"' };
      const settlements = claimed.map(({ task, lease }) =>
        settlement(task.id, lease, finish(task.key === 'd' ? 'failed' : 'succeeded', { result: results[task.key!]! })),
      );
      await world.broker().settle(settlements);
      const ended = await world.broker().getTasks(claimed.map(({ task }) => task.id));
      expect(ended.map((task) => [task?.key, task?.group, task?.result]).sort()).toEqual([
        ['a', 'low', '"of a"'],
        ['b', 'low', null],
        ['c', 'high', '"of c"'],
        ['d', 'high', '"of d"'],
      ]);
      for (const key of ['a', 'b', 'c', 'd']) await world.put({ key });
    },
  ],
  [
    'a stale settlement before the right one of the same task changes none of its like',
    async (world) => {
      const ids = [await world.put(), await world.put(), await world.put()] as const;
      const [first, second, third] = await world.claimAll();
      const stale = sampleToken(0xfeed);
      const results = await outcomesOf(
        world,
        [ids[0], stale, finish('failed')],
        [ids[1], second!.lease, finish('succeeded')],
        [ids[0], first!.lease, finish('succeeded')],
        [ids[2], stale, finish('failed')],
        [ids[2], { ...third!.lease, epoch: 2 }, finish('failed')],
      );
      expect(results).toEqual(['stale', 'applied', 'applied', 'stale', 'stale']);
      expect(await world.task(ids[2])).toMatchObject({ state: 'running', version: 2, attempt: 1 });
    },
  ],
  [
    'a late repetition of a claim does not lend its lease to the run before',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.settle({ id, token }, wait('queued'));
      const [again] = await world.broker().claim(claimRequest(token));
      expect(again?.lease).toEqual({ taskId: id, token, epoch: 2 });
      // What a process remembers of its claim is of the run of now.
      const success = settlement(id, token, finish('succeeded'), { ranMs: 3 });
      expect((await world.broker().settle([success])).results).toEqual([{ outcome: 'alreadyApplied' }]);
      const first = beat({ taskId: id, token, epoch: 1 });
      expect((await world.broker().heartbeat(heartbeatRequest([first]))).beats).toEqual(['lost']);
      expect(await outcomesOf(world, [id, token, wait('queued')])).toEqual(['alreadyApplied']);
      expect(await world.task(id)).toMatchObject({ state: 'running', epoch: 2 });
      const second = settlement(id, token, finish('succeeded'), { lease: { taskId: id, token, epoch: 2 } });
      expect((await world.broker().settle([second])).results).toEqual([{ outcome: 'applied' }]);
    },
  ],
  [
    'a judge of an earlier run has no say in a later one',
    async (world) => {
      const subject = await world.bring('running');
      const judgeToken = await judgeAlone(world, subject);
      await world.settle(subject, wait('queued'));
      await world.broker().claim(claimRequest(world.nextToken()));
      world.clock.move(leaseMs);
      const request = { token: judgeToken, limit: 10, leaseMs, deadWorkers: [] };
      expect((await world.broker().claimOverdue(request)).map(({ lease }) => lease.epoch)).toEqual([2]);
      const early = settlement(subject.id, judgeToken, finish('failed'));
      expect((await world.broker().settle([early])).results).toEqual([{ outcome: 'stale' }]);
    },
  ],
  [
    'the worker settles first: the judge is stale',
    async (world) => {
      const subject = await world.bring('running');
      const judgeToken = await judgeAlone(world, subject);
      await world.settle(subject, wait('scheduled'));
      await world.check(
        async (broker) => (await broker.settle([settlement(subject.id, judgeToken, finish('failed'))])).results,
        [{ outcome: 'stale' }],
      );
    },
  ],
  [
    'the judge settles first: the worker is stale, and its beat lost',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.settle(
        { id, token: await judgeAlone(world, { id, token }) },
        wait('queued', { reason: 'lease_lost', charge: 'interruption' }),
      );
      expect(await outcomesOf(world, [id, token, finish('succeeded')])).toEqual(['stale']);
      expect((await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 })]))).beats).toEqual(
        ['lost'],
      );
    },
  ],
  [
    'worker and judge in one batch: the first of them decides',
    async (world) => {
      const { id, token } = await world.bring('running');
      const judgeToken = await judgeAlone(world, { id, token });
      expect(await outcomesOf(world, [id, judgeToken, wait('queued')], [id, token, finish('succeeded')])).toEqual([
        'applied',
        'stale',
      ]);
      expect((await world.store.events()).at(-1)).toMatchObject({
        kind: 'judge',
        items: [{ from: 'running', to: 'queued' }],
      });
    },
  ],
  [
    'a judge whose time is over may still settle while nobody else has looked',
    async (world) => {
      const subject = await world.bring('running');
      const judgeToken = await judgeAlone(world, subject);
      world.clock.move(leaseMs * 3);
      await world.settle({ id: subject.id, token: judgeToken }, finish('failed'));
    },
  ],
  [
    'a judge whose task was given to another judge is stale',
    async (world) => {
      const subject = await world.bring('running');
      const first = await judgeAlone(world, subject);
      const second = await judgeAlone(world, subject);
      expect(
        await outcomesOf(world, [subject.id, first, finish('failed')], [subject.id, second, finish('failed')]),
      ).toEqual(['stale', 'applied']);
    },
  ],
  [
    'after a retry by a person the old settlement is forgotten',
    async (world) => {
      const { id, token } = await world.bring('failed');
      await world.broker().retry([id]);
      await world.check(
        async (broker) => (await broker.settle([settlement(id, token, finish('failed'))])).results,
        [{ outcome: 'stale' }],
      );
    },
  ],
  [
    'a judge is stale once a person has cancelled what it judged',
    async (world) => {
      const { id } = await world.bring('queued', { expiresInMs: 10 });
      const judgeToken = await judgeAlone(world, { id, token: '' });
      await world.broker().cancel({ taskIds: [id], reason: null });
      const verdict = settlement(id, judgeToken, finish('failed'));
      await world.check(async (broker) => (await broker.settle([verdict])).results, [{ outcome: 'stale' }]);
    },
  ],
  [
    'a judge has no say about the generation after a retry',
    async (world) => {
      const { id } = await world.bring('queued', { expiresInMs: 10 });
      const judgeToken = await judgeAlone(world, { id, token: '' });
      await world.broker().cancel({ taskIds: [id], reason: null });
      await world.broker().retry([id]);
      const verdict = settlement(id, judgeToken, finish('failed'));
      await world.check(async (broker) => (await broker.settle([verdict])).results, [{ outcome: 'stale' }]);
    },
  ],
  [
    'a settlement is known after a person has cancelled what waited',
    async (world) => {
      const subject = await world.bring('running');
      await world.settle(subject, wait('scheduled'));
      await world.broker().cancel({ taskIds: [subject.id], reason: null });
      expect(await outcomesOf(world, [subject.id, subject.token, wait('scheduled')])).toEqual(['alreadyApplied']);
    },
  ],
];

const wholeClaimCases: readonly Case[] = [
  [
    'of a claim that is settled as a whole each task is judged as it is by then',
    async (world) => {
      const ids: string[] = [];
      for (const key of ['k0', 'k1', 'k2', 'k3']) ids.push(await world.put({ key, group: 'a' }));
      const token = world.nextToken();
      await world.broker().claim(claimRequest(token));
      await world.broker().cancel({ taskIds: [ids[1]!], reason: null });
      await world.broker().settle([settlement(ids[2]!, token, finish('succeeded'))]);
      const outcomes = await outcomesOf(world, ...ids.map((id): Given => [id, token, finish('failed')]));
      expect(outcomes).toEqual(['applied', 'diverted', 'alreadyApplied', 'applied']);
      const states = await Promise.all(ids.map(async (id) => (await world.task(id)).state));
      expect(states).toEqual(['failed', 'cancelled', 'succeeded', 'failed']);
    },
  ],
  [
    'a claim that is settled in parts and out of order frees the key of each task',
    async (world) => {
      const keys = ['k0', 'k1', 'k2', 'k3'];
      const ids: string[] = [];
      for (const key of keys) ids.push(await world.put({ key, group: `${key.length}` }));
      const token = world.nextToken();
      await world.broker().claim(claimRequest(token));
      const settled = (...places: number[]) =>
        outcomesOf(world, ...places.map((place): Given => [ids[place]!, token, finish('succeeded')]));
      expect([...(await settled(3, 1)), ...(await settled(0, 2))]).toEqual(Array(4).fill('applied'));
      const again: string[] = [];
      for (const key of keys) again.push(await world.put({ key }));
      expect(new Set([...ids, ...again]).size).toBe(8);
    },
  ],
];

const claimNextCases: readonly Case[] = [
  [
    'the next claim sees what the settlements did',
    async (world) => {
      const { id, token } = await world.bring('running');
      const next = await world.put();
      const { results, claimed } = await world
        .broker()
        .settle([settlement(id, token, wait('queued'))], claimRequest(world.nextToken()));
      expect(results).toEqual([{ outcome: 'applied' }]);
      expect(claimed.map(({ task }) => [task.id, task.version])).toEqual([
        [id, 4],
        [next, 2],
      ]);
      expect((await world.store.events()).slice(-2).map(({ kind }) => kind)).toEqual(['settle', 'claim']);
    },
  ],
  [
    'without a next claim nothing is claimed',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.put();
      expect((await world.broker().settle([settlement(id, token, finish('succeeded'))])).claimed).toEqual([]);
    },
  ],
  [
    'after a lost reply the same call finds its settlements and its claim',
    async (world) => {
      const { id, token } = await world.bring('running');
      const next = await world.put();
      const request = claimRequest(world.nextToken());
      world.loseNextReply();
      await expect(world.broker().settle([settlement(id, token, finish('succeeded'))], request)).rejects.toMatchObject({
        code: 'STORE_UNREACHABLE',
      });
      await world.put();
      const { results, claimed } = await world.broker().settle([settlement(id, token, finish('succeeded'))], request);
      expect([results, claimed.map(({ task }) => task.id)]).toEqual([[{ outcome: 'alreadyApplied' }], [next]]);
    },
  ],
  [
    'thirty settlers of one lease: one is applied',
    async (world) => {
      const { id, token } = await world.bring('running');
      const answers = await Promise.all(
        Array.from({ length: 30 }, () => outcomesOf(world, [id, token, finish('succeeded')])),
      );
      expect(answers.flat().filter((outcome) => outcome === 'applied')).toHaveLength(1);
      expect(await world.task(id)).toMatchObject({ version: 3 });
    },
  ],
];

export const settleCases: readonly Case[] = [...fenceCases, ...wholeClaimCases, ...claimNextCases];

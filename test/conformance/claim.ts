/** claim: who gets which task, once. */

import { expect } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import type { ClaimedTask } from '../../src/core/task.ts';
import { claimRequest, finish, leaseMs, newTask, sampleToken, settlement, startAt, wait } from './samples.ts';
import type { Case } from './world.ts';

const idsOf = (claimed: readonly ClaimedTask[]): readonly string[] => claimed.map(({ task }) => task.id);
const demand = (...queues: (readonly [name: string, limit: number])[]) =>
  queues.map(([name, limit]) => ({ name, limit }));

/** Timeout and rest of the life, and what bounds the run. */
const bounds = [
  { timeoutMs: null, expiresInMs: null, runMs: null, boundByLife: false },
  { timeoutMs: 100, expiresInMs: null, runMs: 100, boundByLife: false },
  { timeoutMs: null, expiresInMs: 700, runMs: 700, boundByLife: true },
  { timeoutMs: 100, expiresInMs: 700, runMs: 100, boundByLife: false },
  { timeoutMs: 900, expiresInMs: 700, runMs: 700, boundByLife: true },
] as const;

async function claimUntilEmpty(broker: Broker, firstToken: number): Promise<readonly string[]> {
  const seen: string[] = [];
  for (let round = 0; ; round++) {
    const claimed = await broker.claim(claimRequest(sampleToken(firstToken + round), { limit: 7 }));
    if (claimed.length === 0) return seen;
    seen.push(...idsOf(claimed));
  }
}

export const claimCases: readonly Case[] = [
  [
    'everything a claim sets is in its answer and in the store',
    async (world) => {
      const id = await world.put({ startWithinMs: 5_000 });
      world.clock.move(1_000);
      const [claimed] = await world.broker().claim(claimRequest(sampleToken(77), { workerId: 'w7' }));
      expect(claimed).toMatchObject({ lease: { taskId: id, token: sampleToken(77) }, parents: [] });
      expect(claimed?.task).toEqual(await world.task(id));
      expect(claimed?.task).toMatchObject({
        state: 'running',
        workerId: 'w7',
        version: 2,
        epoch: 1,
        attempt: 1,
        claimedAt: startAt + 1_000,
        leaseUntil: startAt + 1_000 + leaseMs,
        startedAt: null,
        startBy: startAt + 5_000,
      });
    },
  ],
  [
    'order is priority, then age, then id, over all queues',
    async (world) => {
      const late = await world.put({ queue: 'a', priority: 5 });
      const urgent = await world.put({ queue: 'b', priority: 0 });
      const scheduled = await world.put({ queue: 'a', priority: 5, delayMs: 10 });
      const low = await world.put({ queue: 'a', priority: 9 });
      const twin = await world.put({ queue: 'b', priority: 5 });
      world.clock.move(10);
      await world.broker().promote(10);
      const claimed = await world
        .broker()
        .claim(claimRequest(world.nextToken(), { queues: demand(['b', 9], ['a', 9]) }));
      expect(idsOf(claimed)).toEqual([urgent, late, twin, scheduled, low]);
    },
  ],
  [
    'a retried task waits in the order of its due time',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.settle({ id, token }, wait('queued'));
      const next = await world.put();
      expect(idsOf(await world.claimAll())).toEqual([id, next]);
    },
  ],
  [
    'a queue gives at most its own limit',
    async (world) => {
      const [a1, , b1] = [
        await world.put({ queue: 'a' }),
        await world.put({ queue: 'a' }),
        await world.put({ queue: 'b' }),
      ];
      const claimed = await world
        .broker()
        .claim(claimRequest(world.nextToken(), { queues: demand(['a', 1], ['b', 5]) }));
      expect(idsOf(claimed)).toEqual([a1, b1]);
    },
  ],
  [
    'the limit of a queue takes its first in order, not its oldest',
    async (world) => {
      await world.put();
      const urgent = await world.put({ priority: 0 });
      const claimed = await world.broker().claim(claimRequest(world.nextToken(), { queues: demand(['default', 1]) }));
      expect(idsOf(claimed)).toEqual([urgent]);
    },
  ],
  [
    'all queues together give at most the whole limit, the first in order',
    async (world) => {
      await world.put({ queue: 'a', priority: 6 });
      const [b1, b2] = [await world.put({ queue: 'b' }), await world.put({ queue: 'b' })];
      const claimed = await world
        .broker()
        .claim(claimRequest(world.nextToken(), { queues: demand(['a', 5], ['b', 5]), limit: 2 }));
      expect(idsOf(claimed)).toEqual([b1, b2]);
    },
  ],
  ...(
    [
      ['a limit of none', { limit: 0 }],
      ['a queue limit of none', { queues: demand(['default', 0]) }],
      ['no queue', { queues: [] }],
      ['another queue', { queues: demand(['Default', 5], ['', 5]) }],
    ] as const
  ).map(
    ([what, given]): Case => [
      `${what} claims nothing`,
      async (world) => {
        await world.put();
        await world.check((broker) => broker.claim(claimRequest(sampleToken(1), given)), []);
      },
    ],
  ),
  [
    'a paused queue gives nothing, and everything after it is resumed',
    async (world) => {
      const id = await world.put();
      const other = await world.put({ queue: 'other' });
      await world.broker().configure('queue', 'default', { pause: { by: 'ada', reason: null } });
      const queues = demand(['default', 5], ['other', 5]);
      expect(idsOf(await world.broker().claim(claimRequest(world.nextToken(), { queues })))).toEqual([other]);
      await world.broker().configure('queue', 'default', { pause: null });
      expect(idsOf(await world.broker().claim(claimRequest(world.nextToken(), { queues })))).toEqual([id]);
    },
  ],
  [
    'a scheduled task is not claimed however long it has been due',
    async (world) => {
      await world.put({ delayMs: 10 });
      world.clock.move(100_000);
      expect(await world.claimAll()).toEqual([]);
    },
  ],
  ...(['startWithinMs', 'expiresInMs'] as const).map(
    (limit): Case => [
      `a task is claimed before ${limit} is over and not at it`,
      async (world) => {
        const [early, late] = [await world.put({ [limit]: 101 }), await world.put({ [limit]: 100 })];
        world.clock.move(100);
        expect(idsOf(await world.claimAll())).toEqual([early]);
        expect(await world.task(late)).toMatchObject({ state: 'queued', version: 1 });
      },
    ],
  ),
  ...bounds.map(
    ({ runMs, boundByLife, ...given }): Case => [
      `a timeout of ${given.timeoutMs} and a life of ${given.expiresInMs} give a run of ${runMs}`,
      async (world) => {
        await world.put(given);
        expect(await world.claimAll()).toMatchObject([{ runMs, boundByLife }]);
      },
    ],
  ),
  [
    'the rest of the life counts, not the whole of it',
    async (world) => {
      await world.put({ expiresInMs: 700 });
      world.clock.move(600);
      expect(await world.claimAll()).toMatchObject([{ runMs: 100, boundByLife: true }]);
    },
  ],
  [
    'the same token gives the same tasks and no new ones',
    async (world) => {
      await world.put();
      const request = claimRequest(world.nextToken());
      const first = await world.broker().claim(request);
      await world.put();
      await world.check((broker) => broker.claim(request), first);
    },
  ],
  [
    'the same token tells the tasks as they are now, those still running',
    async (world) => {
      const [a, b] = [await world.put({ timeoutMs: 50 }), await world.put({ expiresInMs: 100 })];
      const request = claimRequest(world.nextToken());
      await world.broker().claim(request);
      await world.settle({ id: a, token: request.token }, finish('succeeded'));
      world.clock.move(500);
      await world.broker().cancel({ taskIds: [b], reason: null });
      expect(await world.broker().claim(request)).toMatchObject([
        { task: { id: b, cancelRequestedAt: startAt + 500 }, runMs: 0, boundByLife: true },
      ]);
    },
  ],
  [
    'the same token claims anew when all of its tasks are settled',
    async (world) => {
      const { id, token } = await world.bring('succeeded');
      const next = await world.put();
      expect(idsOf(await world.broker().claim(claimRequest(token)))).toEqual([next]);
      expect((await world.task(id)).state).toBe('succeeded');
    },
  ],
  [
    'the same token gives its tasks even when their queue is paused or asked for no more',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.broker().configure('queue', 'default', { pause: { by: 'ada', reason: null } });
      expect(idsOf(await world.broker().claim(claimRequest(token, { queues: [], limit: 0 })))).toEqual([id]);
    },
  ],
  [
    'epoch grows over retries and generations',
    async (world) => {
      const first = await world.bring('running');
      await world.settle(first, wait('queued'));
      const [second] = await world.claimAll();
      await world.settle({ id: first.id, token: second!.lease.token }, finish('failed'));
      await world.broker().retry([first.id]);
      expect(await world.claimAll()).toMatchObject([{ task: { epoch: 3, attempt: 1, generation: 2 } }]);
    },
  ],
  [
    'a claim clears what the last run left: start and progress, not the error',
    async (world) => {
      const subject = await world.bring('running');
      await world
        .broker()
        .settle([
          settlement(subject.id, subject.token, wait('queued'), { progress: { done: 1, total: 2, note: null } }),
        ]);
      expect(await world.task(subject.id)).toMatchObject({ progress: { done: 1 }, startedAt: startAt - 10 });
      expect(await world.claimAll()).toMatchObject([
        { task: { progress: null, startedAt: null, reason: null, error: { name: 'Error' } } },
      ]);
    },
  ],
  [
    'thirty claimers at once never share a task',
    async (world) => {
      const ids = Array.from({ length: 300 }, () => world.nextId());
      await world.broker().enqueue(ids.map((id) => newTask(id)));
      const connections = [world.broker(), await world.store.connect(), await world.store.connect()];
      const rounds = await Promise.all(
        Array.from({ length: 30 }, (_, index) => claimUntilEmpty(connections[index % 3]!, 10_000 * (index + 1))),
      );
      await Promise.all(connections.slice(1).map((connection) => connection.close()));
      expect(rounds.flat().sort()).toEqual([...ids].sort());
    },
  ],
  [
    'a backlog of 10,000 is claimed in order, every task once',
    async (world) => {
      const ids = Array.from({ length: 10_000 }, () => world.nextId());
      for (let start = 0; start < ids.length; start += 1_000)
        await world.broker().enqueue(ids.slice(start, start + 1_000).map((id) => newTask(id)));
      const seen: string[] = [];
      const request = (): ReturnType<typeof claimRequest> =>
        claimRequest(world.nextToken(), { limit: 1_000, queues: demand(['default', 1_000]) });
      let { claimed } = await world.broker().settle([], request());
      while (claimed.length > 0) {
        seen.push(...idsOf(claimed));
        const settlements = claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded')));
        ({ claimed } = await world.broker().settle(settlements, request()));
      }
      expect(seen).toEqual(ids);
      expect((await world.dump()).counts).toEqual({ 'default / mail.send / succeeded': 10_000 });
    },
  ],
];

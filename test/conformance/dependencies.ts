/** Dependencies: who waits for whom, and what the end of a parent means. */

import { expect } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import { type FinishedState, finishedStates, type TaskState } from '../../src/core/states.ts';
import type { Dependency, OnFailure } from '../../src/core/task.ts';
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
import type { Case, World } from './world.ts';

const policies: readonly OnFailure[] = ['fail', 'cancel', 'ignore'];

export const on = (taskId: string, onFailure: OnFailure = 'fail'): Dependency => ({ taskId, onFailure });

export async function stateOf(world: World, taskId: string): Promise<TaskState | undefined> {
  return (await world.task(taskId))?.state;
}

/** Runs the task to this end; everything else stays in its queue. */
export async function end(world: World, taskId: string, to: FinishedState = 'succeeded'): Promise<void> {
  const claimed = await world.claimAll();
  const settlements = claimed.map(({ task, lease }) =>
    settlement(task.id, lease, task.id === taskId ? finish(to) : wait('queued', { charge: 'nothing' })),
  );
  expect(claimed.map(({ task }) => task.id)).toContain(taskId);
  await world.broker().settle(settlements);
}

export async function overdue(world: World): Promise<readonly (readonly [string, string, readonly string[]])[]> {
  const found = await world.broker().claimOverdue(overdueRequest(world.nextToken()));
  return found.map(({ task, reason, failedParents }) => [task.id, reason, failedParents.map(({ taskId }) => taskId)]);
}

const endings: readonly Case[] = finishedStates.flatMap((to) =>
  policies.map((onFailure): Case => {
    const isDone = to === 'succeeded' || onFailure === 'ignore';
    const sentence = isDone ? 'lets its child go in the same step' : 'hands its child to the engine';
    return [
      `a parent that ended ${to} ${sentence}, with the policy ${onFailure}`,
      async (world) => {
        const parent = await world.put();
        const child = await world.put({ dependsOn: [on(parent, onFailure)] });
        expect(await stateOf(world, child)).toBe('blocked');
        await end(world, parent, to as FinishedState);
        expect(await stateOf(world, child)).toBe(isDone ? 'queued' : 'blocked');
        expect(await overdue(world)).toEqual(isDone ? [] : [[child, 'dependency_failed', [parent]]]);
      },
    ];
  }),
);

const finishedBefore: readonly Case[] = finishedStates.flatMap((to) =>
  policies.map((onFailure): Case => {
    const isDone = to === 'succeeded' || onFailure === 'ignore';
    return [
      `a parent that was ${to} before counts at once, with the policy ${onFailure}`,
      async (world) => {
        const { id: parent } = await world.bring(to as FinishedState);
        const child = await world.put({ dependsOn: [on(parent, onFailure)] });
        expect(await stateOf(world, child)).toBe(isDone ? 'queued' : 'blocked');
        expect(await overdue(world)).toEqual(isDone ? [] : [[child, 'dependency_failed', [parent]]]);
      },
    ];
  }),
);

const refusals: readonly Case[] = [
  [
    'an unknown parent is refused with its path, and nothing of the call is stored',
    async (world) => {
      const tasks = [newTask(sampleId(1)), newTask(sampleId(2), { dependsOn: [on(sampleId(1)), on(sampleId(77))] })];
      await world.checkRefused((broker) => broker.enqueue(tasks), 'INVALID_FLOW');
      await expect(world.broker().enqueue(tasks)).rejects.toThrow(
        `tasks[1].dependsOn[1]: there is no task ${sampleId(77)}`,
      );
    },
  ],
  [
    'tasks that wait for each other are refused with the way around, and nothing of the call is stored',
    async (world) => {
      const tasks = [1, 2, 3].map((number) =>
        newTask(sampleId(number), { dependsOn: [on(sampleId((number % 3) + 1))] }),
      );
      await world.checkRefused((broker) => broker.enqueue([newTask(sampleId(9)), ...tasks]), 'INVALID_FLOW');
      await expect(world.broker().enqueue(tasks)).rejects.toThrow(
        `${sampleId(1)} waits for ${sampleId(2)} waits for ${sampleId(3)} waits for ${sampleId(1)}`,
      );
    },
  ],
  [
    'a task that waits for itself is refused',
    (world) =>
      world.checkRefused(
        (broker) => broker.enqueue([newTask(sampleId(1), { dependsOn: [on(sampleId(1))] })]),
        'INVALID_FLOW',
      ),
  ],
  [
    'more parents than a task may have are refused',
    async (world) => {
      const parents = Array.from({ length: limits.dependenciesMax + 1 }, (_, index) => on(sampleId(index + 2)));
      await world.checkRefused(
        (broker) => broker.enqueue([newTask(sampleId(1), { dependsOn: parents })]),
        'INVALID_FLOW',
      );
    },
  ],
  [
    'a parent that is replaced within its call waits for nobody: it fails the task that it blocked',
    async (world) => {
      const child = await world.put();
      const given = { key: 'k', dependsOn: [on(child)], blocks: [on(child)] };
      const results = await world
        .broker()
        .enqueue([newTask(sampleId(901), given), newTask(sampleId(902), { key: 'k', ifExists: 'replace' })]);
      expect(results.map(({ outcome }) => outcome)).toEqual(['created', 'replaced']);
      expect(await overdue(world)).toEqual([[child, 'dependency_failed', [sampleId(901)]]]);
    },
  ],
  [
    'more parents than a task may gain in the end are refused, and nothing of the call is stored',
    async (world) => {
      const parents = Array.from({ length: limits.parentsMax - 1 }, (_, index) => on(sampleId(10_000 + index)));
      const child = sampleId(1);
      await world.broker().restore([storedTask(child, { dependsOn: parents })]);
      const tasks = [newTask(sampleId(2), { blocks: [on(child)] }), newTask(sampleId(3), { blocks: [on(child)] })];
      await world.checkRefused((broker) => broker.enqueue(tasks), 'INVALID_FLOW');
      await world.broker().enqueue(tasks.slice(0, 1));
      await expect(world.broker().enqueue(tasks.slice(1))).rejects.toThrow(
        `tasks[0].blocks: ${child} would have 10001 parents, at most 10000 are allowed`,
      );
    },
  ],
  [
    'more dependencies in one call than a store takes at once are refused',
    (world) => {
      const parents = Array.from({ length: limits.dependenciesMax }, (_, index) => on(sampleId(10_000 + index)));
      const count = limits.edgesMax / limits.dependenciesMax;
      const tasks = Array.from({ length: count + 1 }, (_, index) => newTask(sampleId(index), { blocks: parents }));
      return world.checkRefused((broker) => broker.enqueue(tasks), 'INVALID_FLOW');
    },
  ],
  [
    'a loop by way of stored tasks is refused, and nothing of the call is stored',
    async (world) => {
      const first = await world.put();
      const second = await world.put({ dependsOn: [on(first)] });
      const between = newTask(world.nextId(), { dependsOn: [on(second)], blocks: [on(first)] });
      await world.checkRefused((broker) => broker.enqueue([newTask(world.nextId()), between]), 'INVALID_FLOW');
    },
  ],
];

const calls: readonly Case[] = [
  [
    'a call of 1,000 tasks in one chain, children first, is stored whole and in one step',
    async (world) => {
      const ids = Array.from({ length: limits.batchMax }, (_, index) => sampleId(10_000 + index));
      const chain = ids.map((id, index) => newTask(id, index === 0 ? {} : { dependsOn: [on(ids[index - 1] ?? '')] }));
      const results = await world.broker().enqueue(chain.toReversed());
      expect(results.map(({ taskId }) => taskId)).toEqual(ids.toReversed());
      expect((await world.dump()).counts).toEqual({
        'default / mail.send / blocked': 999,
        'default / mail.send / queued': 1,
      });
    },
  ],
  [
    'the last of 999 parents lets the child go, and none before it',
    async (world) => {
      const parents = Array.from({ length: 999 }, (_, index) => sampleId(10_000 + index));
      const child = sampleId(20_000);
      await world
        .broker()
        .enqueue([newTask(child, { dependsOn: parents.map((id) => on(id)) }), ...parents.map((id) => newTask(id))]);
      const queues = [{ name: 'default', limit: 1_000 }];
      const claimed = await world.broker().claim(claimRequest(world.nextToken(), { queues, limit: 1_000 }));
      const ends = claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded')));
      await world.broker().settle(ends.slice(0, 998));
      expect(await stateOf(world, child)).toBe('blocked');
      await world.broker().settle(ends.slice(998));
      expect(await stateOf(world, child)).toBe('queued');
    },
  ],
  [
    'the same call again, after a lost reply, stores nothing more, even when a parent is gone',
    async (world) => {
      const [parent, child] = [newTask(sampleId(1)), newTask(sampleId(2), { dependsOn: [on(sampleId(1))] })];
      await world.broker().enqueue([child, parent]);
      await end(world, parent.id);
      await world.broker().remove([parent.id]);
      await world.check(
        (broker) => broker.enqueue([child]),
        [{ outcome: 'existing', taskId: child.id, state: 'queued' }],
      );
    },
  ],
  [
    'a parent is in the set once: the first policy counts',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent, 'ignore'), on(parent, 'fail')] });
      expect((await world.task(child)).dependsOn).toEqual([on(parent, 'ignore')]);
    },
  ],
  [
    'a task whose key is held gives way to the holder, also as a parent',
    async (world) => {
      const holder = await world.put({ key: 'k' });
      const [again, child] = [newTask(world.nextId(), { key: 'k' }), newTask(world.nextId())];
      const results = await world.broker().enqueue([{ ...child, dependsOn: [on(again.id)] }, again]);
      expect(results[1]).toEqual({ outcome: 'duplicate', taskId: again.id, of: holder });
      expect((await world.task(child.id)).dependsOn).toEqual([on(holder)]);
      await end(world, holder);
      expect(await stateOf(world, child.id)).toBe('queued');
    },
  ],
  [
    'a child becomes due when its last parent ends, and not before its own time',
    async (world) => {
      const parent = await world.put();
      const [soon, late] = [
        await world.put({ dependsOn: [on(parent)], delayMs: 1_000, startWithinMs: 50 }),
        await world.put({ dependsOn: [on(parent)], delayMs: 90_000 }),
      ];
      world.clock.move(5_000);
      await end(world, parent);
      expect(await world.task(soon)).toMatchObject({
        state: 'queued',
        dueAt: startAt + 5_000,
        startBy: startAt + 5_050,
      });
      expect(await world.task(late)).toMatchObject({ state: 'scheduled', dueAt: startAt + 90_000 });
    },
  ],
  [
    'what a settlement lets go can be claimed by the same call',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)] });
      const [claimed] = await world.claimAll();
      const next = await world
        .broker()
        .settle([settlement(parent, claimed?.lease ?? '', finish('succeeded'))], claimRequest(world.nextToken()));
      expect(next.claimed.map(({ task }) => task.id)).toEqual([child]);
    },
  ],
];

const results: readonly Case[] = [
  [
    'a claim tells how the parents stand, in the order of the set, also when it is repeated',
    async (world) => {
      const [good, bad] = [await world.put(), await world.put({ name: 'mail.check' })];
      const child = await world.put({ dependsOn: [on(bad, 'ignore'), on(good)] });
      await end(world, good);
      await end(world, bad, 'failed');
      const request = claimRequest(world.nextToken());
      const parents = [
        { taskId: bad, name: 'mail.check', state: 'failed', result: null, error: expect.anything() },
        { taskId: good, name: 'mail.send', state: 'succeeded', result: '{"ok":true}', error: null },
      ];
      expect(await world.broker().claim(request)).toMatchObject([{ task: { id: child }, parents }]);
      expect(await world.broker().claim(request)).toMatchObject([{ task: { id: child }, parents }]);
    },
  ],
  [
    'a claim tells as much of the parents as it may carry, the smallest first, and how much it left out',
    async (world) => {
      const ids = [await world.put(), await world.put(), await world.put()];
      const child = await world.put({ dependsOn: ids.map((id) => on(id)) });
      const heedless = await world.put({ dependsOn: [on(ids[0] ?? ''), on(ids[2] ?? '')] });
      // Two bytes for each of its characters.
      const results = [0.6, 0.1, 0.3].map((share) => 'é'.repeat(Math.ceil((limits.claimParentsBytesMax * share) / 2)));
      const claimed = await world.claimAll();
      await world.broker().settle(
        ids.map((id, index) => {
          const lease = claimed.find(({ task }) => task.id === id)?.lease ?? '';
          return settlement(id, lease, finish('succeeded', { result: JSON.stringify(results[index]) }));
        }),
      );
      const request = claimRequest(world.nextToken());
      for (const answer of [await world.broker().claim(request), await world.broker().claim(request)]) {
        const told = new Map(answer.map(({ task, parents }) => [task.id, parents]));
        const leftOut = { taskId: ids[0], state: 'succeeded', result: null };
        const bytes = Buffer.byteLength(JSON.stringify(results[0]));
        expect(told.get(child)?.map(({ leftOutBytes = null }) => leftOutBytes)).toEqual([bytes, null, null]);
        expect(told.get(heedless)?.[0]).toMatchObject({ ...leftOut, leftOutBytes: bytes });
        expect(told.get(child)?.[2]?.result === JSON.stringify(results[2])).toBe(true);
      }
    },
  ],
  [
    'a result is kept past its retention while a child that may ask for it is unfinished',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)], delayMs: 5_000_000 });
      await end(world, parent);
      world.clock.move(5_000_000);
      expect(await world.broker().prune(100)).toBe(0);
      await world.broker().promote(10);
      const [claimed] = await world.claimAll();
      expect(claimed?.parents).toMatchObject([{ taskId: parent, result: '{"ok":true}' }]);
      await world.settle({ id: child, token: claimed?.lease.token ?? '' }, finish('succeeded'));
      expect(await world.broker().prune(100)).toBe(1);
      expect(await world.task(parent)).toBeNull();
    },
  ],
  [
    'a parent that was removed is told as gone, and holds nobody back that it had let go',
    async (world) => {
      const parent = await world.put();
      await world.put({ dependsOn: [on(parent)] });
      await end(world, parent);
      await world.broker().remove([parent]);
      const [claimed] = await world.claimAll();
      expect(claimed?.parents).toEqual([{ taskId: parent, name: null, state: null, result: null, error: null }]);
    },
  ],
  [
    'a failed parent that was removed has failed all the same',
    async (world) => {
      const parent = await world.put();
      const child = await world.put({ dependsOn: [on(parent)] });
      await end(world, parent, 'failed');
      await world.broker().remove([parent]);
      expect(await overdue(world)).toEqual([[child, 'dependency_failed', [parent]]]);
    },
  ],
];

const facts: readonly Case[] = [
  [
    'the facts name parents, those first that hold it back, and children',
    async (world) => {
      const [done, open] = [await world.put(), await world.put({ name: 'mail.check', delayMs: 9_000 })];
      const id = await world.put({ dependsOn: [on(done), on(open)] });
      const child = await world.put({ dependsOn: [on(id)] });
      await end(world, done);
      expect((await world.broker().inspect([id]))[0]).toMatchObject({
        parents: [
          { taskId: open, name: 'mail.check', state: 'scheduled', edge: 'open' },
          { taskId: done, name: 'mail.send', state: 'succeeded', edge: 'done' },
        ],
        parentsLeft: 1,
        children: [{ taskId: child, name: 'mail.send', state: 'blocked' }],
      });
    },
  ],
];

export const dependencyCases: readonly Case[] = [
  ...endings,
  ...finishedBefore,
  ...refusals,
  ...calls,
  ...results,
  ...facts,
];

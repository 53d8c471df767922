/** Groups: whose turn it is in a queue. */

import { expect } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import type { NewTask } from '../../src/core/task.ts';
import { claimIds, one, putAll, slots } from './limit-samples.ts';
import { claimRequest, finish, newTask, sampleId, storedTask, wait } from './samples.ts';
import type { Case, World } from './world.ts';

const a = { group: 'a' };
const b = { group: 'b' };

export const groupCases: readonly Case[] = [
  [
    'a task keeps its group',
    async (world) => {
      expect((await world.task(await world.put(a))).group).toBe('a');
    },
  ],
  [
    'groups take turns, however much each has waiting',
    async (world) => {
      await putAll(world, a, a, a, a, b, b);
      expect(await claimGroups(world, 6)).toEqual(['a', 'b', 'a', 'b', 'a', 'a']);
    },
  ],
  [
    'a claim of many goes round among those that have any left',
    async (world) => {
      const waiting = { a: 6, b: 4, c: 2, d: 1 };
      for (const [group, count] of Object.entries(waiting)) await putAll(world, ...Array(count).fill({ group }));
      expect((await claimGroups(world, 9)).join('')).toBe('abcdabcab');
      expect((await claimGroups(world, 9)).join('')).toBe('abaa');
    },
  ],
  [
    'a full limit lets the others of a round pass',
    async (world) => {
      const limited = { group: 'b', limits: [slots('one', 1)] };
      await putAll(world, a, a, a, limited, limited, { ...limited, limits: [] }, ...Array(3).fill({ group: 'c' }));
      expect((await claimGroups(world, 9)).join('')).toBe('abcabcac');
    },
  ],
  [
    'they go on where the last claim stopped',
    async (world) => {
      await putAll(world, a, a, b, b, { group: 'c' }, { group: 'c' });
      const claimed: (string | null)[] = [];
      for (let call = 0; call < 6; call += 1) claimed.push(...(await claimGroups(world, 1)));
      expect(claimed).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
    },
  ],
  [
    'the tasks without a group are one group',
    async (world) => {
      await putAll(world, {}, {}, {}, a, a, b);
      expect(await claimGroups(world, 6)).toEqual([null, 'a', 'b', null, 'a', null]);
    },
  ],
  [
    'a call that is refused moves no group',
    async (world) => {
      await putAll(world, {}, {});
      const late = newTask(sampleId(900), { dependsOn: [{ taskId: sampleId(901), onFailure: 'fail' }] });
      await world.checkRefused((broker) => broker.enqueue([newTask(sampleId(902), a), late]), 'INVALID_FLOW');
      expect(await claimGroups(world, 1)).toEqual([null]);
      await world.put(a);
      // Only from now on do groups take turns here: what was claimed before counts for nobody.
      expect(await claimGroups(world, 1)).toEqual([null]);
    },
  ],
  [
    'the event of a claim names its tasks in the order of their turns',
    async (world) => {
      const older = await putAll(world, a, a, a);
      world.clock.move(10);
      const ids = [...older, ...(await putAll(world, b, { ...b, name: 'other' }, b))];
      const claimed = await claimIds(world);
      expect(claimed).toEqual([0, 3, 1, 4, 2, 5].map((index) => ids[index]));
      const last = (await world.store.events()).findLast(({ kind }) => kind === 'claim');
      expect(last?.items.map(({ taskId }) => taskId)).toEqual(claimed);
    },
  ],
  [
    'priority and age order the tasks of one group, not the groups',
    async (world) => {
      const ids = await putAll(world, { ...a, priority: 9 }, { ...b, priority: 0 }, { ...a, priority: 0 }, a);
      expect(await claimIds(world)).toEqual([2, 1, 3, 0].map((index) => ids[index]));
    },
  ],
  [
    'between queues priority and age decide, as ever',
    async (world) => {
      const ids = await putAll(world, { ...a, priority: 6 }, { ...b, priority: 4 }, { queue: 'other', priority: 5 });
      const queues = ['default', 'other'].map((name) => ({ name, limit: 10 }));
      const claimed = await world.broker().claim(claimRequest(world.nextToken(), { queues }));
      // The turn of group a is first, its priority is behind that of the other queue.
      expect(claimed.map(({ task }) => task.id)).toEqual([2, 0, 1].map((index) => ids[index]));
    },
  ],
  [
    'a group that comes back has saved up no turns: it is one task ahead at most',
    async (world) => {
      await putAll(world, a, ...Array.from({ length: 10 }, () => b));
      await claimGroups(world, 6);
      await putAll(world, a, a, a);
      expect(await claimGroups(world, 6)).toEqual(['a', 'a', 'b', 'a', 'b', 'b']);
    },
  ],
  [
    'a group that is emptied and filled again does not go first each time',
    async (world) => {
      await putAll(world, ...Array.from({ length: 10 }, () => b));
      const claimed: (string | null)[] = [];
      for (let call = 0; call < 6; call += 1) {
        await world.put(a);
        claimed.push(...(await claimGroups(world, 1)));
      }
      expect(claimed.filter((group) => group === 'b')).toHaveLength(3);
    },
  ],
  [
    'a group held back by a limit has saved up no turns when it is free: it is one task ahead at most',
    async (world) => {
      const held = { group: 'a', limits: [slots('user:1', 1)] };
      const [first = ''] = await putAll(world, held, held, held, ...Array.from({ length: 10 }, () => b));
      const [claimed] = await world.broker().claim(claimRequest(world.nextToken(), { limit: 1 }));
      expect(await claimGroups(world, 6)).toEqual(['b', 'b', 'b', 'b', 'b', 'b']);
      await world.broker().configure('limit', 'user:1', { max: 100 });
      await world.settle({ id: first, token: claimed?.lease.token ?? '' }, finish('succeeded'));
      expect(await claimGroups(world, 4)).toEqual(['a', 'a', 'b', 'b']);
    },
  ],
  [
    'a group with a full limit holds back no other group, and none of its own tasks without it',
    async (world) => {
      const held = { ...one, group: 'a' };
      const ids = await putAll(world, held, held, held, a, b, { group: 'c', ...one });
      expect((await claimIds(world)).toSorted()).toEqual([0, 3, 4].map((index) => ids[index]));
    },
  ],
  [
    'the first group without a full limit is found behind many with one',
    async (world) => {
      const many = limits.claimScanMax + 300;
      const groups = Array.from({ length: many }, (_, index) =>
        newTask(sampleId(1_000 + index), { ...one, group: `g${String(index).padStart(5, '0')}` }),
      );
      for (let from = 0; from < many; from += limits.batchMax)
        await world.broker().enqueue(groups.slice(from, from + limits.batchMax));
      const last = await world.put({ id: sampleId(90_000), group: 'z' });
      const found: string[] = [];
      for (let call = 0; call < 5; call += 1) {
        const request = claimRequest(world.nextToken(), { limit: 2, queues: [{ name: 'default', limit: 2 }] });
        found.push(...(await world.broker().claim(request)).map(({ task }) => task.id));
      }
      expect(found).toEqual([sampleId(1_000), last]);
    },
  ],
  [
    'many tasks of one group are claimed in one call, each once and in order',
    async (world) => {
      const given = Array.from({ length: 600 }, (_, index) =>
        newTask(sampleId(1_000 + index), { group: ['a', 'b', 'c'][index % 3] ?? null }),
      );
      await world.broker().enqueue(given);
      const request = claimRequest(world.nextToken(), { limit: 500, queues: [{ name: 'default', limit: 500 }] });
      const claimed = await world.broker().claim(request);
      expect(claimed.map(({ task }) => task.id)).toEqual(given.slice(0, 500).map(({ id }) => id));
    },
  ],
  [
    'a full limit of another queue takes no turn from a group',
    async (world) => {
      await putAll(world, { queue: 'other', ...one }, { queue: 'other', ...one });
      const groups = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
      const given = Array.from({ length: 80 }, (_, index) =>
        newTask(sampleId(1_000 + index), { group: groups[index % 8] ?? null }),
      );
      await world.broker().enqueue(given);
      const queues = ['other', 'default'].map((name) => ({ name, limit: 40 }));
      const claimed = await world.broker().claim(claimRequest(world.nextToken(), { limit: 41, queues }));
      const served = Map.groupBy(claimed, ({ task }) => task.group);
      expect([...served].map(([group, tasks]) => `${group} ${tasks.length}`)).toEqual([
        'null 1',
        ...groups.map((group) => `${group} 5`),
      ]);
    },
  ],
  ...waysToQueue().map(
    ([way, bring]): Case => [
      `a task that is queued by ${way} takes its group's turn`,
      async (world) => {
        await world.put(b);
        const id = await bring(world);
        expect((await world.task(id)).state).toBe('queued');
        expect(await claimIds(world)).toContain(id);
      },
    ],
  ),
  [
    'a group whose tasks were cancelled or have expired stands in no way',
    async (world) => {
      const [id = ''] = await putAll(world, a, { ...b, startWithinMs: 10 });
      await world.broker().cancel({ taskIds: [id], reason: null });
      world.clock.move(10);
      const last = await world.put({ group: 'c' });
      expect(await claimIds(world)).toEqual([last]);
      expect(await claimIds(world)).toEqual([]);
    },
  ],
  [
    'a repeated claim token gives the same tasks and moves no turn',
    async (world) => {
      await putAll(world, a, a, b);
      const request = claimRequest(world.nextToken(), { limit: 1 });
      const claimed = await world.broker().claim(request);
      await world.check((broker) => broker.claim(request), claimed);
      expect(await claimGroups(world, 2)).toEqual(['b', 'a']);
    },
  ],
  [
    'a paused queue keeps its groups, and gives nothing of them',
    async (world) => {
      await putAll(world, a, b, {});
      await world.broker().configure('queue', 'default', { pause: { by: 'ada', reason: null } });
      expect(await claimIds(world)).toEqual([]);
      await world.broker().configure('queue', 'default', { pause: null });
      expect(await claimIds(world)).toHaveLength(3);
    },
  ],
  [
    'a claim that finds nothing queued any more lets the groups begin level',
    async (world) => {
      const ids = await putAll(world, a, a, b);
      await claimGroups(world, 1);
      await world.broker().cancel({ taskIds: ids.slice(1), reason: null });
      expect(await claimGroups(world, 1)).toEqual([]);
      await putAll(world, { ...b, priority: 9 }, a);
      // What was claimed before would have put the other group first.
      expect(await claimGroups(world, 1)).toEqual(['a']);
    },
  ],
  [
    'more groups than one call can clear are forgotten once nothing is queued, and begin level',
    async (world) => {
      const many = limits.batchMax + 200;
      const ids = Array.from({ length: many }, (_, index) => sampleId(1_000 + index));
      for (let from = 0; from < many; from += limits.batchMax) {
        const batch = ids.slice(from, from + limits.batchMax);
        await world.broker().enqueue(batch.map((id) => newTask(id, { group: `g${id}` })));
      }
      const all = { limit: limits.batchMax, queues: [{ name: 'default', limit: limits.batchMax }] };
      for (let call = 0; call < 3; call += 1) await world.broker().claim(claimRequest(world.nextToken(), all));
      await putAll(world, { group: `g${ids[0]}` }, { group: `g${ids[0]}` }, b, b, {});
      expect(await claimGroups(world, 5)).toEqual([null, 'b', `g${ids[0]}`, 'b', `g${ids[0]}`]);
    },
  ],
  [
    'a group without a name is refused',
    (world) =>
      world.checkRefused(
        (broker) => broker.enqueue([newTask(sampleId(8)), newTask(sampleId(9), { group: '' })]),
        'INVALID_OPTION',
      ),
  ],
  [
    'inspect counts the tasks ahead in the own group',
    async (world) => {
      const ids = await putAll(world, {}, {}, a, a, b, a);
      const facts = await world.broker().inspect([ids[1] ?? '', ids[5] ?? '', ids[4] ?? '']);
      expect(facts.map((fact) => fact?.ahead)).toEqual([1, 2, 0]);
    },
  ],
];

/** Every way into the state `queued`, for a task of a group that has none there. */
function waysToQueue(): readonly (readonly [way: string, bring: (world: World) => Promise<string>])[] {
  return [
    ['enqueue', (world) => world.put(a)],
    [
      'promote',
      async (world) => {
        const id = await world.put({ ...a, delayMs: 10 });
        world.clock.move(10);
        await world.broker().promote(10);
        return id;
      },
    ],
    [
      'settle',
      async (world) => {
        const subject = await world.bring('running', a);
        await world.settle(subject, wait('queued'));
        return subject.id;
      },
    ],
    [
      'retry',
      async (world) => {
        const { id } = await world.bring('failed', a);
        await world.broker().retry([id]);
        return id;
      },
    ],
    [
      'restore',
      async (world) => {
        const id = world.nextId();
        await world.broker().restore([storedTask(id, { ...a, state: 'queued' })]);
        return id;
      },
    ],
    [
      'an update of its queue',
      async (world) => {
        const taskId = await world.put({ ...a, queue: 'other' });
        await world.broker().update([{ taskId, version: null, patch: { queue: 'default' } }]);
        return taskId;
      },
    ],
    [
      'an update of its delay',
      async (world) => {
        const taskId = await world.put({ ...a, delayMs: 5_000 });
        await world.broker().update([{ taskId, version: null, patch: { delayMs: 0 } }]);
        return taskId;
      },
    ],
    [
      'the replacement of a waiting task',
      async (world) => {
        const given: Partial<NewTask> = { ...a, key: 'k', ifExists: 'replace' };
        await world.put(given);
        return world.put(given);
      },
    ],
  ];
}

/** The groups of what one claim gives, in order. */
async function claimGroups(world: World, limit: number): Promise<readonly (string | null)[]> {
  return (await world.broker().claim(claimRequest(world.nextToken(), { limit }))).map(({ task }) => task.group);
}

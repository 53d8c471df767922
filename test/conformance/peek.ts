/** peek: what a claim takes next, and what waits behind it. */

import { expect } from 'vitest';
import type { Peek } from '../../src/broker/broker.ts';
import { limits } from '../../src/core/limits.ts';
import { one, putAll, rated, slots } from './limit-samples.ts';
import { claimRequest, newTask, sampleId } from './samples.ts';
import type { Case, World } from './world.ts';

const nobody = { by: 'ada', reason: null };
const a = { group: 'a' };
const b = { group: 'b' };

/** Ways a queue may stand; each is looked at, claimed as it was told, opened, and claimed to its end. */
const lines: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
  'plain tasks': (world) => putAll(world, {}, {}, {}, {}),
  priorities: (world) => putAll(world, { priority: 9 }, {}, { priority: 0 }, { priority: 2 }, { priority: 0 }),
  'tasks of another queue between': (world) =>
    putAll(world, { queue: 'other', priority: 0 }, {}, { queue: 'other' }, {}),
  'groups that take turns': (world) => putAll(world, a, a, a, a, b, b, {}, {}, { group: 'c', priority: 0 }),
  'groups with weights': async (world) => {
    await world.broker().configure('group', 'a', { weight: 3 });
    await putAll(world, ...Array.from({ length: 9 }, () => a), ...Array.from({ length: 5 }, () => b), {}, {});
  },
  'groups that are under way': async (world) => {
    await world.broker().configure('group', 'b', { weight: 2 });
    await putAll(world, a, a, a, a, {}, {}, {}, b, b, b, b);
    for (let call = 0; call < 4; call += 1) await claimOne(world);
    world.clock.move(5);
    await putAll(world, { group: 'c' }, a, { group: 'c' });
  },
  'a full limit': async (world) => {
    await world.bring('running', one);
    await putAll(world, one, {}, one, { limits: [slots('two', 1)] }, { limits: [slots('two', 1)] }, {});
  },
  'full limits in groups': async (world) => {
    await world.bring('running', { ...one, group: 'a' });
    await putAll(world, { ...a, ...one }, b, { ...a, ...one }, a, { ...b, ...one }, b, {}, { ...one, group: 'c' });
  },
  'a paused limit': async (world) => {
    await putAll(world, one, {}, one, {});
    await world.broker().configure('limit', 'user:1', { pause: nobody });
  },
  'a rate': (world) => putAll(world, ...Array.from({ length: 6 }, () => ({ limits: [rated('mail', 2, 60_000)] })), {}),
  'a rate that is used up': async (world) => {
    await putAll(world, ...Array.from({ length: 6 }, () => ({ limits: [rated('mail', 2, 60_000)] })));
    await claimOne(world);
    await claimOne(world);
  },
  'a queue with a limit': async (world) => {
    await putAll(world, {}, {}, {}, {}, {});
    await world.broker().configure('queue', 'default', { max: 2 });
  },
  'a queue with a rate, and groups': async (world) => {
    await putAll(world, a, a, a, b, b, {});
    await world.broker().configure('queue', 'default', { rate: { count: 3, perMs: 60_000 } });
  },
  'a paused queue': async (world) => {
    await putAll(world, {}, one, { priority: 0 }, one);
    await world.broker().configure('queue', 'default', { pause: nobody });
  },
  'a paused queue with groups': async (world) => {
    await putAll(world, a, a, a, b, {}, b);
    await world.broker().configure('queue', 'default', { pause: nobody });
  },
  'a paused group': async (world) => {
    await putAll(world, a, a, a, b, {}, b, { group: 'c' }, b);
    await world.broker().configure('group', 'a', { pause: nobody, weight: 2 });
    await putAll(world, a, b);
  },
  'delayed tasks that have become due': async (world) => {
    await putAll(world, { delayMs: 10 }, {}, { delayMs: 5 }, { delayMs: 5, priority: 0 });
    world.clock.move(10);
    await world.broker().promote(10);
  },
  'tasks past their deadlines between': async (world) => {
    await putAll(world, { startWithinMs: 5 }, {}, { expiresInMs: 5, group: 'a' }, a);
    world.clock.move(5);
  },
  'many that came in one call': async (world) => {
    await world.put({ priority: 9 });
    await world.put({ priority: 0 });
    await world.broker().enqueue(Array.from({ length: 250 }, (_, at) => newTask(sampleId(5_000 + at))));
    await putAll(world, { priority: 9 }, one, one, { priority: 4 });
  },
  'many that came in one call, behind groups and a full limit': async (world) => {
    await world.bring('running', one);
    await world.broker().enqueue(Array.from({ length: 130 }, (_, at) => newTask(sampleId(5_000 + at))));
    await putAll(world, a, a, { ...b, ...one }, b, { ...one, priority: 0 }, { priority: 9 });
  },
  'more groups than are read at once': async (world) => {
    const given = Array.from({ length: 300 }, (_, at) => ({ group: `g${at % 150}` }));
    await world.broker().enqueue(given.map((each, at) => newTask(sampleId(5_000 + at), each)));
    await world.broker().configure('group', 'g7', { pause: nobody });
    for (let call = 0; call < 3; call += 1) await claimOne(world);
  },
};

const agreeing: readonly Case[] = Object.entries(lines).flatMap(([words, arrange]) =>
  [3, limits.peekMax].map(
    (limit): Case => [
      `${words}: the first ${limit} are claimed in the order that was told, and nothing has changed before`,
      async (world) => {
        await arrange(world);
        const { next, held } = await look(world, limit);
        expect(new Set([...next, ...held]).size).toBe(next.length + held.length);
        expect(next.length + held.length).toBe(Math.min(limit, await countQueued(world)));
        for (const id of next) expect(await claimOne(world)).toEqual([id]);
        if (next.length < limit) expect(await claimOne(world)).toEqual([]);
        await openAll(world);
        for (const id of held) expect(await claimOne(world)).toEqual([id]);
      },
    ],
  ),
);

export const peekCases: readonly Case[] = [
  ...agreeing,
  [
    'one claim of as many takes the same',
    async (world) => {
      await world.bring('running', one);
      await putAll(world, a, { ...a, ...one }, b, {}, { ...one, priority: 0 }, a, a, b, b);
      const { next } = await look(world, 5);
      const queues = [{ name: 'default', limit: 5 }];
      const claimed = await world.broker().claim(claimRequest(world.nextToken(), { queues, limit: 5 }));
      expect(claimed.map(({ task }) => task.id)).toEqual(next);
    },
  ],
  [
    'scheduled tasks of the queue come last, by their time, and only where there is room',
    async (world) => {
      const [late, soon, , now] = await putAll(world, { delayMs: 20 }, { delayMs: 10 }, { delayMs: 5, queue: 'b' }, {});
      expect(await look(world, 10)).toEqual({ next: [now], held: [], scheduled: [soon, late] });
      expect(await look(world, 2)).toEqual({ next: [now], held: [], scheduled: [soon] });
      world.clock.move(10);
      expect(await look(world, 10)).toEqual({ next: [now], held: [], scheduled: [soon, late] });
    },
  ],
  [
    'a task that was put off is among the scheduled ones',
    async (world) => {
      const id = await world.put();
      const other = await world.put({ delayMs: 5_000 });
      const patch = { delayMs: 9_000 };
      await world.broker().update([{ taskId: id, version: null, patch }]);
      expect(await look(world, 10)).toEqual({ next: [], held: [], scheduled: [other, id] });
    },
  ],
  [
    'a queue that nobody knows, and a limit of nothing, have nothing to tell',
    async (world) => {
      await world.put();
      const nothing: Peek = { next: [], held: [], scheduled: [] };
      expect(await world.broker().peek('unseen', 10)).toEqual(nothing);
      expect(await world.broker().peek('default', 0)).toEqual(nothing);
    },
  ],
  [
    'never more than the most are told',
    async (world) => {
      const ids = Array.from({ length: limits.peekMax + 20 }, (_, at) => sampleId(1_000 + at));
      await world.broker().enqueue(ids.map((id) => newTask(id)));
      expect((await look(world, 1_000)).next).toEqual(ids.slice(0, limits.peekMax));
    },
  ],
  [
    'a limit that nobody has used yet is not known behind a look',
    async (world) => {
      const id = await world.put({ limits: [slots('fresh', 1)] });
      await world.check((broker) => broker.peek('default', 5), { next: [id], held: [], scheduled: [] });
      expect(await world.broker().getLimits(null, 10)).toEqual([]);
    },
  ],
  [
    'behind very many with a full limit it finds what a claim finds',
    async (world) => {
      await world.bring('running', one);
      const many = limits.claimScanMax + 500;
      const tasks = Array.from({ length: many }, (_, at) => newTask(sampleId(10_000 + at), one));
      for (let from = 0; from < many; from += limits.batchMax)
        await world.broker().enqueue(tasks.slice(from, from + limits.batchMax));
      const free = await world.put({ id: sampleId(90_000) });
      const { next, held } = await look(world, 4);
      expect({ next, held }).toEqual({ next: [free], held: [0, 1, 2].map((at) => sampleId(10_000 + at)) });
      expect(await claimOne(world)).toEqual([free]);
    },
  ],
];

/** Looks, and checks that nothing is different by it. */
async function look(world: World, limit: number): Promise<Peek> {
  const before = await world.dump();
  const events = await world.store.events();
  const told = await world.broker().peek('default', limit);
  expect(await world.dump()).toEqual(before);
  expect(await world.store.events()).toEqual(events);
  expect(await world.broker().peek('default', limit)).toEqual(told);
  return told;
}

async function claimOne(world: World): Promise<readonly string[]> {
  const queues = [{ name: 'default', limit: 1 }];
  const claimed = await world.broker().claim(claimRequest(world.nextToken(), { queues, limit: 1 }));
  return claimed.map(({ task }) => task.id);
}

/** Queued and not past a deadline. */
async function countQueued(world: World): Promise<number> {
  const { tasks } = await world.dump();
  const { now } = await world.broker().info();
  return Object.values(tasks).filter(
    ({ queue, state, startBy, expiresAt }) =>
      queue === 'default' && state === 'queued' && (startBy ?? Infinity) > now && (expiresAt ?? Infinity) > now,
  ).length;
}

/** Resumes everything, and lets every limit have room. */
async function openAll(world: World): Promise<void> {
  const open = { max: 1_000, rate: { count: 1_000, perMs: 1 }, pause: null };
  for (const name of ['user:1', 'two', 'mail']) await world.broker().configure('limit', name, open);
  for (const name of ['a', 'g7']) await world.broker().configure('group', name, { pause: null });
  await world.broker().configure('queue', 'default', open);
}

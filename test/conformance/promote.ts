/** promote: due tasks become claimable, the oldest first, a bounded number at once. */

import { expect } from 'vitest';
import { startAt, wait } from './samples.ts';
import type { Case } from './world.ts';

export const promoteCases: readonly Case[] = [
  [
    'a task is promoted the moment it is due, not before',
    async (world) => {
      const id = await world.put({ delayMs: 100 });
      world.clock.move(99);
      expect(await world.broker().promote(10)).toEqual({ promoted: 0, nextInMs: 1 });
      world.clock.move(1);
      await world.check((broker) => broker.promote(10), { promoted: 1, nextInMs: null }, { [id]: { state: 'queued' } });
    },
  ],
  [
    'the first due come first, and the rest is for the next call',
    async (world) => {
      const [c, a, b] = [
        await world.put({ delayMs: 30 }),
        await world.put({ delayMs: 10 }),
        await world.put({ delayMs: 20, priority: 0 }),
      ];
      world.clock.move(50);
      expect(await world.broker().promote(2)).toEqual({ promoted: 2, nextInMs: 0 });
      expect((await world.broker().getTasks([a, b, c])).map((task) => task?.state)).toEqual([
        'queued',
        'queued',
        'scheduled',
      ]);
      expect(await world.broker().promote(2)).toEqual({ promoted: 1, nextInMs: null });
    },
  ],
  [
    'the answer says when the next task is due, waiting ones apart',
    async (world) => {
      await world.put({ delayMs: 40 });
      await world.put({ delayMs: 10 });
      await world.put({ delayMs: 70 });
      await world.put();
      world.clock.move(15);
      expect(await world.broker().promote(10)).toEqual({ promoted: 1, nextInMs: 25 });
      expect(await world.broker().promote(10)).toEqual({ promoted: 0, nextInMs: 25 });
    },
  ],
  [
    'tasks due at one time are promoted in the order of their ids',
    async (world) => {
      const [a, b] = [await world.put({ delayMs: 10 }), await world.put({ delayMs: 10 })];
      world.clock.move(10);
      await world.broker().promote(1);
      expect((await world.broker().getTasks([a, b])).map((task) => task?.state)).toEqual(['queued', 'scheduled']);
    },
  ],
  [
    'a promoted retry has no reason any more and keeps its due time',
    async (world) => {
      const subject = await world.bring('running');
      await world.settle(subject, wait('scheduled', { delayMs: 1_000 }));
      world.clock.move(5_000);
      await world.check(
        (broker) => broker.promote(10),
        { promoted: 1, nextInMs: null },
        { [subject.id]: { state: 'queued', reason: null } },
      );
      expect(await world.task(subject.id)).toMatchObject({ dueAt: startAt + 1_000 });
    },
  ],
  [
    'a paused queue is promoted all the same',
    async (world) => {
      await world.put({ delayMs: 1 });
      await world.broker().configure('queue', 'default', { pause: { by: 'ada', reason: null } });
      world.clock.move(1);
      expect(await world.broker().promote(10)).toEqual({ promoted: 1, nextInMs: null });
    },
  ],
  [
    'ten promoters at once promote each task once',
    async (world) => {
      for (let count = 0; count < 25; count++) await world.put({ delayMs: 1 });
      world.clock.move(1);
      const promoted = await Promise.all(Array.from({ length: 10 }, () => world.broker().promote(4)));
      expect(promoted.reduce((sum, answer) => sum + answer.promoted, 0)).toBe(25);
    },
  ],
  [
    'a limit of none promotes nothing',
    async (world) => {
      await world.put({ delayMs: 1 });
      world.clock.move(1);
      await world.check((broker) => broker.promote(0), { promoted: 0, nextInMs: 0 });
    },
  ],
];

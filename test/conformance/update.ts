/** update: a person changes what waits. */

import { expect } from 'vitest';
import { startAt, wait } from './samples.ts';
import type { Case } from './world.ts';

export const updateCases: readonly Case[] = [
  [
    'every field of a patch is stored',
    async (world) => {
      const id = await world.put({ tags: ['old'] });
      const patch = { queue: 'other', priority: 1, tags: ['new', 'er'], delayMs: 10, limits: [] };
      await world.check(
        (broker) => broker.update([{ taskId: id, version: 1, patch }]),
        [{ outcome: 'updated', state: 'scheduled' }],
        {
          [id]: { queue: 'other', priority: 1, tags: ['new', 'er'], dueAt: startAt + 10, state: 'scheduled' },
        },
      );
    },
  ],
  [
    'an empty patch is a change too',
    async (world) => {
      const id = await world.put();
      await world.check(
        (broker) => broker.update([{ taskId: id, version: 1, patch: {} }]),
        [{ outcome: 'updated', state: 'queued' }],
        { [id]: {} },
      );
    },
  ],
  [
    'without a version every change is accepted',
    async (world) => {
      const id = await world.put();
      for (const priority of [3, 4]) await world.broker().update([{ taskId: id, version: null, patch: { priority } }]);
      expect(await world.task(id)).toMatchObject({ priority: 4, version: 3 });
    },
  ],
  [
    'in one batch the second change of a task must know the first',
    async (world) => {
      const taskId = await world.put();
      const results = await world.broker().update([
        { taskId, version: 1, patch: { priority: 3 } },
        { taskId, version: 1, patch: { priority: 4 } },
        { taskId, version: 2, patch: { priority: 6 } },
      ]);
      expect(results).toEqual([
        { outcome: 'updated', state: 'queued' },
        { outcome: 'changed', version: 2 },
        { outcome: 'updated', state: 'queued' },
      ]);
      expect(await world.task(taskId)).toMatchObject({ priority: 6, version: 3 });
    },
  ],
  [
    'run now makes a scheduled retry claimable',
    async (world) => {
      const subject = await world.bring('running');
      await world.settle(subject, wait('scheduled', { delayMs: 60_000 }));
      await world.broker().update([{ taskId: subject.id, version: null, patch: { delayMs: 0 } }]);
      expect(await world.claimAll()).toMatchObject([{ task: { id: subject.id } }]);
    },
  ],
  [
    'a change of time leaves deadline and life alone',
    async (world) => {
      const id = await world.put({ startWithinMs: 5, expiresInMs: 50 });
      await world.broker().update([{ taskId: id, version: null, patch: { delayMs: 1_000 } }]);
      expect(await world.task(id)).toMatchObject({
        startBy: startAt + 5,
        expiresAt: startAt + 50,
        dueAt: startAt + 1_000,
      });
    },
  ],
  [
    'a moved task is claimed from its new queue, and counted there',
    async (world) => {
      const id = await world.put({ queue: 'a' });
      await world.broker().update([{ taskId: id, version: null, patch: { queue: 'default' } }]);
      expect((await world.dump()).counts).toEqual({ 'default / mail.send / queued': 1 });
      expect(await world.claimAll()).toMatchObject([{ task: { id } }]);
    },
  ],
];

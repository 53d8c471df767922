/** remove: finished tasks go at once, with all they left. */

import { expect } from 'vitest';
import type { Case } from './world.ts';

export const removeCases: readonly Case[] = [
  [
    'each task of a batch has its own answer',
    async (world) => {
      const [succeeded, queued] = [await world.bring('succeeded'), await world.bring('queued')];
      const ids = [world.nextId(), queued.id, succeeded.id, succeeded.id];
      await world.check(
        (broker) => broker.remove(ids),
        [
          { outcome: 'unknown' },
          { outcome: 'already', state: 'queued' },
          { outcome: 'removed' },
          { outcome: 'unknown' },
        ],
        { [succeeded.id]: null },
      );
    },
  ],
  [
    'attempts, logs and counts go with it',
    async (world) => {
      const { id } = await world.bring('failed');
      await world.broker().remove([id]);
      expect(await world.store.record(id)).toEqual({ attempts: [], logs: [] });
      expect((await world.dump()).counts).toEqual({});
    },
  ],
  [
    'the key that another task has taken meanwhile stays',
    async (world) => {
      const { id } = await world.bring('failed', { key: 'k' });
      const holder = await world.put({ key: 'k' });
      await world.broker().remove([id]);
      expect((await world.dump()).keys).toEqual({ k: { taskId: holder, until: null } });
    },
  ],
  [
    'a queue without tasks and settings is not listed any more',
    async (world) => {
      const { id } = await world.bring('succeeded');
      await world.broker().remove([id]);
      expect(await world.broker().getQueues()).toEqual([]);
    },
  ],
];

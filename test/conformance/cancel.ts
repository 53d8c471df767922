/** cancel: what waits ends at once, what runs is asked to. */

import { expect } from 'vitest';
import { startAt, wait } from './samples.ts';
import type { Case } from './world.ts';

export const cancelCases: readonly Case[] = [
  [
    'each task of a batch has its own answer',
    async (world) => {
      const [queued, running, failed] = [
        await world.bring('queued', { queue: 'q' }),
        await world.bring('running'),
        await world.bring('failed'),
      ];
      const unknown = world.nextId();
      expect(
        await world.broker().cancel({ taskIds: [unknown, failed.id, running.id, queued.id], reason: null }),
      ).toEqual([
        { outcome: 'unknown' },
        { outcome: 'already', state: 'failed' },
        { outcome: 'requested' },
        { outcome: 'cancelled' },
      ]);
      expect(
        (await world.store.events())
          .slice(-2)
          .map(({ kind }) => kind)
          .sort(),
      ).toEqual(['cancel', 'cancelRequest']);
    },
  ],
  [
    'the same task twice in one batch is cancelled once',
    async (world) => {
      const [waiting, running] = [await world.put({ queue: 'q' }), (await world.bring('running')).id];
      expect(await world.broker().cancel({ taskIds: [waiting, waiting, running, running], reason: null })).toEqual([
        { outcome: 'cancelled' },
        { outcome: 'already', state: 'cancelled' },
        { outcome: 'requested' },
        { outcome: 'requested' },
      ]);
    },
  ],
  [
    'a second request leaves time and words of the first',
    async (world) => {
      const { id } = await world.bring('running');
      await world.broker().cancel({ taskIds: [id], reason: 'first' });
      world.clock.move(10);
      await world.check((broker) => broker.cancel({ taskIds: [id], reason: 'second' }), [{ outcome: 'requested' }]);
      expect(await world.task(id)).toMatchObject({ cancelRequestedAt: startAt, cancelReason: 'first' });
    },
  ],
  [
    'a cancelled task that waited for a retry keeps its last error',
    async (world) => {
      const subject = await world.bring('running');
      await world.settle(subject, wait('scheduled'));
      await world.broker().cancel({ taskIds: [subject.id], reason: null });
      expect(await world.task(subject.id)).toMatchObject({
        state: 'cancelled',
        reason: 'user',
        error: { name: 'Error' },
        cancelRequestedAt: null,
      });
    },
  ],
  [
    'a cancelled task frees its key for the next',
    async (world) => {
      const id = await world.put({ key: 'k', keyForMs: 1_000 });
      await world.broker().cancel({ taskIds: [id], reason: null });
      await world.put({ key: 'k', ifExists: 'error' });
    },
  ],
  [
    'a request survives a reopening',
    async (world) => {
      const { id } = await world.bring('running');
      await world.broker().cancel({ taskIds: [id], reason: 'why' });
      await world.reopen();
      expect(await world.task(id)).toMatchObject({ cancelRequestedAt: startAt, cancelReason: 'why' });
    },
  ],
];

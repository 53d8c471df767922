/** retry: a person's new beginning for what is finished. */

import { expect } from 'vitest';
import { beat, claimRequest, finish, heartbeatRequest, settlement, startAt, storedTask } from './samples.ts';
import type { Case } from './world.ts';

export const retryCases: readonly Case[] = [
  [
    'everything of the former generation is cleared but its epoch',
    async (world) => {
      const { id, token } = await world.bring('running', { startWithinMs: 9_000, expiresInMs: 90_000, timeoutMs: 7 });
      const news = { ranMs: 0, progress: { done: 1, total: 2, note: null }, checkpoints: [{ name: 'a', value: '1' }] };
      await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 }, news)]));
      await world.broker().cancel({ taskIds: [id], reason: 'why' });
      await world.broker().settle([settlement(id, token, finish('failed', { charge: 'crash' }), { ranMs: null })]);
      world.clock.move(1_000);
      await world.broker().retry([id]);
      const { name, queue, payload, policy, keepMs, timeoutMs } = await world.task(id);
      expect(await world.task(id)).toEqual(
        storedTask(id, {
          name,
          queue,
          payload,
          policy,
          keepMs,
          timeoutMs,
          state: 'queued',
          reason: 'retry',
          generation: 2,
          version: 5,
          epoch: 1,
          dueAt: startAt + 1_000,
        }),
      );
    },
  ],
  [
    'generations count on',
    async (world) => {
      const { id } = await world.bring('failed');
      for (const generation of [2, 3, 4]) {
        expect(await world.broker().retry([id])).toEqual([{ outcome: 'queued', generation }]);
        const [claimed] = await world.claimAll();
        await world.settle({ id, token: claimed!.lease.token }, finish('failed'));
      }
      expect(await world.task(id)).toMatchObject({ epoch: 4, generation: 4, attempt: 1 });
    },
  ],
  [
    'a key that another task holds meanwhile is a conflict',
    async (world) => {
      const { id } = await world.bring('failed', { key: 'k' });
      const of = await world.put({ key: 'k' });
      await world.check((broker) => broker.retry([id]), [{ outcome: 'conflict', of }]);
    },
  ],
  [
    'a key that was free again in between is taken again',
    async (world) => {
      const { id } = await world.bring('failed', { key: 'k' });
      const between = await world.put({ key: 'k' });
      await world.broker().cancel({ taskIds: [between], reason: null });
      await world.broker().retry([id]);
      expect((await world.dump()).keys).toEqual({ k: { taskId: id, until: null } });
    },
  ],
  [
    'of two tasks with one key in a batch the first is retried',
    async (world) => {
      const [a, b] = [(await world.bring('failed', { key: 'k' })).id, (await world.bring('failed', { key: 'k' })).id];
      expect(await world.broker().retry([b, a])).toEqual([
        { outcome: 'queued', generation: 2 },
        { outcome: 'conflict', of: b },
      ]);
    },
  ],
  [
    'the same task twice in one batch is retried once',
    async (world) => {
      const { id } = await world.bring('cancelled');
      expect(await world.broker().retry([id, id])).toEqual([
        { outcome: 'queued', generation: 2 },
        { outcome: 'already', state: 'queued' },
      ]);
    },
  ],
  [
    'attempts and logs of the former generation stay readable',
    async (world) => {
      const { id } = await world.bring('failed');
      await world.broker().retry([id]);
      expect((await world.store.record(id)).attempts).toMatchObject([{ epoch: 1, to: 'failed' }]);
    },
  ],
  [
    'the lease of the former generation is worth nothing in the next',
    async (world) => {
      const { id, token } = await world.bring('failed');
      await world.broker().retry([id]);
      await world.broker().claim(claimRequest(world.nextToken()));
      expect((await world.broker().settle([settlement(id, token, finish('succeeded'))])).results).toEqual([
        { outcome: 'stale' },
      ]);
    },
  ],
];

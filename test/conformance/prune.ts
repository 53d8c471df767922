/** prune: what is past its retention goes, a bounded number at once. */

import { expect } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import { claimRequest, finish, heartbeatRequest, presence, settlement } from './samples.ts';
import type { Case } from './world.ts';

export const pruneCases: readonly Case[] = [
  [
    'the verdict says how long a task is kept, to the millisecond',
    async (world) => {
      const subject = await world.bring('running', { keepMs: 5 });
      await world.settle(subject, finish('succeeded', { keepMs: 50 }));
      world.clock.move(49);
      await world.check((broker) => broker.prune(10), 0);
      world.clock.move(1);
      await world.check((broker) => broker.prune(10), 1, { [subject.id]: null });
    },
  ],
  [
    'a task cancelled by a person is kept for its own time',
    async (world) => {
      const id = await world.put({ keepMs: 5 });
      await world.broker().cancel({ taskIds: [id], reason: null });
      world.clock.move(5);
      await world.check((broker) => broker.prune(10), 1, { [id]: null });
    },
  ],
  [
    'at most the limit goes in one call',
    async (world) => {
      for (let count = 0; count < 5; count++) await world.bring('succeeded');
      world.clock.move(1_000_000);
      expect([await world.broker().prune(2), await world.broker().prune(0), await world.broker().prune(10)]).toEqual([
        2, 0, 3,
      ]);
      expect((await world.dump()).counts).toEqual({});
    },
  ],
  [
    'of tasks that ended together at most the limit goes, and who was retried since is kept from its own end on',
    async (world) => {
      for (let count = 0; count < 5; count++) await world.put();
      const claimed = await world.claimAll();
      const ends = claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded', { keepMs: 50 })));
      await world.broker().settle(ends);
      const [retried = '', waits = ''] = claimed.map(({ task }) => task.id);
      await world.broker().retry([retried, waits]);
      world.clock.move(20);
      const again = { id: retried, token: world.nextToken(), epoch: 2 };
      await world.broker().claim(claimRequest(again.token, { limit: 1 }));
      await world.settle(again, finish('succeeded', { keepMs: 50 }));
      world.clock.move(30);
      expect([await world.broker().prune(2), await world.broker().prune(10)]).toEqual([2, 1]);
      await world.check((broker) => broker.prune(10), 0);
      world.clock.move(20);
      await world.check((broker) => broker.prune(10), 1, { [retried]: null });
    },
  ],
  [
    'attempts and logs go with the task',
    async (world) => {
      const { id } = await world.bring('failed');
      world.clock.move(1_000_000);
      await world.broker().prune(10);
      expect(await world.store.record(id)).toEqual({ attempts: [], logs: [] });
    },
  ],
  [
    'a retried task is not pruned by its former end',
    async (world) => {
      const { id } = await world.bring('failed');
      await world.broker().retry([id]);
      world.clock.move(100_000_000);
      expect(await world.broker().prune(10)).toBe(0);
    },
  ],
  [
    'a process silent for three times its time goes, one that beats stays',
    async (world) => {
      await world.broker().heartbeat(heartbeatRequest([]));
      world.clock.move(1);
      await world.broker().heartbeat(heartbeatRequest([], { worker: presence({ workerId: 'worker-2' }) }));
      world.clock.move(3 * limits.presenceMs - 1);
      await world.check((broker) => broker.prune(10), 0, { 'worker worker-1': null });
    },
  ],
  [
    'a pruned id may be enqueued again',
    async (world) => {
      const { id } = await world.bring('succeeded');
      world.clock.move(1_000_000);
      await world.broker().prune(10);
      await world.put({ id, payload: '"another"' });
    },
  ],
  [
    'old events go, new ones stay; an outbox keeps all for its reader',
    async (world) => {
      const old = await world.put();
      world.clock.move(limits.eventsKeepMs);
      const id = await world.put();
      await world.broker().prune(10);
      const kept = world.broker().outbox === undefined ? [id] : [old, id];
      expect((await world.store.events()).flatMap(({ items }) => items.map(({ taskId }) => taskId))).toEqual(kept);
    },
  ],
];

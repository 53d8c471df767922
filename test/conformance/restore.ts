/** restore: tasks arrive as they are. */

import { expect } from 'vitest';
import { finish, leaseMs, overdueRequest, settlement, startAt, storedTask } from './samples.ts';
import type { Case } from './world.ts';

const rich = {
  version: 12,
  epoch: 4,
  attempt: 2,
  generation: 3,
  crashes: 1,
  interruptions: 2,
  snoozes: 5,
  priority: 1,
  payload: '[1]',
  key: 'k',
  tags: ['t'],
  progress: { done: 1, total: 3, note: 'one' },
  checkpoints: [{ name: 'a', value: '1' }],
  cancelReason: null,
  startBy: startAt + 9,
  expiresAt: startAt + 99,
  error: { name: 'E', message: 'm', stack: null, fingerprint: 'f' },
  createdAt: startAt - 1_000,
  dueAt: startAt - 500,
} as const;

export const restoreCases: readonly Case[] = [
  [
    'every field is stored as it is',
    async (world) => {
      const task = storedTask(world.nextId(), { ...rich, state: 'scheduled', reason: 'error' });
      await world.check((broker) => broker.restore([task]), 1, {
        [task.id]: task,
        'key k': { taskId: task.id, until: null },
      });
    },
  ],
  [
    'a known id is left alone and the others arrive',
    async (world) => {
      const known = await world.put();
      const fresh = storedTask(world.nextId(), { state: 'queued' });
      await world.check((broker) => broker.restore([storedTask(known, { version: 50 }), fresh]), 1, {
        [fresh.id]: fresh,
      });
    },
  ],
  [
    'a restored running task has no lease that anybody could report on, and is reaped',
    async (world) => {
      const running = {
        state: 'running',
        workerId: 'w',
        claimedAt: startAt,
        leaseUntil: startAt + leaseMs,
        epoch: 1,
        attempt: 1,
      } as const;
      const task = storedTask(world.nextId(), running);
      await world.broker().restore([task]);
      expect(
        (await world.broker().settle([settlement(task.id, world.nextToken(), finish('succeeded'))])).results,
      ).toEqual([{ outcome: 'stale' }]);
      world.clock.move(leaseMs);
      expect(await world.broker().claimOverdue(overdueRequest(world.nextToken()))).toMatchObject([
        { reason: 'lease_expired' },
      ]);
    },
  ],
  [
    'a held key stays with its holder',
    async (world) => {
      const holder = await world.put({ key: 'k' });
      const task = storedTask(world.nextId(), { key: 'k', state: 'queued' });
      await world.check((broker) => broker.restore([task]), 1, { [task.id]: task });
      expect((await world.dump()).keys).toEqual({ k: { taskId: holder, until: null } });
    },
  ],
  [
    'a success keeps its key for the rest of its time',
    async (world) => {
      const task = storedTask(world.nextId(), {
        key: 'k',
        keyForMs: 1_000,
        state: 'succeeded',
        finishedAt: startAt - 400,
        pruneAt: startAt + 5,
      });
      await world.check((broker) => broker.restore([task]), 1, {
        [task.id]: task,
        'key k': { taskId: task.id, until: startAt + 600 },
      });
    },
  ],
  [
    'a success whose key time is over has no key',
    async (world) => {
      const task = storedTask(world.nextId(), {
        key: 'k',
        keyForMs: 1_000,
        state: 'succeeded',
        finishedAt: startAt - 1_000,
        pruneAt: startAt + 5,
      });
      await world.check((broker) => broker.restore([task]), 1, { [task.id]: task });
    },
  ],
  [
    'a task that let go of its key when it was claimed does not take it again',
    async (world) => {
      const task = storedTask(world.nextId(), {
        key: 'k',
        ifExists: 'debounce',
        state: 'scheduled',
        attempt: 1,
        epoch: 1,
      });
      await world.check((broker) => broker.restore([task]), 1, { [task.id]: task });
    },
  ],
  [
    'restored work is claimed like any other',
    async (world) => {
      const id = world.nextId();
      await world.broker().restore([storedTask(id, { state: 'queued', epoch: 6, attempt: 2, version: 20 })]);
      expect(await world.claimAll()).toMatchObject([{ task: { id, epoch: 7, attempt: 3, version: 21 } }]);
    },
  ],
];

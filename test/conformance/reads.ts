/** getTasks, getQueues, getWorkers, inspect. */

import { expect } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import type { Definition } from '../../src/core/presence.ts';
import { heartbeatRequest, newTask, presence, startAt, storedTask, wait } from './samples.ts';
import type { Case } from './world.ts';

const definition: Definition = {
  name: 'mail.send',
  description: null,
  queue: 'default',
  inputSchema: null,
  schemaVersion: 's2',
  policy: '{}',
  timeoutMs: null,
  key: null,
  keyForMs: null,
  ifExists: 'return',
  group: null,
  file: null,
};

export const readCases: readonly Case[] = [
  [
    'tasks come in the order they are asked for, unknown and repeated ones too',
    async (world) => {
      const [a, b, unknown] = [await world.put(), await world.put(), world.nextId()];
      const tasks = await world.broker().getTasks([b, unknown, a, b]);
      expect(tasks.map((task) => task?.id ?? null)).toEqual([b, null, a, b]);
    },
  ],
  [
    'queues come by name, with the counts of every view',
    async (world) => {
      const views = [
        { state: 'scheduled', attempt: 1 },
        { state: 'scheduled' },
        { state: 'queued' },
        { state: 'queued' },
        { state: 'cancelled', reason: 'expired' },
        { state: 'cancelled', reason: 'user' },
        { state: 'failed', reason: 'crash_loop' },
        { state: 'failed', reason: 'error' },
        { state: 'blocked' },
      ] as const;
      const ended = { finishedAt: startAt, pruneAt: startAt + 1 };
      await world
        .broker()
        .restore(
          views.map((view) => storedTask(world.nextId(), { epoch: 1, ...view, ...('reason' in view && ended) })),
        );
      await world.put({ queue: 'a', name: 'other' });
      expect(await world.broker().getQueues()).toEqual([
        { name: 'a', pause: null, max: null, rate: null, counts: { queued: 1 }, oldestDueAt: startAt },
        {
          name: 'default',
          pause: null,
          max: null,
          rate: null,
          oldestDueAt: startAt,
          counts: {
            retrying: 1,
            scheduled: 1,
            queued: 2,
            expired: 1,
            cancelled: 1,
            quarantined: 1,
            failed: 1,
            blocked: 1,
          },
        },
      ]);
    },
  ],
  [
    'the counts of a queue add its task names up',
    async (world) => {
      for (const name of ['a', 'b', 'b']) await world.put({ name });
      expect(await world.broker().getQueues()).toMatchObject([{ counts: { queued: 3 } }]);
    },
  ],
  [
    'the oldest due time is that of a queued task',
    async (world) => {
      await world.put({ delayMs: 5 });
      expect(await world.broker().getQueues()).toMatchObject([{ oldestDueAt: null }]);
      world.clock.move(10);
      await world.put();
      await world.broker().promote(1);
      expect(await world.broker().getQueues()).toMatchObject([{ oldestDueAt: startAt + 5 }]);
    },
  ],
  [
    'workers come by id',
    async (world) => {
      for (const workerId of ['w2', 'w10', 'w1'])
        await world.broker().heartbeat(heartbeatRequest([], { worker: presence({ workerId }) }));
      expect((await world.broker().getWorkers()).map(({ workerId }) => workerId)).toEqual(['w1', 'w10', 'w2']);
    },
  ],
  [
    'the facts of a waiting task name pause, place and workers',
    async (world) => {
      const [, , id] = [await world.put(), await world.put({ priority: 0 }), await world.put(), await world.put()];
      await world.put({ queue: 'other', priority: 0 });
      await world.broker().configure('queue', 'default', { pause: { by: 'ada', reason: null } });
      await world
        .broker()
        .heartbeat(heartbeatRequest([], { worker: presence({ definitions: [definition], running: 2 }) }));
      const [facts] = await world.broker().inspect([id]);
      expect(facts).toEqual({
        now: startAt,
        task: await world.task(id),
        pause: { by: 'ada', reason: null, at: startAt },
        ahead: 2,
        parents: [],
        parentsLeft: 0,
        children: [],
        limits: [],
        queueLimit: null,
        turn: { group: null, weight: 1, pause: null, ahead: 0, first: null },
        workers: [
          {
            workerId: 'worker-1',
            name: 'ada',
            queues: ['default'],
            concurrency: 10,
            running: 2,
            state: 'ready',
            taskNames: ['mail.send'],
            schemaVersion: 's2',
          },
        ],
      });
    },
  ],
  [
    'the facts name living workers of any queue, not servers and not the silent',
    async (world) => {
      await world.broker().heartbeat(heartbeatRequest([], { worker: presence({ workerId: 'silent' }) }));
      world.clock.move(limits.presenceMs);
      await world
        .broker()
        .heartbeat(heartbeatRequest([], { worker: presence({ workerId: 'server', server: true, queues: {} }) }));
      await world
        .broker()
        .heartbeat(heartbeatRequest([], { worker: presence({ workerId: 'elsewhere', queues: { other: 1 } }) }));
      const [facts] = await world.broker().inspect([await world.put()]);
      expect(facts?.workers).toMatchObject([{ workerId: 'elsewhere', queues: ['other'], schemaVersion: null }]);
    },
  ],
  [
    'tasks ahead are counted up to the limit',
    async (world) => {
      await world.broker().enqueue(Array.from({ length: 1_000 }, () => newTask(world.nextId())));
      const ids = [await world.put(), await world.put()];
      expect((await world.broker().inspect(ids)).map((facts) => facts?.ahead)).toEqual([1_000, limits.aheadMax]);
    },
  ],
  [
    'a task that is not queued has none ahead',
    async (world) => {
      const subject = await world.bring('running');
      await world.settle(subject, wait('scheduled'));
      await world.put();
      expect(await world.broker().inspect([subject.id, world.nextId()])).toMatchObject([{ ahead: 0 }, null]);
    },
  ],
];

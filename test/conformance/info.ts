/** open, close and info. */

import { expect } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { repeat } from '../integration/lost-replies.ts';
import { claimRequest, heartbeatRequest, newTask, overdueRequest, sampleId, startAt } from './samples.ts';
import type { Case } from './world.ts';

const everyCall: Readonly<Record<string, (broker: Broker) => Promise<unknown>>> = {
  info: (broker) => broker.info(),
  enqueue: (broker) => broker.enqueue([]),
  restore: (broker) => broker.restore([]),
  claim: (broker) => broker.claim(claimRequest('t')),
  heartbeat: (broker) => broker.heartbeat(heartbeatRequest([])),
  settle: (broker) => broker.settle([]),
  promote: (broker) => broker.promote(1),
  claimOverdue: (broker) => broker.claimOverdue(overdueRequest('t')),
  prune: (broker) => broker.prune(1),
  cancel: (broker) => broker.cancel({ taskIds: [], reason: null }),
  retry: (broker) => broker.retry([]),
  remove: (broker) => broker.remove([]),
  update: (broker) => broker.update([]),
  configure: (broker) => broker.configure('queue', 'q', {}),
  getTasks: (broker) => broker.getTasks([]),
  getQueues: (broker) => broker.getQueues(),
  getWorkers: (broker) => broker.getWorkers(),
  inspect: (broker) => broker.inspect([]),
  'schedules.put': (broker) => broker.schedules.put([]),
  'schedules.delete': (broker) => broker.schedules.delete([]),
  'schedules.pause': (broker) => broker.schedules.pause([], null),
  'schedules.fire': (broker) => broker.schedules.fire([]),
  'schedules.due': (broker) => broker.schedules.due(1),
  'schedules.get': (broker) => broker.schedules.get([]),
  'schedules.list': (broker) => broker.schedules.list(null, 1),
};

export const infoCases: readonly Case[] = [
  [
    "info tells the store's clock and who it is",
    async (world) => {
      const info = await world.broker().info();
      expect(info).toMatchObject({
        now: startAt,
        protocol: expect.any(Number),
        incarnation: expect.stringMatching(/^.{8,}$/),
        detail: expect.stringMatching(/./),
      });
    },
  ],
  [
    'the incarnation stays the same for the same data',
    async (world) => {
      const { incarnation } = await world.broker().info();
      await world.reopen();
      expect((await world.broker().info()).incarnation).toBe(incarnation);
    },
  ],
  [
    'opening twice is one opening',
    async (world) => {
      const id = await world.put();
      await world.broker().open();
      expect((await world.task(id)).id).toBe(id);
    },
  ],
  ...Object.entries(everyCall).map(
    ([method, call]): Case => [
      `${method} is refused after close`,
      async (world) => {
        const connection = await world.store.connect();
        await connection.close();
        await connection.close();
        await expect(call(connection)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
      },
    ],
  ),
  [
    'close lets calls in flight end',
    async (world) => {
      const connection = await world.store.connect();
      const call = connection.promote(1);
      await connection.close();
      expect(await call).toEqual({ promoted: 0, nextInMs: null });
    },
  ],
  [
    'one closed connection leaves the others alone',
    async (world) => {
      const connection = await world.store.connect();
      await connection.close();
      await world.put();
    },
  ],
  [
    'connections made anew lead to the same data, and what was under way is done once or not at all',
    async (world) => {
      const connection = await world.store.connect();
      const tasks = Array.from({ length: 20 }, (_none, place) => newTask(sampleId(place + 1)));
      const calls = tasks.map((task) => connection.enqueue([task]));
      connection.reconnect?.();
      for (const call of await Promise.allSettled(calls))
        if (call.status === 'rejected') expect(call.reason).toMatchObject({ code: 'STORE_UNREACHABLE' });
      await repeat(() => connection.enqueue(tasks));
      connection.reconnect?.();
      expect((await repeat(() => connection.getQueues()))[0]?.counts).toEqual({ queued: tasks.length });
      await connection.close();
      connection.reconnect?.();
    },
  ],
];

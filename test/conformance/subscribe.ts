/** subscribe: hints after the step, to whoever listens on the same connection. */

import { expect } from 'vitest';
import type { Signal } from '../../src/broker/broker.ts';
import { claimRequest, finish, newTask, settlement, wait } from './samples.ts';
import type { Case, World } from './world.ts';

/** The signals of one call, once they have had time to arrive. */
async function signalsOf(world: World, call: () => Promise<unknown>): Promise<readonly Signal[]> {
  await settleDown();
  world.signals();
  await call();
  await settleDown();
  return world.signals();
}

const settleDown = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export const subscribeCases: readonly Case[] = [
  [
    'queued tasks are work for their queues',
    async (world) => {
      const tasks = ['a', 'b', 'a'].map((queue) => newTask(world.nextId(), { queue }));
      expect(await signalsOf(world, () => world.broker().enqueue(tasks))).toEqual([
        { kind: 'work', queues: ['a', 'b'] },
      ]);
    },
  ],
  [
    'scheduled tasks are told with the time to the first of them',
    async (world) => {
      const tasks = [90, 30, 60].map((delayMs) => newTask(world.nextId(), { delayMs }));
      expect(await signalsOf(world, () => world.broker().enqueue(tasks))).toEqual([{ kind: 'due', inMs: 30 }]);
      const taskId = tasks[2]!.id;
      const edit = { taskId, version: null, patch: { delayMs: 5 } };
      expect(await signalsOf(world, () => world.broker().update([edit]))).toEqual([{ kind: 'due', inMs: 5 }]);
      const running = await world.bring('running');
      const retry = settlement(running.id, running.token, wait('scheduled', { delayMs: 7 }));
      expect(await signalsOf(world, () => world.broker().settle([retry]))).toEqual([{ kind: 'due', inMs: 7 }]);
    },
  ],
  [
    'promoted, retried and released tasks are work',
    async (world) => {
      await world.put({ delayMs: 1 });
      world.clock.move(1);
      expect(await signalsOf(world, () => world.broker().promote(1))).toEqual([{ kind: 'work', queues: ['default'] }]);
      const [claimed] = await world.claimAll();
      const release = settlement(claimed!.task.id, claimed!.lease, wait('queued'));
      expect(await signalsOf(world, () => world.broker().settle([release]))).toEqual([
        { kind: 'work', queues: ['default'] },
      ]);
    },
  ],
  [
    'a cancel request is told, once',
    async (world) => {
      const { id } = await world.bring('running');
      const cancel = (): Promise<unknown> => world.broker().cancel({ taskIds: [id], reason: null });
      expect(await signalsOf(world, cancel)).toEqual([{ kind: 'cancel', taskIds: [id] }]);
    },
  ],
  [
    'an end is told',
    async (world) => {
      const { id, token } = await world.bring('running');
      expect(await signalsOf(world, () => world.broker().settle([settlement(id, token, finish('failed'))]))).toEqual([
        { kind: 'finished', taskIds: [id] },
      ]);
    },
  ],
  [
    'a task that a parent holds back for good is overdue, told when the parent ends and when it comes later',
    async (world) => {
      const { id, token } = await world.bring('running');
      const child = newTask(world.nextId(), { dependsOn: [{ taskId: id, onFailure: 'cancel' }] });
      expect(await signalsOf(world, () => world.broker().enqueue([child]))).toEqual([]);
      const fail = settlement(id, token, finish('failed'));
      const overdue = { kind: 'overdue' } as const;
      expect(await signalsOf(world, () => world.broker().settle([fail]))).toEqual([
        overdue,
        { kind: 'finished', taskIds: [id] },
      ]);
      const late = newTask(world.nextId(), { dependsOn: child.dependsOn });
      expect(await signalsOf(world, () => world.broker().enqueue([late]))).toEqual([overdue]);
    },
  ],
  [
    'a resumed queue is work, and settings are told',
    async (world) => {
      await world.broker().configure('queue', 'q', { pause: { by: 'ada', reason: null } });
      const signals = await signalsOf(world, () => world.broker().configure('queue', 'q', { pause: null }));
      expect(signals).toEqual(expect.arrayContaining([{ kind: 'work', queues: ['q'] }, { kind: 'settings' }]));
    },
  ],
  [
    'calls that change nothing are silent',
    async (world) => {
      expect(await signalsOf(world, () => world.broker().claim(claimRequest(world.nextToken())))).toEqual([]);
      expect(await signalsOf(world, () => world.broker().getQueues())).toEqual([]);
    },
  ],
  [
    'nothing is heard after unsubscribing, and others still hear',
    async (world) => {
      const heard: Signal[] = [];
      const unsubscribe = world.broker().subscribe((signal) => heard.push(signal));
      unsubscribe();
      unsubscribe();
      expect(await signalsOf(world, () => world.put())).toHaveLength(1);
      expect(heard).toEqual([]);
    },
  ],
];

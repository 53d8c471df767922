/** control: commands for workers, delivered with their heartbeats until they are confirmed; and what they answer. */

import { expect } from 'vitest';
import type { HeartbeatRequest } from '../../src/broker/broker.ts';
import type { SentCommand, WorkerCommand, WorkerStack } from '../../src/core/commands.ts';
import { limits } from '../../src/core/limits.ts';
import { heartbeatRequest, presence, startAt } from './samples.ts';
import type { Case, World } from './world.ts';

const one = 'worker-1';
const drain: WorkerCommand = { kind: 'drain' };
const stack: WorkerStack = {
  answers: 1,
  slots: [{ taskId: 't', name: 'mail.send', ranMs: 40, doing: 'half way' }],
  loop: { blockedMs: 900, frames: ['spin (tasks/mail.ts:3:1)'] },
};

async function hear(world: World, given: Partial<HeartbeatRequest> = {}): Promise<readonly SentCommand[]> {
  return (await world.broker().heartbeat(heartbeatRequest([], given))).commands;
}

/** Sends them one after the other; answers their ids. */
async function send(world: World, ...commands: readonly WorkerCommand[]): Promise<readonly number[]> {
  const ids: number[] = [];
  for (const command of commands) {
    const [result] = await world.broker().control([one], command);
    ids.push(result?.outcome === 'sent' ? result.id : 0);
  }
  return ids;
}

export const controlCases: readonly Case[] = [
  [
    'a command waits for the next heartbeat of its worker, and comes with every one until it is confirmed',
    async (world) => {
      await hear(world);
      const [id = 0] = await send(world, drain);
      expect(await hear(world)).toEqual([{ id, command: drain }]);
      expect(await hear(world)).toEqual([{ id, command: drain }]);
      expect(await hear(world, { heard: id })).toEqual([]);
      expect(await hear(world)).toEqual([]);
    },
  ],
  [
    'people see what waits to be heard',
    async (world) => {
      await hear(world);
      const [id = 0] = await send(world, { kind: 'scale', concurrency: 4 });
      expect(await world.broker().getWorkers()).toMatchObject([
        { commands: [{ id, command: { kind: 'scale', concurrency: 4 } }] },
      ]);
      await hear(world, { heard: id });
      expect(await world.broker().getWorkers()).toMatchObject([{ commands: [] }]);
    },
  ],
  [
    'workers nobody has heard of are answered as such, each in its place',
    async (world) => {
      await hear(world);
      const results = await world.broker().control(['nobody', one, 'gone'], drain);
      expect(results.map(({ outcome }) => outcome)).toEqual(['unknown', 'sent', 'unknown']);
    },
  ],
  [
    'a command for nobody is no event and no signal',
    async (world) => {
      world.signals();
      await world.check((broker) => broker.control(['nobody'], drain), [{ outcome: 'unknown' }]);
      await new Promise<void>((resolve) => setImmediate(resolve));
      expect(world.signals()).toEqual([]);
      expect(await world.store.events()).toEqual([]);
    },
  ],
  [
    'ids grow, whatever was confirmed meanwhile',
    async (world) => {
      await hear(world);
      const [first = 0] = await send(world, drain);
      await hear(world, { heard: first });
      const [second = 0] = await send(world, drain);
      expect(second).toBeGreaterThan(first);
    },
  ],
  [
    'a newer command of its kind replaces one that was not confirmed',
    async (world) => {
      await hear(world);
      const four: WorkerCommand = { kind: 'scale', concurrency: 4 };
      const ids = await send(world, { kind: 'scale', concurrency: 2 }, { kind: 'stack' }, four, { kind: 'restart' });
      expect(await hear(world)).toEqual([
        { id: ids[1], command: { kind: 'stack' } },
        { id: ids[2], command: four },
        { id: ids[3], command: { kind: 'restart' } },
      ]);
    },
  ],
  [
    'drain and resume replace each other',
    async (world) => {
      await hear(world);
      const [, , third] = await send(world, drain, { kind: 'resume' }, drain);
      expect(await hear(world)).toEqual([{ id: third, command: drain }]);
    },
  ],
  [
    'a beat that comes late with an older confirmation brings nothing back',
    async (world) => {
      await hear(world);
      const ids = await send(world, drain, { kind: 'stack' });
      await hear(world, { heard: ids[1]! });
      expect(await hear(world, { heard: ids[0]! })).toEqual([]);
    },
  ],
  [
    'sent again after a lost reply a command waits once, under a newer id',
    async (world) => {
      await hear(world);
      world.loseNextReply();
      await expect(world.broker().control([one], drain)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
      const [id] = await send(world, drain);
      expect(await hear(world)).toEqual([{ id, command: drain }]);
    },
  ],
  [
    'a command survives that the connection is closed',
    async (world) => {
      await hear(world);
      const [id] = await send(world, drain);
      await world.reopen();
      expect(await hear(world)).toEqual([{ id, command: drain }]);
    },
  ],
  [
    'commands are forgotten with their worker, and a new one of its name hears none',
    async (world) => {
      await hear(world);
      await send(world, drain);
      expect(await hear(world, { worker: presence({ state: 'stopped' }) })).toEqual([]);
      expect(await hear(world)).toEqual([]);
    },
  ],
  [
    'what a forgotten worker has heard is known again with its next beat',
    async (world) => {
      await hear(world);
      const [id = 0] = await send(world, drain);
      await hear(world, { heard: id });
      world.clock.move(3 * limits.presenceMs);
      await world.broker().prune(10);
      await hear(world, { heard: id });
      const [next = 0] = await send(world, drain);
      expect(next).toBeGreaterThan(id);
      expect(await hear(world, { heard: id })).toEqual([{ id: next, command: drain }]);
    },
  ],
  [
    'one call reaches many workers, and a worker named twice hears the last',
    async (world) => {
      await hear(world);
      await hear(world, { worker: presence({ workerId: 'worker-2' }) });
      const results = await world.broker().control([one, 'worker-2', one], drain);
      expect(results).toEqual([
        { outcome: 'sent', id: 1 },
        { outcome: 'sent', id: 1 },
        { outcome: 'sent', id: 2 },
      ]);
      expect(await hear(world)).toEqual([{ id: 2, command: drain }]);
      expect(await hear(world, { worker: presence({ workerId: 'worker-2' }) })).toEqual([{ id: 1, command: drain }]);
    },
  ],
  [
    'a command is an event without tasks, and a signal that names its workers',
    async (world) => {
      await hear(world);
      world.signals();
      await send(world, drain);
      await new Promise<void>((resolve) => setImmediate(resolve));
      expect(world.signals()).toEqual([{ kind: 'command', workerIds: [one] }]);
      expect(await world.store.events()).toMatchObject([{ kind: 'control', items: [] }]);
    },
  ],
  ...[0, -1, 1.5, limits.concurrencyMax + 1].map(
    (concurrency): Case => [
      `${concurrency} slots are refused`,
      async (world) => {
        await hear(world);
        await world.checkRefused((broker) => broker.control([one], { kind: 'scale', concurrency }), 'INVALID_OPTION');
      },
    ],
  ),
  [
    'an answer is kept with its time until the next one',
    async (world) => {
      await hear(world, { stack });
      world.clock.move(5);
      await hear(world);
      expect(await world.broker().getWorkers()).toMatchObject([{ stack: { ...stack, at: startAt } }]);
      await hear(world, { stack: { ...stack, answers: 2, slots: [], loop: null } });
      expect((await world.broker().getWorkers())[0]?.stack).toEqual({
        answers: 2,
        slots: [],
        loop: null,
        at: startAt + 5,
      });
    },
  ],
  [
    'a worker that never answered has no answer',
    async (world) => {
      await hear(world);
      expect(await world.broker().getWorkers()).toMatchObject([{ stack: null, commands: [] }]);
    },
  ],
  [
    'an answer that is too large is left out, and the beat counts all the same',
    async (world) => {
      await hear(world, { stack });
      const frames = ['x'.repeat(limits.stackTextMax)];
      world.clock.move(7);
      await hear(world, { stack: { ...stack, answers: 2, loop: { blockedMs: 1, frames } } });
      expect(await world.broker().getWorkers()).toMatchObject([{ beatAt: startAt + 7, stack: { answers: 1 } }]);
    },
  ],
];

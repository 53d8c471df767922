/** heartbeat: leases live, news arrives, lost leases are told; and who is there. */

import { expect } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import type { Definition } from '../../src/core/presence.ts';
import {
  beat,
  finish,
  heartbeatRequest,
  leaseMs,
  overdueRequest,
  presence,
  sampleToken,
  startAt,
  wait,
} from './samples.ts';
import type { Case } from './world.ts';

const line = { at: 1, level: 'info', message: 'sent', fields: '{"n":1}' } as const;

const definition: Definition = {
  name: 'mail.send',
  description: null,
  queue: 'default',
  inputSchema: { type: 'object' },
  schemaVersion: 's1',
  policy: '{}',
  timeoutMs: 5,
  key: null,
  keyForMs: null,
  ifExists: 'return',
  group: null,
  file: 'tasks/mail.ts',
};

export const heartbeatCases: readonly Case[] = [
  [
    'each beat is answered in order: ok, cancel or lost',
    async (world) => {
      const [fine, wanted] = [await world.bring('running'), await world.bring('running')];
      await world.broker().cancel({ taskIds: [wanted.id], reason: null });
      const leases = [
        { taskId: world.nextId(), token: sampleToken(5), epoch: 1 },
        { taskId: wanted.id, token: wanted.token, epoch: 1 },
        { taskId: fine.id, token: fine.token, epoch: 1 },
      ];
      const answer = await world.broker().heartbeat(heartbeatRequest(leases.map((lease) => beat(lease))));
      expect(answer).toEqual({ now: startAt, beats: ['lost', 'cancel', 'ok'], commands: [], noServer: true });
    },
  ],
  [
    'a task whose cancel is requested keeps its lease too',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.broker().cancel({ taskIds: [id], reason: null });
      world.clock.move(5_000);
      await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 })]));
      expect(await world.task(id)).toMatchObject({ leaseUntil: startAt + 5_000 + leaseMs });
    },
  ],
  [
    'a lease that is over but not judged yet lives on',
    async (world) => {
      const { id, token } = await world.bring('running');
      world.clock.move(leaseMs + 60_000);
      expect((await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 })]))).beats).toEqual(
        ['ok'],
      );
      expect(await world.broker().claimOverdue(overdueRequest(world.nextToken()))).toEqual([]);
    },
  ],
  [
    'of the tasks of one claim a beat extends those that it names, and a later one all that are left',
    async (world) => {
      for (let count = 0; count < 3; count++) await world.put();
      const [first, second, third] = (await world.claimAll()).map(({ lease }) => lease);
      const until = async () =>
        Promise.all([first!, second!, third!].map(async ({ taskId }) => (await world.task(taskId)).leaseUntil));
      const overdue = async () => {
        const found = await world.broker().claimOverdue(overdueRequest(world.nextToken()));
        return found.map(({ task }) => task.id);
      };
      world.clock.move(20_000);
      await world.broker().heartbeat(heartbeatRequest([beat(first!), beat(second!), beat(first!)]));
      const late = startAt + 20_000 + leaseMs;
      expect(await until()).toEqual([late, late, startAt + leaseMs]);
      world.clock.move(leaseMs - 20_000);
      expect(await overdue()).toEqual([third!.taskId]);
      await world.broker().heartbeat(heartbeatRequest([beat(first!), beat(second!), beat(third!)]));
      expect(await until()).toEqual(Array(3).fill(startAt + 2 * leaseMs));
      await world.settle({ id: second!.taskId, token: second!.token }, finish('succeeded'));
      world.clock.move(10_000);
      await world.broker().heartbeat(heartbeatRequest([beat(first!)]));
      world.clock.move(leaseMs - 10_000);
      expect(await overdue()).toEqual([third!.taskId]);
    },
  ],
  [
    'a beat tells the start once: later ones do not move it',
    async (world) => {
      const { id, token } = await world.bring('running');
      world.clock.move(1_000);
      await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 }, { ranMs: 300 })]));
      world.clock.move(1_000);
      await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 }, { ranMs: 1_700 })]));
      expect(await world.task(id)).toMatchObject({ startedAt: startAt + 700 });
    },
  ],
  [
    'progress replaces, and silence about it keeps the last',
    async (world) => {
      const { id, token } = await world.bring('running');
      for (const progress of [{ done: 1, total: null, note: 'a' }, { done: 2, total: 9, note: null }, null]) {
        await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 }, { progress })]));
      }
      expect(await world.task(id)).toMatchObject({ progress: { done: 2, total: 9, note: null } });
    },
  ],
  [
    'log lines are appended under the epoch of the run',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world
        .broker()
        .heartbeat(
          heartbeatRequest([
            beat({ taskId: id, token, epoch: 1 }, { logs: [line, { ...line, level: 'error', fields: null }] }),
          ]),
        );
      await world.settle({ id, token }, wait('queued'));
      const [next] = await world.claimAll();
      await world.broker().heartbeat(heartbeatRequest([beat(next!.lease, { logs: [line] })]));
      expect((await world.store.record(id)).logs).toEqual([
        { ...line, epoch: 1 },
        { ...line, level: 'error', fields: null, epoch: 1 },
        { ...line, epoch: 2 },
      ]);
    },
  ],
  [
    'checkpoints are kept across attempts; a known name takes the new value in its place',
    async (world) => {
      const { id, token } = await world.bring('running');
      const [a, b, a2] = [
        { name: 'a', value: '1' },
        { name: 'b', value: null },
        { name: 'a', value: '2' },
      ];
      await world
        .broker()
        .heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 }, { checkpoints: [a!, b!] })]));
      await world.broker().heartbeat(heartbeatRequest([beat({ taskId: id, token, epoch: 1 }, { checkpoints: [a2!] })]));
      await world.settle({ id, token }, wait('queued'));
      expect(await world.claimAll()).toMatchObject([{ task: { checkpoints: [a2, b] } }]);
    },
  ],
  [
    'a beat of a lost lease stores nothing of what it says',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.settle({ id, token }, wait('queued'));
      await world.claimAll();
      await world.broker().heartbeat(heartbeatRequest([]));
      const late = beat(
        { taskId: id, token, epoch: 1 },
        {
          ranMs: 5,
          progress: { done: 9, total: 9, note: null },
          logs: [line],
          checkpoints: [{ name: 'x', value: '1' }],
        },
      );
      await world.check(async (broker) => (await broker.heartbeat(heartbeatRequest([late]))).beats, ['lost']);
      expect((await world.store.record(id)).logs).toEqual([]);
    },
  ],
  [
    'a judge cannot beat for the worker',
    async (world) => {
      const { id } = await world.bring('running');
      world.clock.move(leaseMs);
      const [overdue] = await world.broker().claimOverdue(overdueRequest(world.nextToken()));
      expect(overdue?.task.id).toBe(id);
      expect((await world.broker().heartbeat(heartbeatRequest([beat(overdue!.lease)]))).beats).toEqual(['lost']);
    },
  ],
  [
    'a beat leaves no event and no version',
    async (world) => {
      const { id, token } = await world.bring('running');
      const events = await world.store.events();
      await world
        .broker()
        .heartbeat(
          heartbeatRequest([beat({ taskId: id, token, epoch: 1 }, { progress: { done: 1, total: 1, note: null } })]),
        );
      expect(await world.store.events()).toEqual(events);
      expect((await world.task(id)).version).toBe(2);
    },
  ],
  [
    'the process is known by what it says, since its first beat',
    async (world) => {
      const { definitions: _definitions, ...said } = presence({ running: 3 });
      await world.check(
        async (broker) =>
          (await broker.heartbeat(heartbeatRequest([], { worker: presence({ definitions: [definition] }) }))).beats,
        [],
        {
          'worker worker-1': expect.objectContaining({ startedAt: startAt }),
        },
      );
      world.clock.move(1_000);
      await world.check(
        async (broker) => (await broker.heartbeat(heartbeatRequest([], { worker: presence({ running: 3 }) }))).beats,
        [],
        {
          'worker worker-1': {
            ...said,
            definitions: [definition],
            startedAt: startAt,
            beatAt: startAt + 1_000,
            commands: [],
            stack: null,
          },
        },
      );
    },
  ],
  [
    'a process that says it stopped is gone, its last news stored',
    async (world) => {
      const { id, token } = await world.bring('running');
      await world.broker().heartbeat(heartbeatRequest([]));
      const last = beat({ taskId: id, token, epoch: 1 }, { progress: { done: 1, total: 1, note: null } });
      await world.broker().heartbeat(heartbeatRequest([last], { worker: presence({ state: 'stopped' }) }));
      expect(await world.broker().getWorkers()).toEqual([]);
      expect(await world.task(id)).toMatchObject({ progress: { done: 1 } });
    },
  ],
  [
    'a process that comes back after it stopped has begun anew',
    async (world) => {
      await world.broker().heartbeat(heartbeatRequest([], { worker: presence({ definitions: [definition] }) }));
      await world.broker().heartbeat(heartbeatRequest([], { worker: presence({ state: 'stopped' }) }));
      world.clock.move(10);
      await world.broker().heartbeat(heartbeatRequest([]));
      expect(await world.broker().getWorkers()).toMatchObject([{ startedAt: startAt + 10, definitions: [] }]);
    },
  ],
  [
    'workers hear whether a server lives, until it has been silent for too long',
    async (world) => {
      const noServer = async (): Promise<boolean> => (await world.broker().heartbeat(heartbeatRequest([]))).noServer;
      const server = presence({ workerId: 'server-1', server: true, queues: {} });
      expect(await noServer()).toBe(true);
      expect((await world.broker().heartbeat(heartbeatRequest([], { worker: server }))).noServer).toBe(false);
      world.clock.move(limits.presenceMs - 1);
      expect(await noServer()).toBe(false);
      world.clock.move(1);
      expect(await noServer()).toBe(true);
    },
  ],
  [
    'a server that stopped counts no more',
    async (world) => {
      const server = presence({ workerId: 'server-1', server: true });
      await world.broker().heartbeat(heartbeatRequest([], { worker: server }));
      await world.broker().heartbeat(heartbeatRequest([], { worker: { ...server, state: 'stopped' } }));
      expect((await world.broker().heartbeat(heartbeatRequest([]))).noServer).toBe(true);
    },
  ],
  [
    'a settled task is lost to its worker',
    async (world) => {
      const subject = await world.bring('running');
      await world.settle(subject, finish('succeeded'));
      expect(
        (
          await world
            .broker()
            .heartbeat(heartbeatRequest([beat({ taskId: subject.id, token: subject.token, epoch: 1 })]))
        ).beats,
      ).toEqual(['lost']);
    },
  ],
];

/** What is refused before anything is done. */

import { expect } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { limits } from '../../src/core/limits.ts';
import {
  beat,
  claimRequest,
  finish,
  heartbeatRequest,
  newTask,
  sampleId,
  sampleToken,
  settlement,
  storedTask,
} from './samples.ts';
import type { Case } from './world.ts';

const tooMany = Array.from({ length: limits.batchMax + 1 }, (_, index) => sampleId(500_000 + index));
const lease = { taskId: sampleId(1), token: sampleToken(1), epoch: 1 };

const largeCalls: Readonly<Record<string, (broker: Broker) => Promise<unknown>>> = {
  enqueue: (broker) => broker.enqueue(tooMany.map((id) => newTask(id))),
  restore: (broker) => broker.restore(tooMany.map((id) => storedTask(id))),
  heartbeat: (broker) => broker.heartbeat(heartbeatRequest(tooMany.map(() => beat(lease)))),
  settle: (broker) => broker.settle(tooMany.map((id) => settlement(id, lease, finish('failed')))),
  cancel: (broker) => broker.cancel({ taskIds: tooMany, reason: null }),
  retry: (broker) => broker.retry(tooMany),
  remove: (broker) => broker.remove(tooMany),
  update: (broker) => broker.update(tooMany.map((taskId) => ({ taskId, version: null, patch: { priority: 1 } }))),
  getTasks: (broker) => broker.getTasks(tooMany),
  inspect: (broker) => broker.inspect(tooMany),
  control: (broker) => broker.control(tooMany, { kind: 'drain' }),
};

export const limitCases: readonly Case[] = [
  ...Object.entries(largeCalls).map(
    ([method, call]): Case => [`${method} of 1,001 is refused`, (world) => world.checkRefused(call, 'BATCH_TOO_LARGE')],
  ),
  [
    '1,000 tasks are enqueued, claimed, beaten, settled, retried, cancelled and removed in one call each',
    async (world) => {
      const ids = tooMany.slice(1);
      const broker = world.broker();
      await broker.enqueue(ids.map((id) => newTask(id)));
      const claimed = await broker.claim(
        claimRequest(world.nextToken(), { limit: 5_000, queues: [{ name: 'default', limit: 5_000 }] }),
      );
      expect(
        (await broker.heartbeat(heartbeatRequest(claimed.map((one) => beat(one.lease))))).beats.every(
          (answer) => answer === 'ok',
        ),
      ).toBe(true);
      await broker.settle(claimed.map((one) => settlement(one.task.id, one.lease, finish('failed'))));
      await broker.retry(ids);
      await broker.cancel({ taskIds: ids, reason: null });
      expect((await world.dump()).counts).toEqual({ 'default / mail.send / cancelled': 1_000 });
      expect((await broker.remove(ids)).every(({ outcome }) => outcome === 'removed')).toBe(true);
    },
  ],
  [
    'a claim above the batch size gives a batch',
    async (world) => {
      for (const ids of [tooMany.slice(0, 600), tooMany.slice(600)])
        await world.broker().enqueue(ids.map((id) => newTask(id)));
      const request = claimRequest(world.nextToken(), { limit: 5_000, queues: [{ name: 'default', limit: 5_000 }] });
      expect(await world.broker().claim(request)).toHaveLength(limits.batchMax);
    },
  ],
  [
    'four mebibytes of payload are accepted, and one byte more is not',
    async (world) => {
      const payload = JSON.stringify('x'.repeat(1024 * 1024 - 2));
      const tasks = [1, 2, 3, 4].map((number) => newTask(sampleId(number), { payload }));
      await world.checkRefused(
        (broker) => broker.enqueue([...tasks, newTask(sampleId(5), { payload: '1' })]),
        'BATCH_TOO_LARGE',
      );
      expect(await world.broker().enqueue(tasks)).toHaveLength(4);
    },
  ],
  [
    'payload is counted in bytes, not in characters',
    async (world) => {
      const payload = JSON.stringify('é'.repeat(700_000));
      const tasks = [1, 2, 3].map((number) => storedTask(sampleId(number), { payload }));
      await world.checkRefused((broker) => broker.restore(tasks), 'BATCH_TOO_LARGE');
    },
  ],
];

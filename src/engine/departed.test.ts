/** Tests of the look for servers that were killed. */

import { beforeEach, expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import type { Broker } from '../broker/broker.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { seededChance } from '../core/chance.ts';
import { limits } from '../core/limits.ts';
import type { Presence } from '../core/presence.ts';
import { createDepartedLook } from './departed.ts';
import { readPlace } from './host.ts';

const clock = createManualClock();
let broker: Broker;
beforeEach(async () => {
  broker = createMemoryBroker({ now: clock.now, chance: seededChance(1) });
  await broker.open();
});

async function appear(workerId: string, pid: number, server: boolean): Promise<void> {
  const nothing = { queues: {}, concurrency: 0, running: 0, services: server, taskNames: [], definitions: null };
  const worker: Presence = {
    ...nothing,
    ...readPlace(),
    workerId,
    pid,
    name: workerId,
    version: '0',
    state: 'ready',
    server,
  };
  await broker.heartbeat({ worker, leaseMs: limits.leaseMs, beats: [] });
}

test('only servers whose process is gone are said goodbye for', async () => {
  await appear('dead server', 666, true);
  await appear('living server', 1, true);
  // Its tasks have to be found by its presence.
  await appear('dead worker', 666, false);
  const look = createDepartedLook({ broker, clock, isGone: ({ pid }) => pid === 666 });

  expect(await look()).toBe(true);
  expect((await broker.getWorkers()).map(({ workerId }) => workerId)).toEqual(['dead worker', 'living server']);
});

test('a look is worth its read only now and then', async () => {
  const look = createDepartedLook({ broker, clock, isGone: () => true });
  expect(await look()).toBe(false);
  await appear('server', 666, true);
  await clock.advance(limits.presenceMs - 1);
  expect(await look()).toBe(false);
  await clock.advance(limits.reapMs);
  expect(await look()).toBe(true);
});

test('a server that was seen alive and is gone is noticed by the next look', async () => {
  let gone = false;
  await appear('server', 666, true);
  const look = createDepartedLook({ broker, clock, isGone: () => gone });
  expect(await look()).toBe(false);
  gone = true;
  expect(await look()).toBe(false);
  await clock.advance(limits.reapMs);
  expect(await look()).toBe(true);
});

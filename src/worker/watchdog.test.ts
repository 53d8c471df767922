/** Checks that a worker whose way to the store has gone bad without a word finds another one by itself, and tells it. */

import { expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { createDefinition, newTask } from '../../test/support/worker-rig.ts';
import type { Broker } from '../broker/broker.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { seededChance } from '../core/chance.ts';
import { limits } from '../core/limits.ts';
import type { Store } from '../history/history.ts';
import type { QueueSlots } from './pools.ts';
import type { Stall } from './watchdog.ts';
import { createWorker } from './worker.ts';

/** A worker whose connection goes bad: claims find nothing (`stale`) or nobody answers (`mute`), until it is made anew. */
function createRig({ queues = ['default'] as QueueSlots } = {}) {
  const clock = createManualClock();
  const chance = seededChance(7);
  const memory = createMemoryBroker({ now: clock.now, chance });
  const connection = { is: 'well' as 'well' | 'stale' | 'mute', made: 0, calls: 0 };
  const answer = <Answer>(call: () => Promise<Answer>): Promise<Answer> =>
    connection.is === 'mute' ? new Promise<Answer>(() => undefined) : call();
  const broker: Broker = {
    ...memory,
    claim: (request) => answer(async () => (connection.is === 'stale' ? [] : memory.claim(request))),
    settle: (...given) => answer(() => memory.settle(...given)),
    // What the process itself enqueues is not claimed along.
    subscribe: (listener) => memory.subscribe(listener),
    reconnect: () => {
      connection.made += 1;
      connection.is = 'well';
    },
  };
  const counting = new Proxy(broker, {
    get(of, name: keyof Broker) {
      const member = of[name];
      if (typeof member !== 'function' || name === 'subscribe' || name === 'reconnect') return member;
      return (...given: unknown[]) => {
        connection.calls += 1;
        return Reflect.apply(member, of, given);
      };
    },
  });
  const store = { broker: counting, history: {}, close: async () => {} } as unknown as Store;
  const gate = { promise: Promise.resolve() };
  const definitions = [createDefinition('a', () => gate.promise)];
  const worker = createWorker({ store, definitions, clock, chance, services: 'never', queues, concurrency: 2 });
  const stalls: Stall[] = [];
  worker.on('stalled', (stall) => stalls.push(stall));
  let ids = 0;
  const enqueue = async (given: Parameters<typeof newTask>[0] = {}): Promise<string> => {
    const id = `T${String(++ids).padStart(25, '0')}`;
    await memory.enqueue([newTask({ id, ...given })]);
    return id;
  };
  const stateOf = async (id: string) => (await memory.getTasks([id]))[0]?.state;
  return { clock, memory, connection, gate, worker, stalls, enqueue, stateOf };
}

const { stallMs, stallLookMs } = limits;

test('claims that find nothing although tasks wait are made on a new connection, and that is told', async () => {
  const { clock, connection, memory, worker, stalls, enqueue, stateOf } = createRig();
  worker.start();
  await clock.advance(10_000);
  connection.is = 'stale';
  const ids = [await enqueue(), await enqueue()];
  await clock.advance(2 * stallMs + 2 * stallLookMs);
  expect(await Promise.all(ids.map(stateOf))).toEqual(['succeeded', 'succeeded']);
  expect(stalls).toEqual([{ forMs: expect.any(Number), waiting: 2 }]);
  expect(stalls[0]?.forMs).toBeGreaterThanOrEqual(stallMs);
  await clock.advance(limits.presenceMs);
  expect((await memory.getWorkers())[0]?.stall).toMatchObject({ waiting: 2, agoMs: expect.any(Number) });
  await clock.advance(limits.stallToldMs + limits.presenceMs);
  expect((await memory.getWorkers())[0]?.stall).toBe(undefined);
  await worker.stop();
});

test('a call without an end is given up, and what it was about is done all the same', async () => {
  const { clock, connection, worker, stalls, enqueue, stateOf } = createRig();
  worker.start();
  await clock.advance(10_000);
  connection.is = 'mute';
  const id = await enqueue();
  await clock.advance(stallMs + 4 * stallLookMs);
  expect(await stateOf(id)).toBe('succeeded');
  expect(stalls).toEqual([{ forMs: stallMs, waiting: null }]);
  expect(connection.made).toBe(1);
  await worker.stop();
});

test('tasks that something holds back are no stall, and are doubted ever more rarely', async () => {
  const { clock, connection, worker, stalls, enqueue, stateOf } = createRig();
  worker.start();
  const onceADay = [{ name: 'once a day', max: null, rate: { count: 1, perMs: 86_400_000 } }];
  await enqueue({ limits: onceADay });
  const held = await enqueue({ limits: onceADay });
  await clock.advance(3_600_000);
  expect(await stateOf(held)).toBe('queued');
  expect(stalls).toEqual([]);
  expect(connection.made).toBeGreaterThan(2);
  expect(connection.made).toBeLessThan(9);
  await worker.stop();
});

test('an idle worker asks at most once a second, its doubts included', async () => {
  const { clock, connection, worker } = createRig();
  worker.start();
  await clock.advance(60_000);
  connection.calls = 0;
  await clock.advance(600_000);
  expect(connection.calls).toBeLessThanOrEqual(600);
  expect(connection.made).toBe(0);
  await worker.stop();
});

test('a worker that is busy or drained doubts nothing', async () => {
  const { clock, connection, memory, gate, worker, enqueue } = createRig();
  worker.start();
  const free = Promise.withResolvers<void>();
  gate.promise = free.promise;
  for (let n = 0; n < 5; n++) await enqueue();
  await clock.advance(5 * stallMs);
  await memory.control([worker.id], { kind: 'drain' });
  free.resolve();
  await clock.advance(5 * stallMs);
  expect(connection.made).toBe(0);
  await worker.stop();
});

test('a queue whose slots are all taken is no reason for the free slots of another to doubt anything', async () => {
  const { clock, connection, gate, worker, stalls, enqueue } = createRig({ queues: { default: 1, mail: 1 } });
  const free = Promise.withResolvers<void>();
  gate.promise = free.promise;
  worker.start();
  for (let n = 0; n < 3; n++) await enqueue();
  await clock.advance(10 * stallMs);
  expect(connection.made).toBe(0);
  free.resolve();
  await clock.advance(1_000);
  expect(stalls).toEqual([]);
  await worker.stop();
});

test('a limit that lets one task after the other through is doubted ever more rarely', async () => {
  const { clock, connection, memory, worker, stalls, enqueue } = createRig();
  worker.start();
  const slow = [{ name: 'slow', max: 1, rate: { count: 1, perMs: 45_000 } }];
  for (let n = 0; n < 100; n++) await enqueue({ limits: slow });
  await clock.advance(3_600_000);
  expect((await memory.getQueues())[0]?.counts.succeeded).toBeGreaterThan(70);
  expect(stalls).toEqual([]);
  expect(connection.made).toBeLessThan(9);
  await worker.stop();
});

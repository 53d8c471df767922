/** Checks how many tasks a worker asks for, and for which queues. */
import { expect, test } from 'vitest';
import type { Attempt } from './attempt.ts';
import { createPools, demandOf, type Horizon, type Pool } from './pools.ts';

const at = (elapsed: number, aheadMs: number, isParallel = false): Horizon => ({ elapsed, aheadMs, isParallel });
const someone = (arrivedAt = 0): Attempt => ({ arrivedAt }) as Attempt;

function start(pool: Pool, count: number): void {
  for (let i = 0; i < count; i++) {
    pool.push(someone());
    pool.shift();
    pool.running += 1;
  }
}

test('a list of queues shares the slots, a record gives each its own', () => {
  const shared = createPools(['a', 'b'], 5);
  expect(demandOf(shared, at(0, 0))).toEqual({
    queues: [
      { name: 'a', limit: 5 },
      { name: 'b', limit: 5 },
    ],
    limit: 5,
  });
  const separate = createPools({ a: 2, b: 3 }, 99);
  expect(demandOf(separate, at(0, 0))).toEqual({
    queues: [
      { name: 'a', limit: 2 },
      { name: 'b', limit: 3 },
    ],
    limit: 5,
  });
  expect([shared.concurrency, separate.concurrency]).toEqual([5, 5]);
});

test('a full pool asks for nothing, another one of the same worker still does', () => {
  const pools = createPools({ a: 2, b: 3 }, 1);
  start(pools.of('a'), 2);
  expect(demandOf(pools, at(0, 0))).toEqual({ queues: [{ name: 'b', limit: 3 }], limit: 3 });
});

test('only what starts soon is claimed ahead: short tasks many, long tasks none', () => {
  const pools = createPools(['a'], 10);
  const pool = pools.of('a');
  start(pool, 10);
  pool.demand(at(10, 25));
  expect(pool.demand(at(20, 25))).toBeGreaterThan(0);
  for (let elapsed = 20; elapsed < 10_000; elapsed += 500) pool.demand(at(elapsed, 25));
  expect(pool.demand(at(10_000, 25))).toBe(0);
});

test('however fast the tasks, no more than one batch is asked for', () => {
  const pools = createPools(['a'], 10);
  start(pools.of('a'), 1_000_000);
  pools.of('a').running = 10;
  expect(demandOf(pools, at(100, 10_000)).limit).toBe(1_000);
});

test('where two claims are under way at a time, each may ask for a batch', () => {
  const pools = createPools(['a'], 10);
  start(pools.of('a'), 1_000_000);
  pools.of('a').running = 0;
  expect(demandOf(pools, at(100, 10_000, true)).limit).toBe(1_000);
});

test('where claims are made while tasks run, no claim takes more than the other half, but for free slots', () => {
  const pool = createPools(['a'], 10).of('a');
  start(pool, 4_000);
  pool.running = 0;
  expect(pool.demand(at(100, 25, true))).toBe(255);
  for (let i = 0; i < 255; i++) pool.push(someone());
  expect(pool.demand(at(100, 25, true))).toBe(255);
  expect(
    createPools(['a'], 10)
      .of('a')
      .demand(at(100, 25, true)),
  ).toBe(10);
});

test('stuck handlers are replaced up to a tenth of the slots', () => {
  const pool = createPools(['a'], 20).of('a');
  start(pool, 20);
  pool.stuck = 5;
  expect(pool.hasFreeSlot).toBe(true);
  pool.running += 2;
  expect(pool.hasFreeSlot).toBe(false);
});

test('waiting tasks leave in the order they came', () => {
  const pool = createPools(['a'], 1).of('a');
  for (let i = 0; i < 2_000; i++) pool.push(someone(i));
  for (let i = 0; i < 1_500; i++) {
    expect(pool.peek()?.arrivedAt).toBe(i);
    pool.shift();
  }
  expect(pool.remove((one) => one.arrivedAt % 2 === 0)).toHaveLength(250);
  expect([pool.waiting, pool.peek()?.arrivedAt]).toEqual([250, 1_501]);
});

test.each([
  [{ a: 20, b: 5, c: 5 }, 12, { a: 8, b: 2, c: 2 }],
  [{ a: 20, b: 5, c: 5 }, 3, { a: 1, b: 1, c: 1 }],
  [{ a: 20, b: 5, c: 5 }, 1, { a: 1, b: 1, c: 1 }],
  [{ a: 1, b: 1 }, 5, { a: 3, b: 2 }],
  [{ a: 100, b: 1 }, 10, { a: 9, b: 1 }],
  [{ a: 3 }, 10_000, { a: 10_000 }],
])('%o scaled to %i slots is %o', (given, total, wanted) => {
  const pools = createPools(given, 10);
  pools.scale(total);
  expect(pools.slotsByQueue).toEqual(wanted);
  pools.scale(Object.values(given).reduce((sum, slots) => sum + slots, 0));
  expect(pools.slotsByQueue).toEqual(given);
});

test('a shared pool has all the slots it is scaled to, for each of its queues', () => {
  const pools = createPools(['a', 'b'], 10);
  pools.scale(4);
  expect([pools.concurrency, pools.slotsByQueue]).toEqual([4, { a: 4, b: 4 }]);
});

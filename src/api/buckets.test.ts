/** Tests budgets of callers on a clock that the test moves. */

import { describe, expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { limits } from '../core/limits.ts';
import { createBuckets } from './buckets.ts';

const rig = (perSecond: number, burst: number, max?: number) => {
  const clock = createManualClock();
  return { clock, buckets: createBuckets({ clock, perSecond, burst, ...(max !== undefined && { max }) }) };
};

describe('a budget', () => {
  test('is used up at once, fills at its rate, and says how long to wait', async () => {
    const { clock, buckets } = rig(10, 20);
    for (let left = 19; left >= 0; left--) expect(buckets.take('a', 1)).toEqual({ waitMs: 0, left });
    expect(buckets.take('a', 1)).toEqual({ waitMs: 100, left: 0 });
    expect(buckets.waitMs('a', 5)).toBe(500);
    await clock.advance(100);
    expect(buckets.take('a', 1).waitMs).toBe(0);
    expect(buckets.take('a', 1).waitMs).toBe(100);
  });

  test('of one caller is none of another', () => {
    const { buckets } = rig(1, 1);
    expect(buckets.take('a', 1).waitMs).toBe(0);
    expect(buckets.take('a', 1).waitMs).toBe(1_000);
    expect(buckets.take('b', 1).waitMs).toBe(0);
  });

  test('pays for what costs more than all of it, when it is full', async () => {
    const { clock, buckets } = rig(10, 20);
    expect(buckets.take('a', 500)).toEqual({ waitMs: 0, left: 0 });
    expect(buckets.take('a', 500).waitMs).toBe(2_000);
    await clock.advance(2_000);
    expect(buckets.take('a', 500).waitMs).toBe(0);
  });

  test('never lets through more than the burst and the rate, whatever is asked', async () => {
    const { clock, buckets } = rig(100, 50);
    let taken = 0;
    for (let step = 0; step < 1_000; step++) {
      const cost = 1 + ((step * 7) % 5);
      if (buckets.take('a', cost).waitMs === 0) taken += cost;
      await clock.advance(10);
    }
    expect(taken).toBeLessThanOrEqual(50 + 1_000);
    expect(taken).toBeGreaterThan(950);
  });
});

describe('the table', () => {
  test('never has more callers than it may, and forgets those who are full again first', async () => {
    const { clock, buckets } = rig(10, 10, 100);
    for (let caller = 0; caller < 10_000; caller++) buckets.take(`caller ${caller}`, 1);
    expect(buckets.size).toBe(100);
    buckets.take('busy', 10);
    await clock.advance(200);
    for (let caller = 0; caller < 90; caller++) buckets.take(`later ${caller}`, 1);
    expect(buckets.size).toBeLessThanOrEqual(100);
    expect(buckets.waitMs('busy', 10)).toBeGreaterThan(0);
  });

  test('is empty again when all budgets are full', async () => {
    const { clock, buckets } = rig(10, 10);
    for (let caller = 0; caller < 1_000; caller++) buckets.take(`caller ${caller}`, 5);
    expect(buckets.size).toBe(1_000);
    await clock.advance(limits.requestForgetMs * 2);
    expect(buckets.size).toBe(0);
  });
});

/** The pace of a recorder: when it looks again, and how long it rests. */

import { expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { limits } from '../core/limits.ts';
import { createRecorderPace, restMs } from './recorder-pace.ts';

test('before anything was found nothing is waited for', () => {
  expect(createRecorderPace(createManualClock(0)).leftMs()).toBe(-Infinity);
});

test('while little comes there is a look every hundred milliseconds', async () => {
  const clock = createManualClock(0);
  const pace = createRecorderPace(clock);
  pace.found();
  await clock.advance(2);
  pace.stored({ wanted: 1_000, behindMs: 0, hasMore: false });
  expect(pace.leftMs()).toBe(limits.recordPaceMs - 2);
  await clock.advance(limits.recordPaceMs);
  expect(pace.leftMs()).toBeLessThanOrEqual(0);
});

test('the more its work took the longer it rests, and less the further behind it is', () => {
  const half = limits.recordBehindMs / 2;
  expect(restMs(50, 0, 1_000)).toBe(450);
  expect(restMs(100, 0, 1_000)).toBe(900);
  expect(restMs(100, half, 1_000)).toBe(450);
  expect(restMs(100, limits.recordBehindMs, 1_000)).toBe(0);
  expect(restMs(100, 60_000, 1_000)).toBe(0);
  // A clock that went back.
  expect(restMs(100, -60_000, 1_000)).toBe(900);
});

test('what a slow database takes for a few tasks is no work to rest from', async () => {
  const clock = createManualClock(0);
  const pace = createRecorderPace(clock);
  pace.found();
  await clock.advance(60);
  pace.stored({ wanted: 3, behindMs: 60, hasMore: false });
  expect(pace.leftMs()).toBe(limits.recordPaceMs - 60);
  expect(restMs(60, 0, 3)).toBeLessThan(2);
  expect(restMs(60, 0, 500)).toBe(270);
  expect(restMs(60, 0, 50_000)).toBe(540);
});

test('no rest puts the record further behind than it may be', () => {
  for (const behindMs of [0, 500, 1_999]) {
    expect(restMs(10_000, behindMs, 1_000)).toBeLessThanOrEqual(limits.recordBehindMs - behindMs);
  }
});

test('while more waits already only the rest counts', async () => {
  const clock = createManualClock(0);
  const pace = createRecorderPace(clock);
  pace.found();
  await clock.advance(1);
  pace.stored({ wanted: 1_000, behindMs: 0, hasMore: true });
  expect(pace.leftMs()).toBe(9);
  pace.found();
  await clock.advance(40);
  pace.stored({ wanted: 1_000, behindMs: limits.recordBehindMs, hasMore: true });
  expect(pace.leftMs()).toBe(0);
});

test('the rests of a burst are as long together as one may be, whatever it goes on for, until less comes', async () => {
  const clock = createManualClock(0);
  const pace = createRecorderPace(clock);
  const storeMany = async (wanted: number): Promise<number> => {
    pace.found();
    await clock.advance(100);
    pace.stored({ wanted, behindMs: 0, hasMore: wanted > 1_000 });
    return pace.leftMs();
  };
  const rests = [];
  for (let batch = 0; batch < 5; batch++) rests.push(await storeMany(5_000));
  expect(rests).toEqual([900, 900, 200, 0, 0]);
  expect(await storeMany(1_000)).toBe(0);
  expect(await storeMany(10)).toBeCloseTo(9);
  expect(await storeMany(5_000)).toBe(900);
});

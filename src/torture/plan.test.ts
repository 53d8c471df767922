/** A seed decides everything: the same storm each time, and no two alike. */

import { expect, test } from 'vitest';
import { drawPlan, faultKinds } from './plan.ts';

const plans = Array.from({ length: 200 }, (_, seed) => drawPlan({ seed, minutes: 10, rate: 1_000 }));

test('one seed draws the same plan each time, and another one another', () => {
  expect(drawPlan({ seed: 7, minutes: 3, rate: 100 })).toEqual(drawPlan({ seed: 7, minutes: 3, rate: 100 }));
  expect(new Set(plans.map(({ strikes }) => JSON.stringify(strikes))).size).toBe(plans.length);
});

test('about one period in four is calm, and never the first', () => {
  const periods = plans.flatMap(({ periods: [first, ...rest] }) => {
    expect(first?.length).toBeGreaterThan(0);
    return rest;
  });
  const calm = periods.filter((kinds) => kinds.length === 0).length / periods.length;
  expect(calm).toBeGreaterThan(0.2);
  expect(calm).toBeLessThan(0.3);
});

test('what is on in a period strikes in it, and nothing else does', () => {
  for (const { periods, strikes, periodMs } of plans)
    for (const [index, kinds] of periods.entries()) {
      const struck = strikes.filter(({ atMs }) => Math.floor(atMs / periodMs) === index).map(({ kind }) => kind);
      expect(new Set(struck)).toEqual(new Set(kinds));
    }
});

test('every kind of fault and every length of a lease is drawn', () => {
  expect(new Set(plans.flatMap(({ periods }) => periods.flat()))).toEqual(new Set(faultKinds));
  expect(new Set(plans.map(({ leaseMs }) => leaseMs))).toEqual(new Set([2_000, 5_000, 30_000]));
});

test('a run of seconds has several periods and a short lease', () => {
  expect(drawPlan({ seed: 1, minutes: 0.15, rate: 10 })).toMatchObject({
    periodMs: 3_000,
    leaseMs: 2_000,
    stormMs: 9_000,
  });
});

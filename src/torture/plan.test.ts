/** A seed decides everything: the same storm each time, and no two alike. */

import { expect, test } from 'vitest';
import { drawPlan, type FaultKind, faultKinds, faults, kindsOn, type Setup } from './plan.ts';

const own = { ground: 'sqlite', record: null, isOurs: true } as const;
const setups: readonly Setup[] = [
  own,
  { ...own, ground: 'postgres' },
  { ...own, ground: 'redis', record: 'sqlite' },
  { ...own, ground: 'redis', record: 'postgres' },
];

const plans = Array.from({ length: 200 }, (_, seed) => drawPlan({ seed, minutes: 10, rate: 1_000, ...own }));

test('one seed draws the same plan each time, and another one another', () => {
  expect(drawPlan({ seed: 7, minutes: 3, rate: 100, ...own })).toEqual(
    drawPlan({ seed: 7, minutes: 3, rate: 100, ...own }),
  );
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
  const drawn = setups.map((setup) =>
    Array.from({ length: 100 }, (_, seed) => drawPlan({ seed, minutes: 10, rate: 1, ...setup }).periods),
  );
  for (const [index, setup] of setups.entries())
    expect(new Set(drawn[index]?.flat(2))).toEqual(new Set(kindsOn(setup)));
  expect(new Set(drawn.flat(3))).toEqual(new Set(faultKinds));
  expect(new Set(plans.map(({ leaseMs }) => leaseMs))).toEqual(new Set([2_000, 5_000, 30_000]));
});

test('a run of seconds has several periods and a short lease', () => {
  expect(drawPlan({ seed: 1, minutes: 0.15, rate: 10, ...own })).toMatchObject({
    periodMs: 3_000,
    leaseMs: 2_000,
    stormMs: 9_000,
  });
});

test('nothing is done to a server that others may use: only to the way there', () => {
  const done = kindsOn({ ground: 'redis', record: null, isOurs: false }).filter(
    (kind: FaultKind) => 'on' in faults[kind],
  );
  expect(done).toEqual(['outage', 'silence', 'slowNetwork', 'resetConnections', 'loseReply']);
});

test('a store is there for half of each period at least, whatever is done to it', () => {
  const awayKinds: readonly FaultKind[] = ['killStore', 'outage', 'silence', 'stallStore', 'freezeStore'];
  const drawn = Array.from({ length: 100 }, (_, seed) =>
    drawPlan({ seed, minutes: 10, rate: 1, ground: 'redis', record: 'sqlite', isOurs: true }),
  );
  const strikes = drawn.flatMap((plan) => plan.strikes).filter(({ kind }) => awayKinds.includes(kind));
  const awayMs = strikes.reduce((sum, { ms }) => sum + ms, 0);
  const troubledMs = drawn.reduce(
    (sum, { periods, periodMs }) => sum + periodMs * periods.filter((kinds) => kinds.length > 0).length,
    0,
  );
  expect(awayMs).toBeLessThan(troubledMs / 2);
});

/** Checks that deadlines come in time, once, and that one timer is enough for all of them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { createWheel, type Timed } from './wheel.ts';

function entry(onExpire: () => void): Timed {
  return { bucket: -1, expire: onExpire };
}

test('what became ready while the loop stood still is heard before a deadline that passed meanwhile', async () => {
  const clock = createManualClock();
  const wheel = createWheel(clock);
  const expired: string[] = [];
  const [ends, hangs] = ['ends', 'hangs'].map((name) => entry(() => expired.push(name)));
  for (const one of [ends!, hangs!]) wheel.set(one, 960);
  clock.schedule(960, () => wheel.clear(ends!));
  clock.freeze(30_000);
  await clock.advance(980);
  expect(expired).toEqual(['hangs']);
  expect(clock.timers()).toBe(0);
});

test('each deadline comes once, at most 16 ms late and never early', async () => {
  const deadlines = fc.array(fc.record({ at: fc.integer({ min: 0, max: 5_000 }), cleared: fc.boolean() }), {
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(deadlines, async (given) => {
      const clock = createManualClock();
      const wheel = createWheel(clock);
      const expired = new Map<number, number>();
      const entries = given.map((_, index) =>
        entry(() => {
          expect(expired.has(index)).toBe(false);
          expired.set(index, clock.elapsed());
        }),
      );
      for (const [index, one] of entries.entries()) wheel.set(one, given[index]?.at ?? 0);
      for (const [index, one] of entries.entries()) if (given[index]?.cleared) wheel.clear(one);
      expect(clock.timers()).toBeLessThanOrEqual(1);
      await clock.advance(5_100);
      for (const [index, { at, cleared }] of given.entries()) {
        const late = (expired.get(index) ?? Number.NaN) - at;
        if (cleared) expect(expired.has(index)).toBe(false);
        else expect(late >= 0 && late <= 16).toBe(true);
      }
      expect(clock.timers()).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test('an expiry may clear another one of the same moment, or set itself again', async () => {
  const clock = createManualClock();
  const wheel = createWheel(clock);
  const order: string[] = [];
  const second = entry(() => order.push('second'));
  const first: Timed = entry(() => {
    order.push('first');
    wheel.clear(second);
    if (order.length === 1) wheel.set(first, clock.elapsed() + 100);
  });
  wheel.set(first, 50);
  wheel.set(second, 50);
  await clock.advance(1_000);
  expect(order).toEqual(['first', 'first']);
});

test('a closed wheel holds no timer', () => {
  const clock = createManualClock();
  const wheel = createWheel(clock);
  wheel.set(
    entry(() => {}),
    1_000,
  );
  wheel.close();
  expect(clock.timers()).toBe(0);
});

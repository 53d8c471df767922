/** Rules of limits and the arithmetic of rates. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkLimitRules, checkLimitSettings, inForce, noSettings, takeToken, tokenAt } from './limit-rules.ts';
import type { LimitRule } from './task.ts';

const rule: LimitRule = { name: 'user:1', max: 1, rate: null };
const rated = (count: number, perMs: number): LimitRule => ({ name: 'r', max: null, rate: { count, perMs } });

test('sound rules are returned as they are', () => {
  const rules = [rule, rated(3, 1_000), { name: 'c', max: null, rate: null }];
  expect(checkLimitRules(rules)).toBe(rules);
  expect(checkLimitRules([])).toEqual([]);
});

test.each<[string, readonly LimitRule[], RegExp]>([
  [
    'four rules',
    ['a', 'b', 'c', 'd'].map((name) => ({ ...rule, name })),
    /limits is not valid: there are 4, at most 3/,
  ],
  ['a name twice', [rule, rule], /limits\[1\]\.name is not valid: "user:1" is there twice/],
  ['an empty name', [{ ...rule, name: '' }], /limits\[0\]\.name is not valid: it is empty/],
  [
    'a maximum of 0',
    [{ ...rule, max: 0 }],
    /limits\[0\]\.max is not valid: 0 is not a whole number.*no task would ever start/,
  ],
  ['half a slot', [{ ...rule, max: 1.5 }], /limits\[0\]\.max is not valid: 1\.5/],
  ['too many slots', [{ ...rule, max: 100_001 }], /from 1 to 100000/],
  ['a rate of 0', [rated(0, 1_000)], /limits\[0\]\.rate\.count is not valid: 0/],
  ['a period of 0', [rated(1, 0)], /limits\[0\]\.rate\.perMs is not valid: 0/],
  ['an endless period', [rated(1, Number.POSITIVE_INFINITY)], /limits\[0\]\.rate\.perMs is not valid: Infinity/],
  [
    'more than one in a microsecond',
    [rated(1_001, 1)],
    /limits\[0\]\.rate\.count is not valid: more than 1000 in 1 ms/,
  ],
])('%s: refused with its path', (_what, rules, message) => {
  expect(() => checkLimitRules(rules)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  expect(() => checkLimitRules(rules)).toThrow(message);
});

test('settings may be absent or null', () => {
  checkLimitSettings({}, 'limit l');
  checkLimitSettings({ max: null, rate: null }, 'limit l');
  expect(() => checkLimitSettings({ max: -1 }, 'limit l')).toThrow(/limit l\.max/);
});

test('what is configured goes before what the task says', () => {
  const rate = { count: 1, perMs: 5 };
  expect(inForce(rule, noSettings)).toEqual({ max: 1, rate: null });
  expect(inForce(rule, { max: 7, rate })).toEqual({ max: 7, rate });
});

test('a full burst, then one an interval', () => {
  const rate = { count: 3, perMs: 1_000 };
  let tat = 0;
  const starts: number[] = [];
  for (let now = 10_000; now < 12_100; now += 1) {
    while (tokenAt(tat, rate) <= now) {
      tat = takeToken(tat, rate, now);
      starts.push(now - 10_000);
    }
  }
  expect(starts).toEqual([0, 0, 0, 334, 667, 1_001, 1_334, 1_667, 2_001]);
});

test('no stretch of time has more starts than the burst and its share', () => {
  const rates = fc.record({ count: fc.integer({ min: 1, max: 50 }), perMs: fc.integer({ min: 1, max: 10_000 }) });
  const pauses = fc.array(fc.nat({ max: 3_000 }), { maxLength: 100 });
  fc.assert(
    fc.property(rates, pauses, (rate, waits) => {
      let [tat, now] = [0, 1_750_000_000_000];
      const starts: number[] = [];
      for (const wait of waits) {
        now += wait;
        if (tokenAt(tat, rate) > now) continue;
        tat = takeToken(tat, rate, now);
        starts.push(now);
      }
      for (const [first, from] of starts.entries()) {
        for (let last = first; last < starts.length; last += 1) {
          const spanMs = (starts[last] ?? 0) - from;
          expect(last - first + 1).toBeLessThanOrEqual(rate.count + (spanMs * rate.count) / rate.perMs);
        }
      }
      expect(Number.isSafeInteger(tat)).toBe(true);
    }),
  );
});

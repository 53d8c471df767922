/** Tests the arithmetic of turns. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkWeight, isServedBefore, takeTurn, turnPrice } from './turns.ts';

test('a group of twice the weight pays half the price', () => {
  expect(takeTurn(0, 0, 1)).toEqual({ queue: 0, group: turnPrice });
  expect(takeTurn(0, 0, 2)).toEqual({ queue: 0, group: turnPrice / 2 });
});

test('who was away begins where the queue is, who is ahead pays on top', () => {
  expect(takeTurn(5_000, 10, 1)).toEqual({ queue: 5_000, group: 5_000 + turnPrice });
  expect(takeTurn(10, 5_000, 1)).toEqual({ queue: 5_000, group: 5_000 + turnPrice });
});

test('nobody is further ahead of the queue than one task, for any weights and any order of waiting', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(weights, fc.array(fc.nat({ max: 7 }), { maxLength: 200 }), (all, absent) => {
      const turns = all.map(() => 0);
      let queue = 0;
      for (const away of absent) {
        const waiting = all.map((_, index) => index).filter((index) => all.length === 1 || index !== away % all.length);
        const next = waiting.reduce((best, index) => ((turns[index] ?? 0) < (turns[best] ?? 0) ? index : best));
        const taken = takeTurn(queue, turns[next] ?? 0, all[next] ?? 1);
        expect(taken.queue).toBeGreaterThanOrEqual(queue);
        queue = taken.queue;
        turns[next] = taken.group;
        expect(Math.max(...turns) - queue).toBeLessThanOrEqual(turnPrice);
      }
    }),
  );
});

test('of equal turns the one that waits longer is next, then the name, and first what has none', () => {
  const at = (group: string | null, since: number) => ({ group, turn: 1, since });
  expect(isServedBefore(at('b', 1), at('a', 2))).toBe(true);
  expect(isServedBefore(at('a', 1), at('b', 1))).toBe(true);
  expect(isServedBefore(at(null, 1), at('a', 1))).toBe(true);
  expect(isServedBefore(at('a', 1), at('a', 1))).toBe(false);
});

test.each([0, -1, 1.5, 1_001, Number.NaN, '2'])('a weight of %j is refused', (weight) => {
  expect(() => checkWeight(weight, 'weight')).toThrow('whole number from 1 to 1000');
});

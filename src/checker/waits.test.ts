/** Checks that shares of waits are read close enough, and the longest exactly. */

import { expect, test } from 'vitest';
import { createWaitBook } from './waits.ts';

test('shares are at most a fifth too long, the longest is what it was', () => {
  const book = createWaitBook();
  for (let ms = 1; ms <= 1_000; ms++) book.add(ms);
  book.add(70_123);
  const { median, p99, longest } = book.read();
  expect(longest).toBe(70_123);
  expect(median).toBeGreaterThanOrEqual(500);
  expect(median).toBeLessThanOrEqual(600);
  expect(p99).toBeGreaterThanOrEqual(990);
  expect(p99).toBeLessThanOrEqual(1_190);
});

test('where nothing waited all are zero', () => {
  expect(createWaitBook().read()).toEqual({ median: 0, p99: 0, longest: 0 });
});

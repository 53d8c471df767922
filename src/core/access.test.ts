/** Tests the patterns of queues. */

import { expect, test } from 'vitest';
import { matchesPattern, reachesQueue, roleOfScopes } from './access.ts';

test.each([
  ['email', 'email', true],
  ['email', 'email.high', false],
  ['email.*', 'email.high', true],
  ['email.*', 'email', false],
  ['email.*', 'xemail.high', false],
  ['*', '', true],
  ['*.high', 'a.b.high', true],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['a.c', 'abc', false],
  ['[a]+', 'a', false],
  ['', 'a', false],
])('%j reaches %j: %s', (pattern, queue, reaches) => {
  expect(matchesPattern(pattern, queue)).toBe(reaches);
  expect(reachesQueue([pattern], queue)).toBe(reaches);
});

test('a pattern takes no longer than its length times that of the name', () => {
  expect(matchesPattern(`${'*a'.repeat(100)}b`, 'a'.repeat(10_000))).toBe(false);
});

test('no patterns is everything, an empty list nothing', () => {
  expect([reachesQueue(null, 'a'), reachesQueue([], 'a')]).toEqual([true, false]);
});

test('scopes stand for the least role that they need', () => {
  expect([roleOfScopes(['read']), roleOfScopes(['read', 'enqueue']), roleOfScopes(['work', 'admin'])]).toEqual([
    'viewer',
    'operator',
    'admin',
  ]);
});

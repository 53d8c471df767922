/** Tests names and numbers of priorities. */
import { expect, test } from 'vitest';
import { parsePriority } from './priority.ts';

test.each([
  ['urgent', 0],
  ['high', 2],
  ['normal', 5],
  ['low', 8],
  [0, 0],
  [9, 9],
  ['3', 3],
])('reads %j as %i', (value, number) => {
  expect(parsePriority(value)).toBe(number);
});

test.each(['hihg', 'toString', '', 10, -1, 1.5, Number.NaN, null, undefined, '10', Symbol('x')])(
  'refuses %s',
  (value) => {
    expect(() => parsePriority(value)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  },
);

test('suggests the nearest name', () => {
  expect(() => parsePriority('hgh')).toThrow('Did you mean high?');
});

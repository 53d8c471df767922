/** Tests how people write rates. */

import { expect, test } from 'vitest';
import { parseRate, rateText } from './rate-text.ts';

test.each([
  ['100/1m', { count: 100, perMs: 60_000 }],
  ['1/1500ms', { count: 1, perMs: 1_500 }],
  ['5/1d', { count: 5, perMs: 86_400_000 }],
])('%s is read and written alike', (text, rate) => {
  expect(parseRate(text, 'rate')).toEqual(rate);
  expect(rateText(rate)).toBe(text);
});

test.each(['', '100', '0/1m', '-1/1m', '1/0s', '1/1x', '1.5/1m', '2000000/1h', '5000/1ms', '1/400d'])(
  '%j is refused with the reason',
  (text) => {
    expect(() => parseRate(text, 'rate')).toThrow(/rate.* is not valid/);
  },
);

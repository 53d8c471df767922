/** Tests that a number is written as it was sent, whatever a double would make of it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readStoredJson } from './stored-json.ts';

test.each([
  '{"id":12345678901234567890,"n":-98765432109876543210}',
  '[1e400,-1e400,1e-400,0.1234567890123456789]',
  '{"a":"12345678901234567890","b":[1,2.5,-3e2]}'.replace('-3e2', '-300'),
])('%s comes back digit for digit', (text) => {
  expect(JSON.stringify(readStoredJson(text))).toBe(text);
});

test.each([
  '12345678901234567890',
  '[ 12345678901234567890,\n\t-12345678901234567890 , 0.12345678901234567890]',
  '{"id" : 12345678901234567890, "4e5": "4e5-4e5", "e": [[-1e400]]}',
])('a number in %s is kept wherever it stands', (text) => {
  expect(JSON.stringify(readStoredJson(text))).toBe(text.replace(/\s/g, ''));
});

test('what a double holds stays a number', () => {
  expect(readStoredJson('{"a":1.10,"b":0.30000000000000004,"c":9007199254740991,"d":1e3}')).toEqual({
    a: 1.1,
    b: 0.30000000000000004,
    c: 9_007_199_254_740_991,
    d: 1000,
  });
});

test('any JSON value is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(JSON.parse(JSON.stringify(readStoredJson(text)))).toEqual(JSON.parse(JSON.stringify(JSON.parse(text))));
    }),
  );
});

test('a number of any length and place is written as it was sent', () => {
  const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,25})(\.\d{1,25})?([eE][+-]?\d{1,3})?$/);
  fc.assert(
    fc.property(digits, fc.constantFrom('#', '[#]', '{"a":#}', '[1, #]', '[1,\n#]', '{"a" : # }'), (number, around) => {
      const text = around.replace('#', number);
      const kept = JSON.stringify(readStoredJson(text));
      if (kept === text.replace(/\s/g, '')) return;
      // A number that a double holds may be written otherwise.
      expect(kept).toBe(JSON.stringify(JSON.parse(text)));
      expect(number.replace(/[eE].*$/, '').replace(/^-?0?\.?0*|\D/g, '').length).toBeLessThanOrEqual(15);
    }),
    { numRuns: 1_000 },
  );
});

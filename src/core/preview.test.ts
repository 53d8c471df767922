/** Tests that a preview is one short, safe line. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { preview } from './preview.ts';

test.each([
  ['{"a":1}', '{"a":1}'],
  ['{\n  "a": 1\n}', '{ "a": 1 }'],
  ['a\u0000b\u001b[31mc', 'a b [31mc'],
  ['\u202egnp.exe', 'gnp.exe'],
  ['\ud800x', '\ufffdx'],
  ['', ''],
])('shows %j as %j', (text, expected) => {
  expect(preview(text)).toBe(expected);
});

test('cuts with an ellipsis, never through a character', () => {
  expect(preview('abcdef', 4)).toBe('abc…');
  expect(preview('ab😀cd', 4)).toBe('ab…');
  expect(preview('abcd', 4)).toBe('abcd');
});

test('is one well-formed line of bounded length for any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.integer({ min: 1, max: 60 }), (text, lengthMax) => {
      const line = preview(text, lengthMax);
      expect(line.length).toBeLessThanOrEqual(lengthMax);
      expect(line.isWellFormed()).toBe(true);
      for (const wild of ['\n', '\r', '\0', '\u001b', '\u2028']) expect(line).not.toContain(wild);
    }),
  );
});

test('reads only the beginning of a long text', () => {
  expect(preview('x'.repeat(50_000_000), 120)).toBe(`${'x'.repeat(119)}…`);
});

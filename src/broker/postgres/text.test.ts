// Texts on their way into Postgres and back: whatever they hold, and in arrays too.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrayOf, arrayOfJson, decodeText, encodeText } from './text.ts';

/** What Postgres reads in an array literal, for texts and NULL. */
function readArray(literal: string): readonly (string | null)[] {
  const found = literal.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|NULL/gs);
  return [...found].map(([, text]) => (text === undefined ? null : decodeText(text.replace(/\\(.)/gs, '$1'))));
}

const texts = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\0', '\uFFFE', '0', 'e', ',', '{', '}', '\n', '🙂') });

test('any text comes back, and Postgres never sees a NUL', () => {
  fc.assert(
    fc.property(texts, (text) => {
      expect(encodeText(text)).not.toContain('\0');
      expect(decodeText(encodeText(text))).toBe(text);
    }),
  );
});

test('two texts that differ are stored as two', () => {
  fc.assert(
    fc.property(texts, texts, (left, right) => {
      expect(encodeText(left) === encodeText(right)).toBe(left === right);
    }),
  );
});

test('any list comes back out of an array, from values and from JSON', () => {
  const lists = fc.array(fc.option(texts));
  fc.assert(
    fc.property(lists, (list) => {
      expect(readArray(arrayOf(list))).toEqual(list);
      const words = list.filter((text) => text !== null);
      expect(readArray(arrayOfJson(JSON.stringify(words)))).toEqual(words);
    }),
  );
  expect(arrayOfJson('[1,22]')).toBe('{1,22}');
});

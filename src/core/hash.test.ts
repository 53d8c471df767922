/** Compares the plain SHA-256 with the one of node:crypto. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256, sha256Hex } from './hash.ts';

test('agrees with node:crypto on every text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 150 }), (text) => {
      expect(sha256Hex(text)).toBe(createHash('sha256').update(text, 'utf8').digest('hex'));
    }),
  );
});

test.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])(
  'agrees with node:crypto on %i bytes, at the block borders',
  (length) => {
    const text = 'a'.repeat(length);
    expect(Buffer.from(sha256(text)).toString('hex')).toBe(createHash('sha256').update(text).digest('hex'));
  },
);

test('cuts the hex digest where asked', () => {
  expect(sha256Hex('abc', 8)).toBe('ba7816bf');
});

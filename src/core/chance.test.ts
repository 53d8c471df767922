/** Tests of the process's own randomness: drawn in advance, and given away once. */

import { expect, test } from 'vitest';
import { createToken, systemChance } from './chance.ts';

test('bytes are as many as were asked for, few or more than are drawn at a time', () => {
  const counts = [0, 1, 16, 256, 257, 2_048, 8_192];

  const lengths = counts.map((count) => systemChance.bytes(count).length);

  expect(lengths).toEqual(counts);
});

test('bytes are given away once: no token comes twice, and changing one changes no other', () => {
  const first = systemChance.bytes(16);
  const copy = [...first];
  const tokens = Array.from({ length: 1_000 }, () => createToken(systemChance));

  first.fill(0);
  const last = systemChance.bytes(16);

  expect(new Set(tokens).size).toBe(1_000);
  expect(tokens).not.toContain(copy.map((byte) => byte.toString(16).padStart(2, '0')).join(''));
  expect(last.buffer).not.toBe(first.buffer);
});

test('a token is 32 lower-case hex digits', () => {
  const bytes = Uint8Array.from({ length: 16 }, (_, index) => index * 17);

  expect(createToken({ float: () => 0, bytes: () => bytes })).toBe('00112233445566778899aabbccddeeff');
});

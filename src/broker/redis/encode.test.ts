// Commands as bytes, beside what the client library makes of them.

import { Command } from 'ioredis';
import { expect, test } from 'vitest';
import { encodeCommand } from './encode.ts';

const samples: readonly (readonly (string | number)[])[] = [
  [],
  [''],
  ['a', 0, 12, 3.5, -1],
  ['x'.repeat(9), 'x'.repeat(10), 'x'.repeat(99), 'x'.repeat(100), 'x'.repeat(100_000)],
  ['ü', 'ascii'],
  ['ascii', 'ü☃😀'],
  ['aaa☃☃☃'],
  ['half \ud800 of a pair', '\udc00'],
  ['\0\r\n$3\r\n', '"'],
  Array.from({ length: 1_000 }, (_, n) => 'ü'.repeat(n % 7)),
];

test.each(samples.map((args) => [JSON.stringify(args).slice(0, 60), args] as const))('%s', (_name, args) => {
  const command = new Command('FCALL', [...args]);
  expect(encodeCommand(['FCALL', ...args])).toEqual(Buffer.from(command.toWritable(null as never)));
});

test('every mix of characters of one to four bytes', () => {
  const characters = ['a', 'ü', '☃', '😀'];
  for (let n = 0; n < 4 ** 6; n++) {
    const text = Array.from({ length: 6 }, (_, place) => characters[(n >> (2 * place)) & 3]).join('');
    const expected = `*1\r\n$${Buffer.byteLength(text)}\r\n${text}\r\n`;
    if (encodeCommand([text]).toString() !== expected) expect.fail(text);
  }
});

/** Checks that output becomes lines, however it is cut, and that none of it grows without bound. */
import { expect, test } from 'vitest';
import { limits } from '../core/limits.ts';
import { createOutputLines } from './output-lines.ts';

function linesOf(chunks: readonly (string | Buffer)[]): string[] {
  const lines: string[] = [];
  const output = createOutputLines((line) => lines.push(line));
  for (const chunk of chunks) output.add(Buffer.from(chunk as string));
  output.end();
  return lines;
}

test('lines are whole however their chunks are cut', () => {
  const bytes = Buffer.from('ä one\r\ntwo\n\nthree');
  const cuts = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
  expect(linesOf(cuts)).toEqual(['ä one', 'two', 'three']);
});

test('a line without an end is cut, and the next one is whole', () => {
  const [long = '', next] = linesOf([...Array.from({ length: 100 }, () => 'x'.repeat(1_000)), '\nnext\n']);
  expect([long.length, next]).toEqual([limits.logLineMax + 1, 'next']);
});

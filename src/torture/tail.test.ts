/** A tail hands over whole lines, once each, as they are completed. */

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createTail } from './tail.ts';

const folder = mkdtempSync(join(tmpdir(), 'taskflow-tail-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('lines come once, when they are whole, also those longer than a look', () => {
  const path = join(folder, 'notes');
  const tail = createTail(path);
  const lines: string[] = [];
  const look = (): number => {
    tail.read((line) => lines.push(line));
    return lines.length;
  };
  expect(look()).toBe(0);
  appendFileSync(path, 'one\ntw');
  expect(look()).toBe(1);
  appendFileSync(path, `o\n${'long'.repeat(200_000)}\nérr`);
  expect(look()).toBe(3);
  appendFileSync(path, 'or\n');
  look();
  tail.close();
  expect(lines.map((line) => line.slice(0, 8))).toEqual(['one', 'two', 'longlong', 'érror']);
  expect(lines[2]).toHaveLength(800_000);
});

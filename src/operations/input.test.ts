/** Tests that a wrong input is told with every path, and with the nearest known field. */
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { parseInput } from './input.ts';
import { enqueueInput, listInput } from './schemas.ts';

/** The problems an input is refused with, as `path: message`. */
function problems(schema: z.ZodType, input: unknown): readonly string[] {
  try {
    parseInput(schema, input);
    return [];
  } catch (error) {
    const { details } = error as { details: { problems: { path: string; message: string }[] } };
    return details.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

test.each([
  [{ name: 'a', dealy: 1 }, ['dealy: unknown field. Did you mean delay?']],
  [{ name: 'a', xyz: 1 }, ['xyz: unknown field.']],
  [{ name: 'a', retry: { atempts: 3 } }, ['retry.atempts: unknown field. Did you mean attempts?']],
  [{ name: 'a', retry: { attempts: 0 } }, ['retry.attempts: too small: expected number to be >=1']],
  [{ name: 'a', retry: '3' }, ['retry: expected number or object']],
  [{ name: 'a', delay: true }, ["delay: must be a duration such as '30s' or milliseconds"]],
  [{ name: 'a', tags: ['x', 5] }, ['tags[1]: expected string, received number']],
  [{}, ['name: expected string, received undefined']],
  [5, [': expected object, received number']],
])('of an enqueue of %j', (input, expected) => {
  expect(problems(enqueueInput, input)).toEqual(expected);
});

test('accepts numbers in the text of a query', () => {
  expect(parseInput(listInput, { limit: '5' })).toEqual({ limit: 5 });
  expect(problems(listInput, { limit: '0' })).toHaveLength(1);
});

test('tells at most twenty mistakes, and cuts long names', () => {
  const input = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`${'x'.repeat(1_000)}${at}`, 1]));
  const told = problems(enqueueInput, { name: 'a', ...input });
  expect(told).toHaveLength(20);
  expect(Math.max(...told.map((line) => line.length))).toBeLessThan(250);
});

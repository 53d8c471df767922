/** Tests that a wrong input is told with every path, and with the nearest known field. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { limits } from '../core/limits.ts';
import { claimInput, outcomesInput } from './http-worker-schemas.ts';
import { parseInput } from './input.ts';
import { enqueueInput, enqueueManyInput, listInput } from './schemas.ts';

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

test('a number that is none is said without what became of it', () => {
  expect(() => parseInput(z.object({ minutes: z.coerce.number() }), { minutes: 'many' })).toThrow(
    /minutes is not valid: expected number$/,
  );
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

test('says how many mistakes there are beside those that are told', () => {
  const tasks = Array.from({ length: 100 }, () => ({ name: 1 }));
  expect(() => parseInput(enqueueManyInput, { tasks })).toThrow(
    'tasks[19].name: expected string, received number; and 80 more',
  );
});

describe('of a body full of mistakes', () => {
  const refusal = { code: 'INVALID_OPTION', status: 400 };
  const many = (text: string, bytes: number): unknown[] => Array(bytes / (text.length + 1)).fill(JSON.parse(text));

  function refused(
    schema: z.ZodType,
    input: unknown,
  ): { readonly message: string; readonly details: { readonly problems: readonly unknown[] } } {
    try {
      parseInput(schema, input);
    } catch (error) {
      expect(error).toMatchObject(refusal);
      return error as ReturnType<typeof refused>;
    }
    throw new Error('It was accepted.');
  }

  test.each([
    ['a list that is too long', enqueueManyInput, { tasks: many('1', 5_000_000) }],
    ['wrong tags of a task', enqueueManyInput, { tasks: [{ name: 'a', tags: many('1', 5_000_000) }] }],
    [
      'many wrong tasks',
      enqueueManyInput,
      { tasks: Array.from({ length: 1_000 }, () => ({ tags: Array(20).fill(1) })) },
    ],
    [
      'empty tasks that runs bring along',
      outcomesInput,
      { worker: 'w', outcomes: Array.from({ length: 1_000 }, () => ({ spawn: Array(1_000).fill({}) })) },
    ],
    ['unknown fields', enqueueInput, Object.fromEntries(many('1', 400_000).map((one, at) => [`x${at}`, one]))],
    [
      'wrong numbers by name',
      claimInput,
      { queues: Object.fromEntries(many('1', 400_000).map((_one, at) => [`x${at}`, 'y'])) },
    ],
  ] as const)('%s are told in a few words', (_what, schema, input) => {
    const { message, details } = refused(schema, input);
    expect(details.problems.length).toBeLessThanOrEqual(limits.problemsMax);
    expect(message.length).toBeLessThan(10_000);
  });
});

/** Tests that a schema's mistakes are told in a few words, however many it finds. */

import { expect, test } from 'vitest';
import { z } from 'zod';
import { limits } from '../core/limits.ts';
import { parseWith } from './schema.ts';

const wrong = (count: number): unknown[] => Array(count).fill(1);

test('the details hold the first mistakes, and the message how many more there are', () => {
  const list = z.array(z.string());
  const { message, details } = refusalOf(list, wrong(1_000));
  expect(message).toContain('[4]: Invalid input: expected string, received number; and 995 more');
  expect(details.problems).toHaveLength(limits.problemsMax);
});

test('more mistakes than a call takes arguments are told as that', async () => {
  const told = { code: 'INVALID_INPUT', message: expect.stringContaining('it has more mistakes than can be told') };
  // Where a schema throws, zod tries it once more, as one that takes its time.
  const parsed = parseWith(z.array(z.array(z.string())), [wrong(500_000)], 'shop.charge', 'INVALID_INPUT');
  await expect(parsed).rejects.toMatchObject(told);
  const throwing = { '~standard': { version: 1, vendor: 'own', validate: () => [].push(...(wrong(500_000) as [])) } };
  expect(() => parseWith(throwing as never, 1, 'shop.charge', 'INVALID_INPUT')).toThrow(expect.objectContaining(told));
});

function refusalOf(schema: z.ZodType, value: unknown) {
  try {
    parseWith(schema, value, 'shop.charge', 'INVALID_INPUT');
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID_INPUT', status: 400 });
    return error as Error & { readonly details: { readonly problems: readonly unknown[] } };
  }
  throw new Error('It was accepted.');
}

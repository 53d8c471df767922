/** Tests that a schema which differs from the interface of its document does not compile. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { documentSchema } from './output.ts';

interface Sample {
  readonly id: string;
  readonly tags: readonly string[];
  readonly input: unknown;
}

const fields = { id: z.string(), tags: z.array(z.string()), input: z.unknown() };

test('a schema says what the interface says, or the compiler complains', () => {
  const schema = documentSchema<Sample>()('Sample', z.strictObject(fields));
  expect(schema.safeParse({ id: 'T', tags: [], input: null }).success).toBe(true);
  // @ts-expect-error a field more
  documentSchema<Sample>()('Sample', z.strictObject({ ...fields, more: z.string().optional() }));
  // @ts-expect-error a field less
  documentSchema<Sample>()('Sample', z.strictObject({ id: z.string(), tags: z.array(z.string()) }));
  // @ts-expect-error a field that may be null
  documentSchema<Sample>()('Sample', z.strictObject({ ...fields, id: z.string().nullable() }));
  // @ts-expect-error a narrower field
  documentSchema<Sample>()('Sample', z.strictObject({ ...fields, id: z.literal('T') }));
});

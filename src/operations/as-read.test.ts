/** Tests that what is taken as it is, is what the schema answers. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { isAsRead } from './as-read.ts';
import { enqueueInput, enqueueManyInput } from './schemas.ts';

const good: readonly unknown[] = [
  { name: 'mail.send' },
  { name: 'mail.send', input: { to: 'ada', deep: [{ x: null }] } },
  { name: 'mail.send', input: null, id: 'any text', queue: 'slow', key: 'k', group: 'g', tags: ['a', 'b'] },
  { name: 'mail.send', delay: '5s', startWithin: 1_000, timeout: null, priority: 5, ifExists: 'replace' },
];

test.each(good)('a task that says %j is not read anew', (input) => {
  expect(isAsRead(enqueueInput, input)).toBe(true);
  expect(isAsRead(enqueueManyInput, { tasks: [input, input] })).toBe(true);
});

test.each([
  [{}],
  [{ input: 1 }],
  [{ name: '' }],
  [{ name: 'x'.repeat(201) }],
  [{ name: 'a', unknown: 1 }],
  [{ name: 'a', tags: Array.from({ length: 17 }, () => 'x') }],
  [Object.create({ name: 'a' })],
  [['a']],
  ['a'],
  [null],
])('%j is left to the schema', (input) => {
  expect(isAsRead(enqueueInput, input)).toBe(false);
  expect(isAsRead(enqueueManyInput, { tasks: [{ name: 'a' }, input] })).toBe(false);
});

/** What may stand in a field, right or wrong. */
const anyField = fc.oneof(
  fc.constantFrom('', 'a', '30s', 'replace', 'x'.repeat(300), 0, 1, 5, -1, 1.5, null, true, undefined),
  fc.constantFrom<unknown>([], ['a'], [5], {}, { attempts: 3 }, { max: 2, name: 'n' }, Number.NaN),
);
const anyTask = fc.dictionary(fc.constantFrom(...Object.keys(enqueueInput.shape), 'other'), anyField, { maxKeys: 4 });

test('what is taken as it is, is what the schema answers', () => {
  let taken = 0;
  fc.assert(
    fc.property(anyTask, fc.boolean(), (fields, isNamed) => {
      const input = { ...fields, ...(isNamed && { name: 'a' }) };
      if (!isAsRead(enqueueInput, input)) return;
      taken++;
      expect(enqueueInput.safeParse(input)).toStrictEqual({ success: true, data: input });
    }),
    { numRuns: 2_000, seed: 1 },
  );
  expect(taken).toBeGreaterThan(100);
});

test.each([
  ['fills in', z.object({ a: z.string().default('x') }), {}],
  ['fills in what may be left out', z.object({ a: z.string().default('x').optional() }), {}],
  ['leaves out', z.object({ a: z.string() }), { a: 'x', b: 1 }],
  ['makes numbers', z.object({ a: z.coerce.number() }), { a: 5 }],
  ['trims', z.string().trim(), 'x'],
  ['changes', z.string().transform((text) => text.length), 'x'],
  ['has a rule of its own', z.string().refine((text) => text !== 'x'), 'x'],
  ['has a rule about the whole', z.object({ a: z.string() }).refine(({ a }) => a !== 'x'), { a: 'x' }],
  ['has a form', z.iso.datetime(), 'x'],
  ['has bounds of numbers', z.number().min(5), 1],
  ['may change in one of its ways', z.union([z.string().trim(), z.string()]), ' x'],
])('a schema that %s is asked', (_words, schema, input) => {
  expect(isAsRead(schema, input)).toBe(false);
});

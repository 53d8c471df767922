/** Tests that a published schema refuses an input full of mistakes at once. */

import { expect, test } from 'vitest';
import type { Definition } from '../core/presence.ts';
import { parseWithJsonSchema } from './json-schema.ts';

const lists = { type: 'array', items: { type: 'array', items: { type: 'string' } } };
const definition = { name: 'shop.charge', schemaVersion: 'v1', inputSchema: lists } as unknown as Definition;

test('of a large input the first mistake is told', () => {
  const input = [Array(500_000).fill(1)];
  expect(() => parseWithJsonSchema(definition, input)).toThrow(
    expect.objectContaining({
      code: 'INVALID_INPUT',
      details: { problems: [expect.objectContaining({ path: '[0][0]' })] },
    }),
  );
});

test('of a small one all mistakes are', () => {
  const message = /\[0\]\[0\]: .*; \[0\]\[1\]: .*; \[1\]: /;
  expect(() => parseWithJsonSchema(definition, [[1, 2], 'x'])).toThrow(message);
  expect(parseWithJsonSchema(definition, [['a'], []])).toEqual([['a'], []]);
});

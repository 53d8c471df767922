/** Tests that no schema of a worker can hold up a server, whatever is in it and whatever input comes. */

import { expect, test } from 'vitest';
import { z } from 'zod';
import type { Definition } from '../core/presence.ts';
import { safeSchema } from './foreign-schema.ts';
import { parseWithJsonSchema } from './json-schema.ts';

let versions = 0;
const parse = (inputSchema: unknown, input: unknown) =>
  parseWithJsonSchema({ name: 'a', schemaVersion: `v${versions++}`, inputSchema } as Definition, input);

/** Each takes years of a backtracking engine. */
const evil = ['^(a+)+$', '^(a|a)*$', '^(a|aa)+$', '^([a-zA-Z]+)*$', '(x+x+)+y', '^(.*a){25}$', '^(\\w+\\s?)*$'];
const long = `${'a'.repeat(50_000)}!`;

test.each(evil)('a pattern is not run: %s', (pattern) => {
  const text = { type: 'string', pattern };
  expect(parse(text, long)).toBe(long);
  const nested = {
    type: 'object',
    properties: { pattern: text, list: { type: 'array', items: { anyOf: [text, { type: 'null' }] } } },
    $defs: { part: text },
    patternProperties: { [pattern]: { type: 'string' } },
    propertyNames: { pattern },
    additionalProperties: false,
  };
  const input = { pattern: long, list: [long, null], [long]: long };
  expect(parse(nested, input)).toEqual(input);
});

test('everything else of a schema is checked as before', () => {
  const schema = z.toJSONSchema(
    z.object({
      pattern: z.string().min(2).max(5),
      count: z.int().positive().default(3),
      mail: z.email(),
      kind: z.enum(['pattern', 'x']),
    }),
    { io: 'input' },
  );
  const right = { pattern: 'abc', mail: 'ada@example.com', kind: 'pattern' };
  expect(parse(schema, right)).toEqual({ ...right, count: 3 });
  for (const wrong of [{ pattern: 'a' }, { pattern: 'abcdef' }, { count: -1 }, { mail: 'nobody' }, { kind: 'y' }])
    expect(() => parse(schema, { ...right, ...wrong })).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
});

test('names that a schema is about are no keywords', () => {
  const schema = {
    type: 'object',
    properties: { pattern: { type: 'string' } },
    required: ['pattern'],
    const: { pattern: 1 },
  };
  expect(safeSchema(schema)).toEqual(schema);
});

/** Each reference leads to two: 2^40 ways through one that fits on a page. */
const bomb = (union: string) => ({
  $ref: '#/$defs/l0',
  $defs: {
    ...Object.fromEntries(
      Array.from({ length: 40 }, (_, level) => {
        const next = { $ref: `#/$defs/l${level + 1}` };
        return [`l${level}`, { [union]: [next, next] }];
      }),
    ),
    l40: { type: 'number' },
  },
});

test.each(['anyOf', 'oneOf', 'allOf'])('references that double with each level are not followed: %s', (union) => {
  expect(parse(bomb(union), 'text')).toBe('text');
});

test('nor those that double beside one another', () => {
  const next = (level: number) => ({ $ref: `#/$defs/l${level}` });
  const parts = Array.from({ length: 40 }, (_, level) => [
    `l${level}`,
    { anyOf: [next(level + 1)], oneOf: [next(level + 1)] },
  ]);
  expect(safeSchema({ ...next(0), $defs: { ...Object.fromEntries(parts), l40: { type: 'number' } } })).toBeNull();
});

/** Each looks twice at every element of a list: at one of depth 60 that is 2^60 looks. */
const self = { $ref: '#' };
const lists = { type: 'array', items: self };
test.each([
  { ...lists, contains: self, minContains: 0 },
  { type: 'array', prefixItems: [self], contains: self, minContains: 0 },
  { $ref: '#/$defs/a', $defs: { a: { type: 'array', items: { $ref: '#/$defs/a' }, contains: { $ref: '#/$defs/a' } } } },
  { ...lists, allOf: [lists] },
  { ...lists, anyOf: [lists] },
  { ...lists, type: ['array', 'array'] },
])('a schema that looks twice at what is in a value is not followed: %j', (schema) => {
  expect(safeSchema(schema)).toBeNull();
  let deep: unknown = [5];
  for (let depth = 0; depth < 60; depth++) deep = [deep];
  expect(parse(schema, deep)).toBe(deep);
});

test('what a list must contain is checked where that looks once at each element', () => {
  const schema = { type: 'array', items: { type: 'number' }, contains: { const: 5 } };
  expect(parse(schema, [4, 5])).toEqual([4, 5]);
  expect(() => parse(schema, [4])).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
});

test.each([
  { $ref: '#' },
  { anyOf: [{ $ref: '#' }, { type: 'string' }] },
  { allOf: [{ $ref: '#' }, { type: 'string' }] },
  { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } },
  { properties: { a: { type: 'string' } }, $defs: { a: { not: { $ref: '#/$defs/a' } } } },
])('a schema that is in itself is not followed: %j', (schema) => {
  expect(safeSchema(schema)).toBeNull();
  expect(parse(schema, 5)).toBe(5);
});

test('one that goes on with the input is followed as far as that goes', () => {
  const tree = {
    type: 'object',
    properties: { name: { type: 'string' }, next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
    required: ['name'],
  };
  expect(parse(tree, { name: 'a', next: { name: 'b', next: null } })).toEqual({
    name: 'a',
    next: { name: 'b', next: null },
  });
  expect(() => parse(tree, { name: 'a', next: { name: 5 } })).toThrow(
    expect.objectContaining({ code: 'INVALID_INPUT' }),
  );
});

test('a schema of very many parts is left to the worker', () => {
  const many = { anyOf: Array.from({ length: 5_000 }, (_, index) => ({ const: index })) };
  expect(safeSchema(many)).toBeNull();
  expect(parse(many, 'text')).toBe('text');
});

test.each([
  'email',
  'uri',
  'uri-reference',
  'uuid',
  'date-time',
  'date',
  'time',
  'duration',
  'hostname',
  'ipv4',
  'ipv6',
  'mac',
  'cidr',
  'cidr-v6',
  'base64',
  'base64url',
  'e164',
  'credit_card',
  'iban',
  'jwt',
  'emoji',
  'nanoid',
  'cuid',
  'cuid2',
  'ulid',
  'xid',
  'ksuid',
])('a format is a check of our own, which ends: %s', (format) => {
  for (const part of ['a', '1', '.', '-', 'a.', '1:', '@', '=', 'a@a.', 'P1Y', '0:0', 'a-']) {
    for (const end of ['', '!', '@', '.']) {
      const text = part.repeat(Math.floor(50_000 / part.length)) + end;
      try {
        expect(parse({ type: 'string', format }, text)).toBe(text);
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_INPUT' });
      }
    }
  }
});

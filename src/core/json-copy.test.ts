/** Checks that a copy is what the JSON text would read as, whatever a value is made of. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeJson } from './json.ts';
import { copyAsJson } from './json-copy.ts';

const depthMax = 8;

function copied(value: unknown): unknown {
  const text = encodeJson(value, { what: 'It', bytesMax: 100_000, depthMax });
  const copy = copyAsJson(value, text, depthMax);
  expect(copy).toStrictEqual(JSON.parse(text));
  expect(JSON.stringify(copy)).toBe(text);
  return copy;
}

test('any JSON is copied as its text would be read', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: depthMax - 2 }), (value) => {
      fc.pre(!/__proto__|prototype|toJSON|\\u/.test(JSON.stringify(value)));
      copied(value);
    }),
  );
});

test('what JSON says differently is said so in the copy', () => {
  class Point {
    x = 1;
  }
  const nothing: object = Object.assign(Object.create(null), { a: 1 });
  const symbolic = { a: 1, [Symbol('s')]: 2 };
  const hidden = Object.defineProperty({ a: 1 }, 'b', { value: 2, enumerable: false });
  const asked = {
    get a() {
      return 1;
    },
  };
  const named = Object.assign([1, 2], { name: 'list' });
  const values = [
    -0,
    { a: -0, b: [-0, { c: -0 }] },
    { a: undefined, b: 1, c: [{ d: undefined }] },
    { at: new Date(0) },
    [new Point()],
    { a: { toJSON: () => 'told' } },
    { 2: 'b', 1: 'a', z: null, y: true },
    nothing,
    symbolic,
    hidden,
    asked,
    named,
    'text',
    null,
  ];

  expect(values.map(copied)).toHaveLength(values.length);
});

test('a copy shares nothing that can change', () => {
  const value = { a: { b: [1, { c: 2 }] }, d: 'text' };

  const copy = copied(value) as typeof value;
  value.a.b.push(3);
  value.d = 'other';

  expect(copy).toEqual({ a: { b: [1, { c: 2 }] }, d: 'text' });
});

test('a value that is deeper each time it is looked at is read from its text', () => {
  let looks = 0;
  const endless = (): object => ({
    get a() {
      looks += 1;
      return looks > 2 ? endless() : 1;
    },
  });

  expect(copyAsJson(endless(), '{"a":1}', depthMax)).toEqual({ a: 1 });
});

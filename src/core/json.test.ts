/** Tests what becomes JSON, what is refused with which path and reason, and that nothing hostile gets through or crashes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TaskFlowError } from './errors.ts';
import { decodeJson, encodeDecoded, encodeJson, formatBytes, isLarger, type JsonBounds, utf8Length } from './json.ts';

const bounds: JsonBounds = { what: 'The input', bytesMax: 1000, depthMax: 8 };

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

function checkRefused(value: unknown, path: string, reason: string, code = 'PAYLOAD_NOT_JSON'): void {
  let thrown: unknown;
  try {
    encodeJson(value, bounds);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(TaskFlowError);
  expect(thrown).toMatchObject({ code, details: { path } });
  expect((thrown as Error).message).toContain(reason);
}

const cyclic: Record<string, unknown> = { a: [] };
(cyclic.a as unknown[]).push(cyclic);
const sparse = [1];
sparse[2] = 3;
const revoked = Proxy.revocable({}, {});
revoked.revoke();

describe('encodeDecoded', () => {
  test('answers and refuses for what was read as encodeJson does', () => {
    const tight: JsonBounds = { what: 'The input', bytesMax: 40, depthMax: 3 };
    const outcomeOf = (encode: typeof encodeJson, value: unknown): unknown => {
      try {
        return encode(value, tight);
      } catch (error) {
        if (!(error instanceof TaskFlowError)) throw error;
        return [error.code, error.message, error.details];
      }
    };
    const outcomes = new Set<unknown>();
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        fc.pre(!text.includes('__proto__') && !text.includes('prototype') && !text.includes('\\u0000'));
        const value = decodeJson(text, { ...bounds, bytesMax: 1_000_000 });
        const outcome = outcomeOf(encodeDecoded, value);
        outcomes.add(Array.isArray(outcome) ? outcome[0] : 'written');
        expect(outcome).toEqual(outcomeOf(encodeJson, value));
      }),
      { numRuns: 1_000, seed: 3 },
    );
    expect([...outcomes].sort()).toEqual(['PAYLOAD_TOO_DEEP', 'PAYLOAD_TOO_LARGE', 'written']);
  });
});

describe('encodeJson', () => {
  test('writes what JSON.stringify writes for every JSON value without a forbidden key', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        // The generator likes these keys; that they are refused is tested below.
        fc.pre(!text.includes('__proto__') && !text.includes('prototype'));
        expect(encodeJson(value, { ...bounds, bytesMax: 1e6 })).toBe(text);
      }),
    );
  });

  test('leaves undefined fields out and asks dates and classes for their form', () => {
    class Point {
      readonly x = 1;
      readonly none = undefined;
    }
    expect(encodeJson({ at: new Date(0), p: new Point(), u: undefined, url: new URL('http://a/') }, bounds)).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","p":{"x":1},"url":"http://a/"}',
    );
  });

  test.each<[string, unknown, string, string]>([
    ['undefined', undefined, '(root)', 'undefined has no form in JSON'],
    ['a function', { a: { run() {} } }, 'a.run', 'a function has no form in JSON'],
    ['a symbol', [Symbol('x')], '[0]', 'a symbol has no form in JSON'],
    ['a bigint', { user: { id: 5n } }, 'user.id', 'pass it as a string'],
    ['NaN', { list: [1, Number.NaN] }, 'list[1]', 'NaN has no form in JSON'],
    ['infinity', { n: Number.NEGATIVE_INFINITY }, 'n', '-Infinity has no form in JSON'],
    ['an invalid date', { at: new Date(Number.NaN), n: Number.NaN }, 'n', 'NaN has no form'],
    ['undefined in a list', [undefined], '[0]', 'use null'],
    ['a hole', sparse, '[1]', 'the list has a hole here'],
    ['a cycle', cyclic, 'a[0]', 'it refers back to a value that contains it'],
    ['a Map', { m: new Map() }, 'm', 'a Map has no form in JSON'],
    ['a promise', { p: Promise.resolve(1) }, 'p', 'is an await missing?'],
    ['an error', [new Error('x')], '[0]', 'a Error has no form in JSON'],
    ['bytes', { b: new Uint8Array(3) }, 'b', 'a Uint8Array has no form in JSON'],
    ['NUL', { s: 'a\0b' }, 's', 'NUL character'],
    ['NUL in a key', { 'a\0b': 1 }, '["a\\u0000b"]', 'NUL character'],
    ['half a pair', { s: ['\ud83d'] }, 's[0]', 'half of a surrogate pair'],
    ['half a pair in a key', { '\udc00': 1 }, '["\\udc00"]', 'half of a surrogate pair'],
    ['__proto__', JSON.parse('{"a":{"__proto__":{"admin":true}}}'), 'a.__proto__', 'could change other objects'],
    [
      'constructor.prototype',
      { constructor: { prototype: { x: 1 } } },
      'constructor.prototype',
      'could change other objects',
    ],
    [
      'a getter that throws',
      {
        ok: 1,
        get bad() {
          throw new Error('no');
        },
      },
      'bad',
      'reading it throws "Error: no"',
    ],
    [
      'a toJSON that throws',
      {
        a: {
          toJSON() {
            throw 'x';
          },
        },
      },
      'a',
      'reading it throws "x"',
    ],
    ['a revoked proxy', { p: revoked.proxy }, 'p', 'reading it throws'],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          ownKeys() {
            throw new Error('trap');
          },
        },
      ),
      '(root)',
      'trap',
    ],
    [
      'a form without end',
      {
        toJSON() {
          return this;
        },
      },
      '(root)',
      'refers back',
    ],
  ])('refuses %s', (_, value, path, reason) => {
    checkRefused(value, path, reason);
  });

  test('refuses deep values with the path', () => {
    expect(() => encodeJson(nested(8), bounds)).not.toThrow();
    checkRefused(nested(9), '[0].a[0].a[0].a[0].a', 'deeper than 8', 'PAYLOAD_TOO_DEEP');
    expect(() => encodeJson(nested(100_000), bounds)).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_DEEP' }));
  });

  test('refuses a deep form behind toJSON and endless forms', () => {
    expect(() => encodeJson({ toJSON: () => nested(50) }, bounds)).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_TOO_DEEP' }),
    );
    const endless = (): object => ({ toJSON: endless });
    expect(() => encodeJson(endless(), bounds)).toThrow(TaskFlowError);
  });

  test('refuses large values, counted in bytes of UTF-8', () => {
    expect(encodeJson('x'.repeat(998), bounds)).toHaveLength(1000);
    for (const value of [
      'x'.repeat(999),
      '€'.repeat(333),
      '😀'.repeat(250),
      '\u0001'.repeat(200),
      Array.from({ length: 600 }, () => 1),
    ]) {
      expect(() => encodeJson(value, bounds)).toThrow(
        expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE', message: 'The input is larger than 1000 bytes.' }),
      );
    }
    expect(() => encodeJson('x'.repeat(999), { ...bounds, tooLarge: 'RESULT_TOO_LARGE' })).toThrow(
      expect.objectContaining({ code: 'RESULT_TOO_LARGE' }),
    );
  });

  test('gives up on a giant list of holes at once', () => {
    expect(() => encodeJson(new Array(4_000_000_000), bounds)).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }),
    );
  });

  test('judges what was written when a value changes between two looks', () => {
    let looks = 0;
    const value = {
      get s() {
        return ++looks === 1 ? 'fine' : 'a\0b';
      },
    };
    expect(() => encodeJson(value, bounds)).toThrow(expect.objectContaining({ code: 'PAYLOAD_NOT_JSON' }));
  });

  test('accepts text that only looks like an escape', () => {
    for (const value of [
      '\\u0000',
      '\\ud800',
      '"__proto__"',
      { s: 'prototype' },
      { constructor: 'x' },
      '\u0001',
      '😀',
    ]) {
      expect(JSON.parse(encodeJson(value, bounds))).toEqual(value);
    }
  });

  test('throws nothing but TaskFlowError, and writes only what it can read back', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withNullPrototype: true,
      withBoxedValues: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        try {
          const text = encodeJson(value, bounds);
          expect(JSON.stringify(decodeJson(text, bounds))).toBe(text);
        } catch (error) {
          if (!(error instanceof TaskFlowError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('decodeJson', () => {
  test.each([
    ['{"a":1', 'INVALID_JSON'],
    ['', 'INVALID_JSON'],
    ['{"a":"\0"}', 'INVALID_JSON'],
    ['"\ud800"', 'INVALID_JSON'],
    ['NaN', 'INVALID_JSON'],
    ['{"a":"\\u0000"}', 'PAYLOAD_NOT_JSON'],
    ['{"a":"\\ud800"}', 'PAYLOAD_NOT_JSON'],
    ['{"__proto__":{"x":1}}', 'PAYLOAD_NOT_JSON'],
    ['{"\\u005f_proto__":{"x":1}}', 'PAYLOAD_NOT_JSON'],
    ['{"constructor":{"prototype":{"x":1}}}', 'PAYLOAD_NOT_JSON'],
    [`${'['.repeat(9)}${']'.repeat(9)}`, 'PAYLOAD_TOO_DEEP'],
    [`"${'x'.repeat(999)}"`, 'PAYLOAD_TOO_LARGE'],
  ])('refuses %j with %s', (text, code) => {
    expect(() => decodeJson(text, bounds)).toThrow(expect.objectContaining({ code }));
  });

  test('survives a depth of 100,000', () => {
    const large = { ...bounds, bytesMax: 10_000_000 };
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const text = `${open.repeat(100_000)}1${close.repeat(100_000)}`;
      expect(() => decodeJson(text, large)).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_DEEP' }));
    }
    expect(() => decodeJson('['.repeat(1_000_000), large)).toThrow(expect.objectContaining({ code: 'INVALID_JSON' }));
  });

  test('does not take brackets inside of strings for depth', () => {
    const text = JSON.stringify(['['.repeat(100), '\\"[[[[[[[[[[[[[', { '{{{{{{{{{{{{{{{{': 1 }]);
    expect(decodeJson(text, bounds)).toEqual(JSON.parse(text));
  });

  test('reads back whatever was written', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!text.includes('__proto__') && !text.includes('prototype'));
        expect(decodeJson(text, { ...bounds, bytesMax: 1e6 })).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe('sizes', () => {
  test('are those of UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.nat({ max: 200 }), (text, bytesMax) => {
        const bytes = Buffer.byteLength(text, 'utf8');
        expect(utf8Length(text)).toBe(bytes);
        expect(isLarger(text, bytesMax)).toBe(bytes > bytesMax);
      }),
      { numRuns: 300 },
    );
  }, 90_000);

  test('are printed in units people know', () => {
    expect([300, 1024, 256 * 1024, 1024 * 1024, 1_500_000].map(formatBytes)).toEqual([
      '300 bytes',
      '1 KiB',
      '256 KiB',
      '1 MiB',
      '1.4 MiB',
    ]);
  });
});

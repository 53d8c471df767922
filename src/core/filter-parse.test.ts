/** Tests reading of the filter language: its meaning, its round trip, and the position and advice of every error. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TaskFlowError } from './errors.ts';
import {
  type Filter,
  type FilterField,
  type FilterTerm,
  type FilterValue,
  filterFields,
  formatFilter,
} from './filter.ts';
import { parseFilter } from './filter-parse.ts';
import { limits } from './limits.ts';
import { taskViews } from './states.ts';

const word = (text: string, prefix = false): FilterValue => ({ kind: 'word', text, prefix });

function check(text: string, field: FilterField, ...values: FilterValue[]): void {
  expect(parseFilter(text).terms.map((term) => ({ field: term.field, values: term.values }))).toEqual([
    { field, values },
  ]);
}

function checkRefused(text: string, message: string, position: number): void {
  expect(() => parseFilter(text)).toThrow(
    expect.objectContaining({
      code: 'INVALID_FILTER',
      message: expect.stringContaining(message),
      details: { position },
    }),
  );
}

describe('parseFilter', () => {
  test('reads the filter of the manual and prints it back', () => {
    const text =
      'state:failed,retrying name:email.* queue:email worker:w-3 tag:onboarding key:welcome:42 flow:01K8 error:"SMTP 451" err:7f3a ' +
      'since:6h until:1h created:2026-11-20..2026-11-22 attempt:>2 took:>5s waited:>1m priority:2 input.user.plan:pro output.bytes:>1000000 -tag:test';
    const filter = parseFilter(text);
    expect(filter.terms).toHaveLength(19);
    expect(formatFilter(filter)).toBe(text);
  });

  test('keeps fields, values, negation and positions', () => {
    expect(parseFilter('  queue:a,b  -tag:"x y"* 01k8')).toEqual({
      terms: [
        { field: 'queue', path: [], values: [word('a'), word('b')], negated: false, position: 3 },
        { field: 'tag', path: [], values: [word('x y', true)], negated: true, position: 14 },
        { field: 'text', path: [], values: [word('01k8')], negated: false, position: 26 },
      ],
    });
  });

  test('reads an empty filter', () => {
    expect(parseFilter(' \t ')).toEqual({ terms: [] });
  });

  test.each<[string, FilterField, FilterValue]>([
    ['worker:*', 'worker', word('', true)],
    ['key:welcome:42', 'key', word('welcome:42')],
    ['"a:b"', 'text', word('a:b')],
    ['error:"say \\"no\\" \\\\"', 'error', word('say "no" \\')],
    ['err:7F3A', 'err', word('7f3a', true)],
    ['id:01k8o', 'id', word('01K80', true)],
    ['STATE:Failed', 'state', word('failed')],
    ['attempt:2..4', 'attempt', { kind: 'numbers', from: 2, to: 4 }],
    ['attempt:2..', 'attempt', { kind: 'number', compare: '>=', number: 2 }],
    ['attempt:..4', 'attempt', { kind: 'number', compare: '<=', number: 4 }],
    ['priority:high', 'priority', { kind: 'number', compare: '=', number: 2 }],
    ['took:>=1.5s', 'took', { kind: 'number', compare: '>=', number: 1500 }],
    ['since:6h', 'since', { kind: 'time', compare: '>=', at: { kind: 'ago', ms: 21_600_000 } }],
    ['created:6h', 'created', { kind: 'time', compare: '>=', at: { kind: 'ago', ms: 21_600_000 } }],
    [
      'created:1970-01-02',
      'created',
      { kind: 'time', compare: '=', at: { kind: 'at', ms: 86_400_000, lengthMs: 86_400_000 } },
    ],
    ['input.v:1.2.3', 'input', word('1.2.3')],
    ['input.v:a..b', 'input', word('a..b')],
    ['input.v:">5"', 'input', word('>5')],
    ['input.v:-3..4.5', 'input', { kind: 'numbers', from: -3, to: 4.5 }],
  ])('reads %s', (text, field, value) => {
    check(text, field, value);
  });
});

describe('a mistake', () => {
  test.each([
    ['stat:failed', 'Unknown field "stat" at 1. Did you mean state:?', 1],
    ['queue:a task:b', 'Unknown field "task" at 9. Did you mean name:?', 9],
    ['constructor:x', 'Unknown field "constructor" at 1.', 1],
    ['state:faild', 'Unknown state "faild" at 7. Did you mean failed?', 7],
    ['state:failed,completed', 'Unknown state "completed" at 14. Did you mean succeeded?', 14],
    ['state:fail*', 'state: takes no *, at 7.', 7],
    ['queue:', '"queue:" needs a value at 7.', 7],
    ['queue:a,', '"queue:" needs a value at 9.', 9],
    ['-', 'A word needs a value at 2.', 2],
    ['queue:a*b', 'The * at 8 is not at the end', 8],
    ['error:"SMTP', 'The quote at 7 is never closed.', 7],
    ['error:"a"b', 'After the closing quote at 9 a space or a comma must follow.', 10],
    ['attempt:>two', '"two" at 9 is not a whole number.', 9],
    ['attempt:4..2', 'The range at 9 ends before it begins.', 9],
    ['attempt:..', 'The range at 9 has no end.', 9],
    ['took:5s', 'took: needs a comparison at 6: took:>5s.', 6],
    ['took:>5 secs', 'At 6:', 6],
    ['since:yesterday', 'At 7:', 7],
    ['created:2026-02-30', '"2026-02-30" at 9 is not a date.', 9],
    ['priority:hgh', 'At 10:', 10],
    ['input:pro', 'input needs a path at 1', 1],
    ['input.a..b:x', 'input needs a path at 1', 1],
    ['queue.name:x', 'queue: has no parts, "queue.name" at 1.', 1],
    ['input.n:>many', '"many" at 9 is not a number to compare with.', 9],
    ['a\0b', 'NUL', 1],
    ['\ud800', 'half a character', 1],
    ['x'.repeat(limits.filterMax + 1), 'at most 2000', 1],
    ['a '.repeat(limits.filterTermsMax + 1), 'More than 32 terms, the next at 65.', 65],
    [`queue:${'a,'.repeat(limits.filterValuesMax)}a`, 'More than 50 values', 107],
    [`input.${'a.'.repeat(limits.filterPathMax)}a:1`, 'more than 10 steps', 1],
  ])('is refused with its place: %j', (text, message, position) => {
    checkRefused(text, message, position);
  });

  test('never surfaces as anything but INVALID_FILTER, whatever the text', () => {
    const pieces = fc.constantFrom(
      ...Object.keys(filterFields),
      ':',
      '"',
      '\\',
      '*',
      ',',
      '-',
      '..',
      '>',
      ' ',
      '6h',
      '2026-11-20',
      'a',
      '1',
      '.',
      '😀',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(pieces, { maxLength: 20 }).map((all) => all.join('')),
        ),
        (text) => {
          try {
            const filter = parseFilter(text);
            expect(stripped(parseFilter(formatFilter(filter)))).toEqual(stripped(filter));
          } catch (error) {
            expect(error).toBeInstanceOf(TaskFlowError);
            expect(error).toHaveProperty('code', 'INVALID_FILTER');
          }
        },
      ),
      { numRuns: 700 },
    );
  }, 90_000);
});

describe('formatFilter', () => {
  test('prints every filter so that it is read back the same', () => {
    fc.assert(
      fc.property(fc.array(terms(), { maxLength: 4 }), (all) => {
        const filter = { terms: all };
        const text = formatFilter(filter);
        expect(stripped(parseFilter(text))).toEqual(stripped(filter));
        expect(formatFilter(parseFilter(text))).toBe(text);
      }),
      { numRuns: 300 },
    );
  }, 90_000);
});

function stripped(filter: Filter): unknown {
  return filter.terms.map(({ position: _, ...term }) => term);
}

function terms(): fc.Arbitrary<FilterTerm> {
  const fields = fc.constantFrom(...(Object.keys(filterFields) as FilterField[]));
  const step = fc.stringMatching(/^[a-zA-Z0-9_$-]{1,8}$/);
  return fields.chain((field) =>
    fc.record({
      field: fc.constant(field),
      path: filterFields[field].kind === 'value' ? fc.array(step, { minLength: 1, maxLength: 4 }) : fc.constant([]),
      values: fc.array(valuesOf(field), { minLength: 1, maxLength: 3 }),
      negated: fc.boolean(),
      position: fc.constant(1),
    }),
  );
}

function valuesOf(field: FilterField): fc.Arbitrary<FilterValue> {
  const text = fc
    .oneof(fc.string({ maxLength: 12 }), fc.constantFrom('-a', 'a:b', '>5', 'a..b', '', '"', '*', 'a,b', '=1', '1..2'))
    .map((s) => s.toWellFormed().replaceAll('\0', ''));
  const words = fc.record({ kind: fc.constant('word' as const), text, prefix: fc.boolean() });
  const compare = fc.constantFrom('>' as const, '>=' as const, '<' as const, '<=' as const);
  const number = (
    n: fc.Arbitrary<number>,
    compares = compare as fc.Arbitrary<'=' | '>' | '>=' | '<' | '<='>,
  ): fc.Arbitrary<FilterValue> =>
    fc.oneof(
      fc.record({ kind: fc.constant('number' as const), compare: compares, number: n }),
      fc.tuple(n, n).map(([a, b]) => ({ kind: 'numbers' as const, from: Math.min(a, b), to: Math.max(a, b) })),
    );
  const ago = fc.record({ kind: fc.constant('ago' as const), ms: fc.integer({ min: 0, max: limits.durationMaxMs }) });
  const at = fc
    .tuple(fc.integer({ min: 0, max: 100_000 }), fc.constantFrom(86_400_000, 60_000, 1000, 1))
    .map(([days, lengthMs]) => ({
      kind: 'at' as const,
      ms: days * 86_400_000 + (lengthMs === 86_400_000 ? 0 : 34_860_000),
      lengthMs,
    }));
  const point = fc.oneof(ago, at);
  switch (filterFields[field].kind) {
    case 'word':
    case 'contains':
      return words;
    case 'prefix':
      return fc
        .stringMatching(field === 'err' ? /^[0-9a-f]{0,8}$/ : /^[0-9A-HJKMNP-TV-Z]{0,26}$/)
        .map((s) => word(s, true));
    case 'state':
      return fc.constantFrom(...taskViews).map((view) => word(view));
    case 'number':
      return number(fc.nat({ max: 999_999 }), fc.oneof(compare, fc.constant('=' as const)));
    case 'priority':
      return number(fc.nat({ max: 9 }), fc.oneof(compare, fc.constant('=' as const)));
    case 'duration':
      return number(fc.integer({ min: 0, max: limits.durationMaxMs }));
    case 'value':
      return fc.oneof(words, number(fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0)));
    case 'time':
      return field === 'created'
        ? fc.oneof(
            fc.record({ kind: fc.constant('time' as const), compare, at: point }),
            fc.record({ kind: fc.constant('times' as const), from: point, to: point }),
          )
        : fc.record({
            kind: fc.constant('time' as const),
            compare: fc.constant(field === 'since' ? ('>=' as const) : ('<=' as const)),
            at: point,
          });
  }
}

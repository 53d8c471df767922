/** Tests rendering, its unambiguity, and what is refused when a template is defined, rendered or compiled. */
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { limits } from './limits.ts';
import { type CheckedTemplate, compileTemplate, type FieldPath, type Template } from './template.ts';

const render = (text: string, input: unknown) => compileTemplate(text, { what: 'key' }).render(input);
const invalid = (message: string) =>
  expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(message) });

describe('render', () => {
  test.each([
    ['welcome:{userId}', { userId: 'u1' }, 'welcome:u1'],
    ['user:{user.id}', { user: { id: 42 } }, 'user:42'],
    ['{a}:{b}', { a: 'x:y', b: 'x:y' }, 'x%3Ay:x:y'],
    ['{a}-{b}', { a: '50%-off', b: 1 }, '50%25%2Doff-1'],
    ['{a}.{b}', { a: 'x.y', b: 'z' }, 'x%2Ey.z'],
    ['{a}]{b}', { a: ']^\\', b: 'z' }, '%5D^\\]z'],
    ['{{{a}}}', { a: 1 }, '{1}'],
    ['only once', {}, 'only once'],
    ['{ok}/{n}', { ok: true, n: -0 }, 'true/0'],
    ['{list.0}', { list: ['first'] }, 'first'],
    ['{at}', { at: new Date(0) }, '1970-01-01T00:00:00.000Z'],
    ['{a}é{b}', { a: 'é', b: 1 }, '%C3%A9é1'],
  ])('fills %j from %j', (text, input, expected) => {
    expect(render(text, input)).toBe(expected);
  });

  test.each([
    [
      'key:{userid}',
      { userId: 1 },
      'key "key:{userid}" is not valid: the input has no field userid. Did you mean userId?',
    ],
    ['{user.id}', { user: 'x' }, 'the input has no field user.id.'],
    ['{user.id}', null, 'the input has no field user.'],
    ['{constructor}', {}, 'the input has no field constructor.'],
    ['{a}', { a: null }, 'a is null, not a text or number'],
    ['{a}', { a: undefined }, 'a is of type undefined'],
    ['{a}', { a: {} }, 'a is of type object'],
    ['{a}', { a: [1] }, 'a is a list'],
    ['{a}', { a: Number.NaN }, 'a is NaN'],
    ['{a}', { a: 'x\0' }, 'a contains a NUL'],
    ['{a}', { a: 'x'.repeat(limits.keyMax + 1) }, 'it renders to 501 characters'],
  ])('refuses %j for %j', (text, input, message) => {
    expect(() => render(text, input)).toThrow(invalid(message));
  });

  test('never renders two different pairs of texts alike', () => {
    const value = fc.oneof(fc.string({ maxLength: 6 }), fc.stringMatching(/^[:%3A2-]{0,6}$/));
    fc.assert(
      fc.property(
        value,
        value,
        value,
        value,
        fc.constantFrom(':', '-', '%', '::', 'A', ']', '3'),
        (a, b, c, d, separator) => {
          fc.pre(a !== c || b !== d);
          const text = `{a}${separator}{b}`;
          expect(render(text, { a, b })).not.toBe(render(text, { a: c, b: d }));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('compileTemplate', () => {
  test.each([
    ['', 'it is empty'],
    ['{a', '"{" in "{a" is alone'],
    ['a}', '"}" in "a}" is alone'],
    ['{}', '"{}" is not the name of a field'],
    ['{a b}', '"{a b}" is not the name of a field'],
    ['{a..b}', '"{a..b}" is not the name of a field'],
    ['{a}{b}', 'nothing separates {a} from {b}'],
    ['x'.repeat(limits.templateMax + 1), 'more than 500 characters'],
    ['a\0', 'NUL'],
  ])('refuses %j', (text, message) => {
    expect(() => compileTemplate(text, { what: 'key' })).toThrow(invalid(message));
  });

  test('refuses at definition what the input cannot have', () => {
    const inputSchema = z.toJSONSchema(
      z.object({
        userId: z.string(),
        user: z.object({ id: z.int() }),
        extra: z.record(z.string(), z.string()),
        any: z.union([z.string(), z.object({ a: z.string() })]),
      }),
    );
    const define = (text: string) => compileTemplate(text, { what: 'key', inputSchema });
    for (const text of ['{userId}', '{user.id}', '{extra.x}', '{any}', 'none'])
      expect(() => define(text)).not.toThrow();
    expect(() => define('{userid}')).toThrow(invalid('the input has no field userid. Did you mean userId?'));
    expect(() => define('{user.idd}')).toThrow(invalid('the input has no field user.idd. Did you mean id?'));
    expect(() => define('{user}')).toThrow(invalid('user is of type object, not a text or number'));
  });

  test('tells its paths', () => {
    expect(compileTemplate('{a.b}:{c}', { what: 'key' }).paths).toEqual([['a', 'b'], ['c']]);
  });
});

describe('types', () => {
  interface Input {
    readonly userId: string;
    readonly user: { readonly id: number; readonly tags: readonly string[] };
    readonly at?: Date;
    readonly list: readonly string[];
  }
  const checked = <const T extends string>(key: CheckedTemplate<T, Input>): string => key;

  test('know the scalar fields of two levels', () => {
    expectTypeOf<FieldPath<Input>>().toEqualTypeOf<'userId' | 'user.id' | 'at'>();
    expectTypeOf<FieldPath<unknown>>().toEqualTypeOf<string>();
    expectTypeOf<FieldPath<Record<string, string>>>().toEqualTypeOf<string>();
    expectTypeOf<Template<Record<string, unknown>>>().toEqualTypeOf<string>();
  });

  test('refuse a placeholder that names no field', () => {
    const right: Template<Input>[] = ['welcome:{userId}', 'user:{user.id}', '{at}'];
    // @ts-expect-error the case differs
    const wrong: Template<Input> = 'welcome:{userid}';
    expect(right).not.toContain(wrong);
  });

  test('refuse any wrong placeholder where the text is inferred, and allow texts without one', () => {
    checked('welcome:{userId}:{user.id}');
    checked('nightly');
    checked('{{literal}}:{userId}');
    // @ts-expect-error the second placeholder is wrong
    checked('welcome:{userId}:{user.name}');
    // @ts-expect-error lists and objects have no text
    checked('{list}');
    // @ts-expect-error a brace is not closed
    checked('welcome:{userId');
    const wide: string = 'from elsewhere';
    checked(wide);
  });
});

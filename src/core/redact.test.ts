/** Tests what paths hide, what is left of texts, and that nothing hidden is shown whatever it looks like. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toTaskError } from './error-facts.ts';
import { encodePolicy, policyOf } from './policy.ts';
import { preview } from './preview.ts';
import { createRedaction, createRedactions, type Redaction } from './redact.ts';
import { mayHide, readRedactPaths, redactWords } from './redact-paths.ts';
import { createScrub, redactListed, redactTask, scrubError } from './redact-task.ts';
import type { Task } from './task.ts';

function redactionOf(...paths: string[]): Redaction {
  const redaction = createRedaction(readRedactPaths(paths));
  if (redaction === null) throw new Error('no paths');
  return redaction;
}

const shown = (path: string, value: unknown): unknown =>
  JSON.parse(redactionOf(path).json('input', JSON.stringify(value)));

describe('paths', () => {
  test.each<[path: string, value: unknown, wanted: unknown]>([
    ['input.card.number', { card: { number: 4111, month: 5 } }, { card: { number: '[redacted]', month: 5 } }],
    ['payload.card', { card: { number: 4111 }, a: 1 }, { card: '[redacted]', a: 1 }],
    [
      '**.password',
      { password: 'a', b: [{ c: { Password: null } }] },
      { password: '[redacted]', b: [{ c: { Password: '[redacted]' } }] },
    ],
    ['*.password', { password: 'a', b: { password: 'b' } }, { password: '[redacted]', b: { password: 'b' } }],
    [
      'input.items[].token',
      { items: [{ token: 1 }, { token: 2, a: 3 }] },
      { items: [{ token: '[redacted]' }, { token: '[redacted]', a: 3 }] },
    ],
    ['input.items.token', { items: [[{ token: 1 }]] }, { items: [[{ token: '[redacted]' }]] }],
    [
      'input.*.token',
      { a: { token: 1 }, b: { c: { token: 2 } } },
      { a: { token: '[redacted]' }, b: { c: { token: 2 } } },
    ],
    [
      'input.**.token',
      { token: 1, b: { c: { token: 2 } } },
      { token: '[redacted]', b: { c: { token: '[redacted]' } } },
    ],
    ['input.*token*', { accessTokens: [1], a: 1 }, { accessTokens: '[redacted]', a: 1 }],
    ['input', { a: 1 }, '[redacted]'],
    ['**', [1], '[redacted]'],
    ['input.a.**', { a: { b: 1 }, c: 2 }, { a: '[redacted]', c: 2 }],
    ['result.a', { a: 1 }, { a: 1 }],
    ['input.a', 5, 5],
  ])('%s', (path, value, wanted) => {
    expect(shown(path, value)).toEqual(wanted);
    expect(redactionOf(...redactWords(readRedactPaths([path])).split(', ')).paths).toEqual(redactionOf(path).paths);
  });

  test('a key is found however it is written, and what is around a value stays as it was', () => {
    const text = '{ "p\\u0061ssword" : "a\\"}" , "n": 9007199254740993, "b":[ ] }';
    expect(redactionOf('input.password').json('input', text)).toBe(
      '{ "p\\u0061ssword" : "[redacted]" , "n": 9007199254740993, "b":[ ] }',
    );
  });

  test.each([
    [['card.number'], 'A key of the input is input.card.number'],
    [['inptu.x'], 'Did you mean input'],
    [['input..a'], 'is no path'],
    [['input.a**'], 'stands alone'],
    [['input.a b'], 'is no path'],
    [[''], 'is no path'],
    [[5], 'is a text'],
    ['input.a', 'a list of paths'],
    [Array.from({ length: 101 }, (_, index) => `input.a${index}`), 'at most 100'],
  ])('refuses %j', (paths, words) => {
    expect(() => readRedactPaths(paths)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(words) }),
    );
  });
});

describe('whatever a value is', () => {
  const secret = 'S3CRET-canary';
  const keys = fc.constantFrom('a', 'b', 'password', 'PassWord', 'x"y', 'ü', '__proto__');
  const { value: values } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constant(secret),
      fc.string(),
      fc.double(),
      fc.constant(null),
      tie('list'),
      tie('object'),
    ),
    list: fc.array(tie('value'), { maxLength: 4 }),
    object: fc.dictionary(keys, tie('value'), { maxKeys: 4 }),
  }));
  const hide = redactionOf('**.password');

  /** The same by values, for comparison. */
  function hidden(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(hidden);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, key.toLowerCase() === 'password' ? '[redacted]' : hidden(each)]),
    );
  }

  test('exactly what a path names is hidden', () => {
    fc.assert(
      fc.property(values, fc.constantFrom(undefined, 1), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(JSON.parse(hide.json('input', text))).toEqual(hidden(JSON.parse(text)));
      }),
    );
  });

  test('its beginning is the beginning of the whole', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 0, max: 60 }), (value, enough) => {
        const text = JSON.stringify(value);
        expect(hide.json('input', text, enough)).toBe(hide.json('input', text).slice(0, enough));
      }),
    );
  });

  test('of text that is no JSON nothing is shown, and nothing throws', () => {
    fc.assert(
      fc.property(values, fc.nat(200), fc.string({ maxLength: 2 }), (value, at, put) => {
        const whole = JSON.stringify({ password: secret, value });
        const text = `${whole.slice(0, at)}${put}${whole.slice(at + 1)}`;
        expect(hide.json('input', text).length).toBeGreaterThan(0);
      }),
    );
    expect(hide.json('input', `{"a":${secret}`)).toBe('"[redacted]"');
    expect(hide.json('input', '['.repeat(100_000))).toBe('"[redacted]"');
  });
});

test('what a task says itself is hidden beside what the server says', () => {
  const own = encodePolicy(policyOf({ redact: ['input.pin'] }));
  const of = createRedactions(readRedactPaths(['**.token']));
  expect(of('{}')?.json('input', '{"pin":1,"token":2}')).toBe('{"pin":1,"token":"[redacted]"}');
  expect(of(own)?.json('input', '{"pin":1,"token":2}')).toBe('{"pin":"[redacted]","token":"[redacted]"}');
  expect(createRedactions([])('{"attempts":3}')).toBeNull();
});

test('the mask is known where a value is hidden, and nowhere else', () => {
  const redaction = redactionOf('input.pin');
  expect(redaction.holdsMask('input', '{"pin":"[redacted]"}')).toBe(true);
  expect(redaction.holdsMask('input', '{"pin":"1","a":"[redacted]"}')).toBe(false);
});

test('a path of a search is hidden with all above and below of it that is', () => {
  const redaction = redactionOf('input.card', 'input.items[].token', '**.password');
  const hides = (path: string) => redaction.hides('input', path.split('.'));
  expect(['card', 'card.number', 'items.0.token', 'items.token', 'a.b.password'].filter(hides)).toHaveLength(5);
  // Postgres reads them as places in a list.
  expect(['items.-1.token', 'items.+0.token', 'items.007.token'].filter(hides)).toHaveLength(3);
  expect(['cards', 'items.0.a', 'items'].filter(hides)).toEqual([]);
});

test('a stored policy that hides a path always says so', () => {
  const names = fc.constantFrom('a', 'b', 'Ab', 'token', 'x-y');
  const segments = fc.oneof(names, fc.constantFrom('*', '**', '*k*', 'b[]'));
  fc.assert(
    fc.property(
      fc.array(segments, { minLength: 1, maxLength: 3 }),
      fc.array(names, { minLength: 1, maxLength: 3 }),
      (path, keys) => {
        const redact = [['input', ...path].join('.')];
        const hides = createRedaction(readRedactPaths(redact))?.hides('input', keys);
        if (hides === true) expect(mayHide(encodePolicy(policyOf({ redact })), keys)).toBe(true);
      },
    ),
  );
  expect(mayHide(encodePolicy(policyOf({ redact: ['**.password'] })), ['user', 'id'])).toBe(false);
  expect(mayHide('{"attempts":3}', ['password'])).toBe(false);
});

describe('texts about a task', () => {
  const payload = JSON.stringify({ password: 'hunter2"x', pin: 123, card: { number: 4111222233334444 }, url: 'a b/c' });
  const scrub =
    createScrub(redactionOf('input.password', 'input.pin', 'input.card', 'input.url'), payload) ?? ((text) => text);

  test.each([
    ['refused hunter2"x twice: hunter2"x', 'refused [redacted] twice: [redacted]'],
    ['in JSON {"a":"hunter2\\"x"}', 'in JSON {"a":"[redacted]"}'],
    ['card 4111222233334444 at https://x/?q=a%20b%2Fc', 'card [redacted] at https://x/?q=[redacted]'],
    ['cut off at 41112222…', 'cut off at [redacted]…'],
    ['the line 123 is too short to be looked for', 'the line 123 is too short to be looked for'],
  ])('%s', (text, wanted) => {
    expect(scrub(text)).toBe(wanted);
  });

  test.each<[secrets: readonly string[], text: string, wanted: string]>([
    [['4242424242424242'], 'refused 424242424242…', 'refused [redacted]…'],
    [['sesame-open-door'], 'is sesame-open-door, is sesame-op…', 'is [redacted], is [redacted]…'],
    [
      ['sesame-open-door'],
      'at a (b.ts:1)\nfor sesame-op…\nat c (d.ts:2)',
      'at a (b.ts:1)\nfor [redacted]…\nat c (d.ts:2)',
    ],
    [['abcde-long-long-long', 'xx-abcde-f'], 'it is xx-abcde…', 'it is [redacted]…'],
    [
      ['first line\nand second'],
      'caused by Error: first line\nat c (d.ts:2)',
      'caused by Error: [redacted]\nat c (d.ts:2)',
    ],
    [['first line\nand second'], 'caused by Error: first line', 'caused by Error: [redacted]'],
    [['first line\nand second'], 'the first li\nis short', 'the first li\nis short'],
  ])('what is left of %j is not shown: %j', (secrets, text, wanted) => {
    expect(createScrub(redactionOf('input'), JSON.stringify(secrets))?.(text)).toBe(wanted);
  });

  test('wherever an error is cut off within a secret, no beginning of that is left', () => {
    const secret = 'S3CRET-'.repeat(30);
    const hide = createScrub(redactionOf('input'), JSON.stringify([secret])) ?? ((text: string) => text);
    for (let before = 850; before < 1_050; before += 7) {
      const cause = new Error(`${'.'.repeat(before)}${secret}`);
      const told = scrubError('a', toTaskError('a', new Error(`${secret} `.repeat(9), { cause })), hide);
      expect(`${told.message}${told.stack}`).not.toContain('S3CR');
    }
  });

  test('errors that differ in a hidden value alone are of one kind', () => {
    const failure = (secret: string) => {
      const hide = createScrub(redactionOf('input.name'), JSON.stringify({ name: secret })) ?? ((text: string) => text);
      return scrubError('a', { name: 'Error', message: `no ${secret}`, stack: null, fingerprint: 'x' }, hide);
    };
    expect(failure('anna-bell')).toEqual(failure('zoe-carter'));
  });

  test('a task is shown without them, in its steps by their names too', () => {
    const task = {
      name: 'a',
      payload,
      result: '{"password":"p"}',
      error: { name: 'Error', message: 'hunter2"x', stack: null, fingerprint: 'f' },
      progress: { done: 1, total: null, note: '4111222233334444' },
      checkpoints: [
        { name: 'charge', value: '{"number":"n","ok":true}' },
        { name: 'done', value: null },
      ],
    } as unknown as Task;
    const redaction = redactionOf('*.password', 'steps.charge.number', 'input.card');
    expect(redactTask(task, redaction)).toMatchObject({
      payload: '{"password":"[redacted]","pin":123,"card":"[redacted]","url":"a b/c"}',
      result: '{"password":"[redacted]"}',
      error: { message: '[redacted]', fingerprint: 'f' },
      progress: { note: '[redacted]' },
      checkpoints: [{ value: '{"number":"[redacted]","ok":true}' }, { value: null }],
    });
  });

  test('a list has of a task what it has of all that is shown, and looks at nothing that it leaves out', () => {
    const whole = redactionOf('input.password', 'result.a', 'steps.a');
    const listing: Redaction = {
      ...whole,
      json(root, ...rest) {
        if (root !== 'input') throw new Error(`a list has no ${root}`);
        return whole.json(root, ...rest);
      },
    };
    const error = { name: 'Error', message: 'hunter2-x', stack: 'at hunter2-x', fingerprint: 'f' };
    const progress = { done: 1, total: null, note: 'hunter2-x' };
    const parts = { name: 'a', result: '{"a":1}', checkpoints: [{ name: 'a', value: '1' }] };
    for (const said of [
      { error, progress },
      { error, progress: null },
      { error: null, progress },
      { error: null, progress: null },
    ])
      for (const space of [0, 1, 60, 110, 479, 480, 481, 5_000]) {
        const payload = `{"password":"hunter2-x",${' '.repeat(space)}"b":"${'b'.repeat(space)}"}`;
        const task = { ...parts, ...said, payload } as unknown as Task;
        const { payload: shown, error, progress } = redactTask(task, whole);
        const listed = redactListed(task, listing);
        expect({ ...listed, payload: preview(listed.payload) }).toMatchObject({
          payload: preview(shown),
          error,
          progress,
        });
        expect(listed.payload.length).toBeLessThan(500);
      }
  });
});

/** Tests that anything can be thrown and that equal failures are found equal. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { errorFacts, errorFingerprint, toTaskError } from './error-facts.ts';
import { limits } from './limits.ts';

class SmtpError extends Error {}

const looping = new Error('loop');
looping.cause = new Error('inner', { cause: looping });
const touchy = {
  get message(): string {
    throw new Error('never');
  },
  get stack(): string {
    throw new Error('never');
  },
};
const hostile = new Proxy(new Error('x'), {
  get() {
    throw new Error('trap');
  },
  getPrototypeOf() {
    throw new Error('trap');
  },
  ownKeys() {
    throw new Error('trap');
  },
});

describe('errorFacts', () => {
  test.each<[string, unknown, string, string]>([
    ['an error', new TypeError('bad'), 'TypeError', 'bad'],
    ['a class without a name', new SmtpError('451'), 'SmtpError', '451'],
    ['a string', 'plain', 'Error', 'plain'],
    ['null', null, 'Error', 'null was thrown'],
    ['undefined', undefined, 'Error', 'undefined was thrown'],
    ['a number', 7, 'Error', '7 was thrown'],
    ['a symbol', Symbol('s'), 'Error', 'Symbol(s) was thrown'],
    ['an object', { code: 5, detail: 'x' }, 'Error', 'an object with the fields code, detail was thrown'],
    ['an empty object', Object.create(null), 'Error', 'an object was thrown'],
    ['getters that throw', touchy, 'Error', 'an object with the fields message, stack was thrown'],
    ['a hostile proxy', hostile, 'Error', 'an object was thrown'],
    ['NUL and half a pair', new Error('a\0b\ud800'), 'Error', 'a\ufffdb\ufffd'],
    ['an error of another realm', { name: 'DOMException', message: 'aborted' }, 'DOMException', 'aborted'],
  ])('describes %s', (_, thrown, name, message) => {
    expect(errorFacts(thrown)).toMatchObject({ name, message });
  });

  test('keeps frames without the message', () => {
    const { stack } = errorFacts(new Error('two\nlines'));
    expect(stack).toMatch(/^at .*error-facts\.test\.ts:\d+:\d+/);
    expect(stack).not.toContain('lines');
  });

  test('follows causes, the first of several errors too, and ends a cycle', () => {
    expect(errorFacts(new Error('out', { cause: 'in' })).cause).toMatchObject({ message: 'in' });
    expect(errorFacts(new AggregateError([new Error('first'), new Error('second')])).cause).toMatchObject({
      message: 'first',
    });
    expect(errorFacts(looping)).toMatchObject({ message: 'loop', cause: { message: 'inner', cause: null } });
  });

  test('cuts a stack of 100 MB, a huge message and a long chain of causes', () => {
    const huge = new Error('m'.repeat(50_000_000));
    huge.stack = `Error: ${huge.message}\n${'    at f (file.ts:1:1)\n'.repeat(2_000_000)}`;
    const { message, stack } = errorFacts(huge);
    expect(message).toHaveLength(limits.errorMessageMax);
    expect(stack?.split('\n')).toHaveLength(limits.errorFramesMax);
    let chain: unknown = 'end';
    for (let i = 0; i < 10_000; i++) chain = new Error(String(i), { cause: chain });
    expect(toTaskError('t', chain).stack?.match(/caused by/g)).toHaveLength(limits.errorCausesMax);
  });

  test('is bounded and well formed whatever is thrown', () => {
    const anything = fc.oneof(
      fc.anything(),
      fc.record({
        name: fc.string({ unit: 'binary' }),
        message: fc.string({ unit: 'binary' }),
        stack: fc.string({ unit: 'binary', maxLength: 5000 }),
        cause: fc.anything(),
      }),
    );
    fc.assert(
      fc.property(anything, (thrown) => {
        const error = toTaskError('task', thrown);
        for (const text of [error.name, error.message, error.stack ?? ''])
          expect(text.isWellFormed() && !text.includes('\0')).toBe(true);
        expect(error.message.length).toBeLessThanOrEqual(limits.errorMessageMax);
        for (const line of error.stack?.split('\n') ?? []) expect(line.length).toBeLessThanOrEqual(limits.errorLineMax);
        expect(error.fingerprint).toMatch(/^[0-9a-f]{12}$/);
      }),
      { numRuns: 200 },
    );
  }, 90_000);
});

describe('errorFingerprint', () => {
  const at = (place: string) =>
    `at Socket.<anonymous> (node:net:1:2)\nat send (/srv/app/node_modules/mail/index.js:3:4)\nat ${place}`;
  const print = (
    message: string,
    place = 'sendWelcome (/srv/app/src/email.ts:14:9)',
    name = 'Error',
    task = 'email.welcome',
  ) => errorFingerprint(task, { name, message, stack: at(place) });

  test.each([
    ['timeout after 30 s', 'timeout after 31.5 s'],
    ['user 5e0c7a52-6f0e-4c63-9c54-0a1a0d2f3b4c is gone', 'user 6e0c7a52-6f0e-4c63-9c54-0a1a0d2f3b4d is gone'],
    ['no task 01K8PZX2M4EJ9C7YF4V7Z0B2HN', 'no task 01K8PZX2M4EJ9C7YF4V7Z0B2HM'],
    ['no column "a"', 'no column "b"'],
    ['connect ECONNREFUSED 127.0.0.1:9000', 'connect ECONNREFUSED 10.0.0.12:9001'],
  ])('is the same for %j and %j', (a, b) => {
    expect(print(a)).toBe(print(b));
  });

  test('survives a deploy to another folder and another line', () => {
    expect(print('x', 'sendWelcome (/srv/app/src/email.ts:14:9)')).toBe(
      print('x', 'sendWelcome (/opt/b/src/email.ts:20:1)'),
    );
    expect(print('x', 'file:///srv/app/src/email.ts:14:9')).toBe(print('x', 'file:///opt/src/email.ts:15:3'));
  });

  test('differs for another message, class, task, file and function', () => {
    const all = [
      print('a'),
      print('b'),
      print('a', 'sendWelcome (/srv/src/sms.ts:1:1)'),
      print('a', 'other (/srv/src/email.ts:1:1)'),
      print('a', undefined, 'TypeError'),
      print('a', undefined, 'Error', 'x'),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});

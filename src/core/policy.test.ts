/** Tests reading of policies by people and from the store, and their stored form. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits } from './limits.ts';
import { defaultPolicy, encodePolicy, type Policy, parsePolicy, policyOf, runsIsolated } from './policy.ts';

describe('policyOf', () => {
  test('is five runs, doubling from one second, at most an hour, unless somebody says otherwise', () => {
    expect(policyOf({})).toEqual({
      attempts: 5,
      backoff: 'exponential',
      delayMs: 1000,
      factor: 2,
      maxMs: 3_600_000,
      jitter: 'equal',
      keepSucceededMs: 259_200_000,
      keepFailedMs: 2_592_000_000,
      strictCancel: false,
      isolate: 'none',
      redact: null,
    });
  });

  test('takes a bare number for the attempts', () => {
    expect(policyOf({ retry: 3 })).toEqual({ ...defaultPolicy, attempts: 3 });
  });

  test('lays the parts that are given over the base', () => {
    const base = policyOf({ retry: { attempts: 8, delay: '2s', max: '10m', jitter: 'none' }, keep: { failed: '7d' } });
    const policy = policyOf(
      { retry: { delay: '5s', jitter: undefined }, keep: { succeeded: '1h' }, cancel: 'strict', isolate: 'process' },
      base,
    );
    expect(policy).toEqual({
      ...base,
      delayMs: 5000,
      keepSucceededMs: 3_600_000,
      strictCancel: true,
      isolate: 'process',
    });
  });

  test('lets a delay longer than the default cap raise the cap', () => {
    expect(policyOf({ retry: { delay: '2h' } })).toMatchObject({ delayMs: 7_200_000, maxMs: 7_200_000 });
  });

  test.each<[object, string]>([
    [{ retry: 0 }, 'retry.attempts is not valid: 0 is not a whole number from 1 to 1000'],
    [{ retry: '3' }, 'retry.attempts is not valid: "3"'],
    [{ retry: null }, 'retry.attempts is not valid: null'],
    [{ retry: { attempts: 1.5 } }, '1.5 is not a whole number'],
    [{ retry: { delay: '5 mins' } }, 'retry.delay is not valid'],
    [{ retry: { delay: '1m', max: '1s' } }, 'retry.max is not valid: it is shorter than retry.delay'],
    [{ retry: { jitter: true } }, 'true is none of equal, full, none'],
    [{ retry: { backoff: 'exponental' } }, 'Did you mean exponential?'],
    [{ retry: { factor: 0.5 } }, '0.5 is not a number from 1 to 1000'],
    [{ retry: { attemps: 3 } }, 'there is no option "attemps". Did you mean attempts?'],
    [{ keep: { failedd: '1d' } }, 'Did you mean failed?'],
    [{ keep: '3d' }, 'keep is not valid: "3d" is not { succeeded, failed }'],
    [{ cancel: 'hard' }, 'cancel is not valid'],
    [{ isolate: 'thread' }, 'isolate is not valid'],
  ])('refuses %j', (options, message) => {
    expect(() => policyOf(options)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(message) }),
    );
  });
});

describe('the stored form', () => {
  const policies: fc.Arbitrary<Policy> = fc.record({
    attempts: fc.integer({ min: 1, max: limits.attemptsMax }),
    backoff: fc.constantFrom('fixed' as const, 'exponential' as const),
    delayMs: fc.integer({ min: 0, max: limits.durationMaxMs }),
    factor: fc.double({ min: 1, max: limits.backoffFactorMax, noNaN: true }),
    maxMs: fc.integer({ min: 0, max: limits.durationMaxMs }),
    jitter: fc.constantFrom('equal' as const, 'full' as const, 'none' as const),
    keepSucceededMs: fc.integer({ min: 0, max: limits.durationMaxMs }),
    keepFailedMs: fc.integer({ min: 0, max: limits.durationMaxMs }),
    strictCancel: fc.boolean(),
    isolate: fc.constantFrom('none' as const, 'process' as const),
    redact: fc.constantFrom(null, ['input.card.number', '~.password']),
  });

  test('is empty for the default and names only what differs', () => {
    expect(encodePolicy(defaultPolicy)).toBe('{}');
    expect(encodePolicy(policyOf({ retry: { attempts: 3, jitter: 'none' } }))).toBe('{"attempts":3,"jitter":"none"}');
  });

  test('is read back the same', () => {
    fc.assert(
      fc.property(policies, (policy) => {
        expect(parsePolicy(encodePolicy(policy))).toEqual(policy);
      }),
    );
  });

  test.each([
    '',
    '{',
    'null',
    '[]',
    '7',
    '{"attempts":"x","jitter":5,"newer":1}',
    '{"attempts":-1,"delayMs":1e99,"factor":null}',
  ])('is the default where %j makes no sense', (text) => {
    expect(parsePolicy(text)).toEqual(defaultPolicy);
  });
});

test('a task runs in its own process after a crash, or when its policy says so', () => {
  expect(runsIsolated({ crashes: 0, policy: '{}' })).toBe(false);
  expect(runsIsolated({ crashes: 1, policy: '{}' })).toBe(true);
  expect(runsIsolated({ crashes: 0, policy: '{"isolate":"process"}' })).toBe(true);
});

/** Tests the bounds of every delay, for failures up to 2^31 and factors up to 1000. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BackoffPolicy, backoffMs } from './backoff.ts';

const standard: BackoffPolicy = { backoff: 'exponential', delayMs: 1000, factor: 2, maxMs: 3_600_000, jitter: 'none' };

const policies = fc.record({
  backoff: fc.constantFrom('fixed' as const, 'exponential' as const),
  delayMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 86_400_000 })),
  factor: fc.oneof(fc.constant(1), fc.double({ min: 1, max: 1000, noNaN: true })),
  maxMs: fc.integer({ min: 0, max: 2 ** 40 }),
  jitter: fc.constantFrom('equal' as const, 'full' as const, 'none' as const),
});
const failureCounts = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 2 ** 31 }));
const chances = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('backoffMs', () => {
  test('doubles from one second up to one hour', () => {
    const delays = [1, 2, 3, 4, 12, 13, 14, 100].map((failures) => backoffMs(standard, failures, 0));
    expect(delays).toEqual([1000, 2000, 4000, 8000, 2_048_000, 3_600_000, 3_600_000, 3_600_000]);
  });

  test('keeps a fixed delay', () => {
    expect([1, 2, 50].map((failures) => backoffMs({ ...standard, backoff: 'fixed' }, failures, 0))).toEqual([
      1000, 1000, 1000,
    ]);
  });

  test('spreads equal jitter over the upper half and full jitter over all', () => {
    expect([0, 0.5, 0.999_999].map((random) => backoffMs({ ...standard, jitter: 'equal' }, 1, random))).toEqual([
      500, 750, 1000,
    ]);
    expect([0, 0.5, 0.999_999].map((random) => backoffMs({ ...standard, jitter: 'full' }, 1, random))).toEqual([
      0, 500, 1000,
    ]);
  });

  test('lets the error say when to come back, capped and without jitter', () => {
    expect(backoffMs({ ...standard, jitter: 'full' }, 9, 0, 7000)).toBe(7000);
    expect(backoffMs(standard, 1, 0, 99_000_000)).toBe(3_600_000);
    expect(backoffMs(standard, 1, 0, -5)).toBe(0);
    expect(backoffMs(standard, 1, 0, Number.NaN)).toBe(1000);
  });

  test('is a whole number within bounds for every policy and any count of failures', () => {
    fc.assert(
      fc.property(policies, failureCounts, chances, (policy, failures, random) => {
        const delay = backoffMs(policy, failures, random);
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(policy.maxMs);
      }),
      { numRuns: 1000 },
    );
  });

  test('stays within the bounds of its jitter', () => {
    fc.assert(
      fc.property(policies, failureCounts, chances, (policy, failures, random) => {
        const raw = backoffMs({ ...policy, jitter: 'none' }, failures, 0);
        const delay = backoffMs(policy, failures, random);
        const least = policy.jitter === 'none' ? raw : policy.jitter === 'equal' ? Math.floor(raw / 2) : 0;
        expect(delay).toBeGreaterThanOrEqual(least);
        expect(delay).toBeLessThanOrEqual(raw);
      }),
      { numRuns: 1000 },
    );
  });

  test('never shrinks with more failures when there is no jitter', () => {
    fc.assert(
      fc.property(policies, failureCounts, failureCounts, (policy, a, b) => {
        const plain = { ...policy, jitter: 'none' as const };
        expect(backoffMs(plain, Math.min(a, b), 0)).toBeLessThanOrEqual(backoffMs(plain, Math.max(a, b), 0));
      }),
      { numRuns: 1000 },
    );
  });

  test('reaches the cap with any factor above 1', () => {
    fc.assert(
      fc.property(fc.double({ min: 1.001, max: 1000, noNaN: true }), (factor) => {
        expect(backoffMs({ ...standard, factor }, 2 ** 31, 0)).toBe(standard.maxMs);
      }),
    );
  });
});

/** How long to wait before the next run of a task that failed. */

/** How the delays grow: the same each time, or times `factor` after each failure. */
export type BackoffKind = 'fixed' | 'exponential';

/**
 * How a delay is spread, so that tasks that failed together do not come back together.
 * `none` the delay itself, `equal` between half of it and all of it, `full` between nothing and all of it.
 */
export type Jitter = 'equal' | 'full' | 'none';

/** The part of a retry policy that decides delays, normalised: everything given, all in ms. */
export interface BackoffPolicy {
  readonly backoff: BackoffKind;
  /** The delay after the first failure, at least 0. */
  readonly delayMs: number;
  /** Growth by failure for `exponential`, at least 1. */
  readonly factor: number;
  /** No delay is longer than this, neither by growth nor by a `retryAfterMs`. */
  readonly maxMs: number;
  readonly jitter: Jitter;
}

/**
 * The delay in whole ms before the next run, after `failures` charged failures (1, 2, …).
 * `random` is a number in [0, 1). `retryAfterMs`, what the error itself asked for (a Retry-After
 * header), wins over the policy and gets no jitter, but is capped like everything else.
 * Always a finite integer in [0, maxMs]; for jitter `none` it never shrinks with more failures.
 */
export function backoffMs(policy: BackoffPolicy, failures: number, random: number, retryAfterMs?: number): number {
  if (retryAfterMs !== undefined && Number.isFinite(retryAfterMs)) return clamp(Math.ceil(retryAfterMs), policy.maxMs);
  const raw = clamp(rawDelay(policy, failures), policy.maxMs);
  if (policy.jitter === 'full') return clamp(Math.round(raw * random), policy.maxMs);
  if (policy.jitter === 'equal') return clamp(Math.round(raw / 2 + (raw / 2) * random), policy.maxMs);
  return raw;
}

/** The exponent is clamped before the power is taken: a power that overflows to infinity first is how retries stop for ever elsewhere. */
function rawDelay(policy: BackoffPolicy, failures: number): number {
  const { delayMs, factor, maxMs } = policy;
  if (policy.backoff === 'fixed' || factor <= 1 || delayMs <= 0 || delayMs >= maxMs) return delayMs;
  const exponentMax = Math.ceil(Math.log(maxMs / delayMs) / Math.log(factor));
  const exponent = Math.min(Math.max(failures, 1) - 1, exponentMax);
  return delayMs * factor ** exponent;
}

function clamp(ms: number, maxMs: number): number {
  return Math.round(Math.min(maxMs, Math.max(0, ms)));
}

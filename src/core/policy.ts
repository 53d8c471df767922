/** The policy of a task: how often it is tried, how long it is kept, and how it is run. It travels with the task as text. */
import type { BackoffPolicy } from './backoff.ts';
import { parseDuration } from './duration.ts';
import { taskFlowError } from './errors.ts';
import { limits } from './limits.ts';
import { didYouMean } from './nearest.ts';
import { readRedactPaths } from './redact-paths.ts';

/** Whether runs share the worker's process or get their own. */
export type Isolation = 'none' | 'process';

/** A normalised policy: everything given, all times in ms. */
export interface Policy extends BackoffPolicy {
  /** Charged runs in all, the first one too. */
  readonly attempts: number;
  readonly keepSucceededMs: number;
  /** For failed and cancelled tasks. */
  readonly keepFailedMs: number;
  /** Whether a success that arrives after a cancel request is dropped too. */
  readonly strictCancel: boolean;
  readonly isolate: Isolation;
  /** Paths of values that nobody is shown, in their stored form; `null` is none. */
  readonly redact: readonly string[] | null;
}

/**
 * How a policy is written by people. The values are unknown because they come from JavaScript, JSON and command lines
 * as well; {@link policyOf} checks all of them. Absent and undefined fields keep what the base says.
 */
export interface PolicyOptions {
  /** The number of attempts, or `{ attempts, backoff, delay, factor, max, jitter }`; a function `on` is skipped. */
  readonly retry?: unknown;
  /** `{ succeeded, failed }`: how long finished tasks are kept. */
  readonly keep?: unknown;
  /** `normal` or `strict`. */
  readonly cancel?: unknown;
  /** `none` or `process`. */
  readonly isolate?: unknown;
  /** Paths such as `input.card.number`. */
  readonly redact?: unknown;
}

/**
 * The policy of a task that says nothing. These values are part of the stored form, which leaves them out:
 * never change one, add a field instead.
 */
export const defaultPolicy: Policy = Object.freeze({
  attempts: 5,
  backoff: 'exponential',
  delayMs: 1000,
  factor: 2,
  maxMs: 3_600_000,
  jitter: 'equal',
  keepSucceededMs: 3 * 86_400_000,
  keepFailedMs: 30 * 86_400_000,
  strictCancel: false,
  isolate: 'none',
  redact: null,
});

/** Lays what a person wrote over a base. Throws INVALID_OPTION that names the option (`retry.delay`) and what is wrong. */
export function policyOf(options: PolicyOptions, base: Policy = defaultPolicy): Policy {
  const { cancel, isolate, redact } = options;
  const keep = fieldsOf(options.keep, ['succeeded', 'failed'], 'keep');
  return {
    ...base,
    ...retryOf(options.retry, base),
    keepSucceededMs: durationOr(keep.succeeded, 'keep.succeeded', base.keepSucceededMs),
    keepFailedMs: durationOr(keep.failed, 'keep.failed', base.keepFailedMs),
    strictCancel: cancel === undefined ? base.strictCancel : oneOf(cancel, ['normal', 'strict'], 'cancel') === 'strict',
    isolate: isolate === undefined ? base.isolate : oneOf(isolate, ['none', 'process'], 'isolate'),
    redact: redact === undefined ? base.redact : listOrNull(readRedactPaths(redact)),
  };
}

/** The policy as stored with a task: JSON of what differs from {@link defaultPolicy}, in a fixed order. `{}` for the default. */
export function encodePolicy(policy: Policy): string {
  const differing: Record<string, unknown> = {};
  for (const name of policyNames) {
    if (policy[name] !== defaultPolicy[name]) differing[name] = policy[name];
  }
  return JSON.stringify(differing);
}

/**
 * Reads a stored policy. Never throws: a field that is missing or makes no sense has its default, so that a verdict is
 * reached even on a row that somebody damaged or a newer version wrote.
 */
export function parsePolicy(text: string): Policy {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const policy = Object.freeze(readPolicy(text));
  // A namespace has as many policies as it has definitions: few. Texts beyond that are not worth remembering.
  if (parsed.size < 1000 && text.length < 1000) parsed.set(text, policy);
  return policy;
}

/** Whether the next run must have its own process: the policy says so, or a worker has died under it before. */
export function runsIsolated(task: { readonly crashes: number; readonly policy: string }): boolean {
  return task.crashes >= 1 || parsePolicy(task.policy).isolate === 'process';
}

const policyNames = Object.keys(defaultPolicy) as (keyof Policy)[];
const parsed = new Map<string, Policy>();

function listOrNull(list: readonly string[]): readonly string[] | null {
  return list.length === 0 ? null : list;
}

function readPolicy(text: string): Policy {
  let stored: Partial<Record<keyof Policy, unknown>> = {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) stored = value;
  } catch {
    // Damaged text is the default policy, see parsePolicy.
  }
  const number = (
    name: 'attempts' | 'delayMs' | 'factor' | 'maxMs' | 'keepSucceededMs' | 'keepFailedMs',
    min: number,
    max: number,
  ): number => {
    const value = stored[name];
    return typeof value === 'number' && value >= min && value <= max ? value : defaultPolicy[name];
  };
  return {
    attempts: Math.floor(number('attempts', 1, limits.attemptsMax)),
    backoff: stored.backoff === 'fixed' ? 'fixed' : 'exponential',
    delayMs: number('delayMs', 0, limits.durationMaxMs),
    factor: number('factor', 1, limits.backoffFactorMax),
    maxMs: number('maxMs', 0, limits.durationMaxMs),
    jitter: stored.jitter === 'full' || stored.jitter === 'none' ? stored.jitter : 'equal',
    keepSucceededMs: number('keepSucceededMs', 0, limits.durationMaxMs),
    keepFailedMs: number('keepFailedMs', 0, limits.durationMaxMs),
    strictCancel: stored.strictCancel === true,
    isolate: stored.isolate === 'process' ? 'process' : 'none',
    redact: Array.isArray(stored.redact)
      ? listOrNull(stored.redact.filter((path) => typeof path === 'string').slice(0, limits.redactPathsMax))
      : null,
  };
}

function retryOf(
  retry: unknown,
  base: Policy,
): Pick<Policy, 'attempts' | 'backoff' | 'delayMs' | 'factor' | 'maxMs' | 'jitter'> {
  // `on` is the worker's business: a function does not travel.
  const names = ['attempts', 'backoff', 'delay', 'factor', 'max', 'jitter', 'on'];
  const fields = typeof retry === 'object' && retry !== null ? fieldsOf(retry, names, 'retry') : { attempts: retry };
  const { attempts, backoff, delay, factor, max, jitter } = fields;
  const delayMs = durationOr(delay, 'retry.delay', base.delayMs);
  const maxMs = durationOr(max, 'retry.max', Math.max(base.maxMs, max === undefined ? delayMs : 0));
  if (delayMs > maxMs) throw invalid('retry.max', 'it is shorter than retry.delay');
  return {
    attempts:
      attempts === undefined ? base.attempts : numberIn(attempts, 'retry.attempts', 1, limits.attemptsMax, true),
    backoff: backoff === undefined ? base.backoff : oneOf(backoff, ['fixed', 'exponential'], 'retry.backoff'),
    delayMs,
    factor: factor === undefined ? base.factor : numberIn(factor, 'retry.factor', 1, limits.backoffFactorMax, false),
    maxMs,
    jitter: jitter === undefined ? base.jitter : oneOf(jitter, ['equal', 'full', 'none'], 'retry.jitter'),
  };
}

function durationOr(value: unknown, what: string, otherwise: number): number {
  return value === undefined ? otherwise : parseDuration(value, what);
}

function numberIn(value: unknown, what: string, min: number, max: number, whole: boolean): number {
  const right = typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value));
  if (right) return value;
  throw invalid(what, `${shown(value)} is not a ${whole ? 'whole ' : ''}number from ${min} to ${max}`);
}

function oneOf<const Word extends string>(value: unknown, words: readonly Word[], what: string): Word {
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw invalid(
    what,
    `${shown(value)} is none of ${words.join(', ')}.${typeof value === 'string' ? didYouMean(value, words) : ''}`,
  );
}

/** The fields of an options object; refuses anything else and unknown names. */
function fieldsOf(options: unknown, known: readonly string[], what: string): Readonly<Record<string, unknown>> {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null)
    throw invalid(what, `${shown(options)} is not { ${known.join(', ')} }`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw invalid(what, `there is no option "${name.slice(0, 40)}".${didYouMean(name, known)}`);
    }
  }
  return { ...options };
}

function shown(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, 40))
    : typeof value === 'object' && value !== null
      ? 'an object'
      : String(value);
}

function invalid(what: string, problem: string) {
  return taskFlowError('INVALID_OPTION', { what, problem });
}

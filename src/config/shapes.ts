/** What the values of settings look like: zod schemas that read text (flags, variables) and native values (files) alike. */

import type * as Zod from 'zod';
import { readBasePath } from '../core/base-path.ts';
import { parseDuration } from '../core/duration.ts';
import { TaskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { problemOfName } from '../core/names.ts';
import { didYouMean } from '../core/nearest.ts';
import { proxiesMax, readProxies } from '../core/proxies.ts';
import { readRedactPaths } from '../core/redact-paths.ts';

/** The library, handed in: it costs 50 ms to load, and `--help` must not wait for it. */
export type ZodLibrary = typeof Zod;

/** Slots of each queue; `null` shares the worker's concurrency. */
export type QueueSlots = Readonly<Record<string, number | null>>;

/** A retry policy as people write it. `attempts` counts all runs, the first one too. */
export interface RetrySetting {
  readonly attempts?: number | undefined;
  readonly backoff?: 'fixed' | 'exponential' | undefined;
  readonly delay?: string | number | undefined;
  readonly factor?: number | undefined;
  readonly max?: string | number | undefined;
  readonly jitter?: 'none' | 'full' | 'equal' | undefined;
}

/** One of a few words. */
export const word = <const Word extends string>(z: ZodLibrary, words: readonly [Word, ...Word[]]) =>
  z.enum(words, { error: (issue) => `must be one of ${words.join(', ')}${got(issue.input)}` });

/** Text that is not empty. */
export const text = (z: ZodLibrary, max: number = limits.nameMax) =>
  z
    .string({ error: (issue) => `must be text${got(issue.input)}` })
    .min(1, 'must not be empty')
    .max(max, `must have at most ${max} characters`);

/** A whole number within bounds; text of digits is read. */
export const whole = (z: ZodLibrary, min: number, max: number) => {
  const words = `must be a whole number from ${min} to ${max}`;
  const number = z.number({ error: (issue) => words + got(issue.input) });
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\s*\d+\s*$/.test(value) ? Number(value) : value),
    number.refine((value) => Number.isInteger(value) && value >= min && value <= max, {
      error: (issue) => words + got(issue.input),
    }),
  );
};

/** A duration such as `30s`, as milliseconds. */
export const duration = (z: ZodLibrary, minMs = 0, maxMs: number = limits.durationMaxMs) =>
  z.unknown().transform((value, context): number => {
    try {
      return parseDuration(typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value, '', {
        min: minMs,
        max: maxMs,
      });
    } catch (error) {
      if (!(error instanceof TaskFlowError)) throw error;
      const problem = error.message.slice(error.message.indexOf(':') + 2).replace(/\.$/, '');
      context.addIssue({ code: 'custom', message: `must be a duration: ${problem}. ${error.hint ?? ''}`.trim() });
      return z.NEVER;
    }
  });

/** A duration, or `none`/`null` for no limit. */
export const durationOrNone = (z: ZodLibrary, minMs = 0) =>
  z.union([z.preprocess((value) => (value === 'none' ? null : value), z.null()), duration(z, minMs)], {
    error: (issue) => `must be a duration such as 5m, or none${got(issue.input)}`,
  });

/** Several texts, or one with commas between them. */
export const list = (z: ZodLibrary) =>
  z.preprocess(
    (value) =>
      typeof value === 'string'
        ? value
            .split(',')
            .map((part) => part.trim())
            .filter((part) => part !== '')
        : value,
    z
      .array(z.string(), { error: (issue) => `must be a list such as a,b${got(issue.input)}` })
      .min(1, 'must name at least one'),
  );

/** Paths such as `input.card.number`, in their stored form; none for an empty list. */
export const redactPaths = (z: ZodLibrary) =>
  z.unknown().transform((value, context): readonly string[] => {
    const paths = typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value;
    try {
      return readRedactPaths(Array.isArray(paths) ? paths.filter((path) => path !== '') : paths);
    } catch (error) {
      if (!(error instanceof TaskFlowError)) throw error;
      context.addIssue({
        code: 'custom',
        message: `is not valid: ${error.message.slice(error.message.indexOf(':') + 2)}`,
      });
      return z.NEVER;
    }
  });

/** A path below the root of a host. */
export const basePath = (z: ZodLibrary) =>
  z.unknown().transform((value, context): string => {
    try {
      return readBasePath(value) || '/';
    } catch (error) {
      if (!(error instanceof TaskFlowError)) throw error;
      context.addIssue({ code: 'custom', message: 'must be a path that begins with a slash, such as /ops/tasks' });
      return z.NEVER;
    }
  });

/** Addresses and ranges of proxies, or how many there are: as they were written, for core/proxies.ts to read. */
export const proxies = (z: ZodLibrary) =>
  z.unknown().transform((value, context): readonly string[] => {
    const text = Array.isArray(value) ? value.join(',') : String(value);
    const parts = text.split(',').map((part) => part.trim());
    const given = parts.filter((part) => part !== '');
    if (given.length > 0 && readProxies(given) !== null) return given;
    context.addIssue({
      code: 'custom',
      message: `must be addresses and ranges such as 10.0.0.0/8,loopback, or a number from 1 to ${proxiesMax}${got(value)}`,
    });
    return z.NEVER;
  });

/** Queues with or without slots: `default,high`, `email=20,default=5`, `['default']`, `{ email: 20 }`. */
export const queues = (z: ZodLibrary) =>
  z.unknown().transform((value, context): QueueSlots => {
    const problems: string[] = [];
    const slots = readQueues(value, problems);
    for (const problem of problems) context.addIssue({ code: 'custom', message: problem });
    return slots;
  });

/** A number of runs, or a policy; as text it is a number or JSON. */
export const retry = (z: ZodLibrary) => {
  const attempts = whole(z, 1, limits.attemptsMax);
  const policy = z.strictObject(
    {
      attempts: attempts.optional(),
      backoff: word(z, ['fixed', 'exponential']).optional(),
      delay: duration(z).optional(),
      factor: z.number().min(1).max(100).optional(),
      max: duration(z).optional(),
      jitter: word(z, ['none', 'full', 'equal']).optional(),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `has no key ${issue.keys.map((key) => unknownKey(key)).join(', ')}`
          : undefined,
    },
  );
  return z.preprocess(
    readJson,
    z.union([attempts, policy], {
      error: (issue) =>
        `must be a number of runs from 1 to ${limits.attemptsMax}, or a policy such as {"attempts":5,"delay":"1s"}${got(issue.input)}`,
    }),
  );
};

function unknownKey(key: string): string {
  return `"${key}".${didYouMean(key, ['attempts', 'backoff', 'delay', 'factor', 'max', 'jitter'])}`;
}

function readJson(value: unknown): unknown {
  if (typeof value !== 'string' || !value.trim().startsWith('{')) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function readQueues(value: unknown, problems: string[]): QueueSlots {
  const entries: [string, unknown][] =
    typeof value === 'string'
      ? value
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== '')
          .map(splitSlots)
      : Array.isArray(value)
        ? value.map((name) => [String(name), null])
        : typeof value === 'object' && value !== null
          ? Object.entries(value)
          : [];
  if (entries.length === 0) problems.push(`must name queues, such as default,high or email=20,default=5${got(value)}`);
  if (entries.length > limits.queuesPerWorkerMax)
    problems.push(`must name at most ${limits.queuesPerWorkerMax} queues`);
  const slots: [string, number | null][] = [];
  for (const [name, raw] of entries) {
    const count = raw === null ? null : Number(raw);
    const wrong = problemOfName(name);
    if (wrong !== null) problems.push(`names a queue that cannot be: ${wrong}`);
    else if (count !== null && !(Number.isInteger(count) && count >= 1 && count <= limits.concurrencyMax))
      problems.push(`has ${JSON.stringify(raw)} slots for ${name}; 1 to ${limits.concurrencyMax} are allowed`);
    else slots.push([name, count]);
  }
  return Object.fromEntries(slots);
}

function splitSlots(part: string): [string, string | null] {
  const at = part.lastIndexOf('=');
  return at < 0 ? [part, null] : [part.slice(0, at).trim(), part.slice(at + 1).trim()];
}

function got(input: unknown): string {
  if (input === undefined) return '';
  const shown = JSON.stringify(input) ?? typeof input;
  return `, not ${shown.length > 60 ? `${shown.slice(0, 59)}…` : shown}`;
}

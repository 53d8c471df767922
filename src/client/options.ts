/** The options of an enqueue: their types, and how they are read and refused. */

import type { DependsOn } from '../core/dependency-option.ts';
import type { Duration } from '../core/duration.ts';
import { didYouMean } from '../core/nearest.ts';
import { checkOptionNames, invalidOption } from '../core/option-names.ts';
import type { Priority } from '../core/priority.ts';
import type { IfExists } from '../core/task.ts';
import type { Transaction } from '../core/transaction.ts';
import type { RetryOptions } from './task-options.ts';

/** A limit given with an enqueue. Its name means the same in the whole namespace. */
export interface EnqueueLimit {
  readonly name: string;
  /** Tasks with this limit that run at once, in all workers together. */
  readonly max?: number;
  /** Their starts in a time. */
  readonly rate?: { readonly limit: number; readonly per: Duration };
}

/** How one task differs from its definition. */
export interface ItemOptions {
  /** Runs it after this time. Not together with `at`. */
  readonly delay?: Duration;
  /** Runs it at this time, or at once when it is past. */
  readonly at?: Date;
  /** `urgent` (0), `high` (2), `normal` (5, the default), `low` (8), or 0 (first) to 9 (last). */
  readonly priority?: Priority;
  readonly queue?: string;
  /** At most 16 words to find it by. */
  readonly tags?: readonly string[];
  /** Takes turns with the other groups of its queue; replaces what the definition's template would render. */
  readonly group?: string;
  /**
   * Limits beside those of the definition, by name; together at most three. One whose name the definition renders too
   * takes its place.
   */
  readonly limits?: readonly EnqueueLimit[];
  /** Unique among unfinished tasks; replaces what the definition's template would render. */
  readonly key?: string;
  /** Keeps the key for this long after success. Not with `ifExists` replace or debounce. */
  readonly keyFor?: Duration;
  /**
   * When the key is held: `return` that task's handle (the default), `replace` it if it still waits, `debounce` (the
   * same, and the delay starts again), or reject with `error` KEY_CONFLICT.
   */
  readonly ifExists?: IfExists;
  /** Cancelled as expired when its first run has not begun within this time of being due. */
  readonly startWithin?: Duration;
  /** Cancelled as expired when it is not finished within this time of being enqueued. */
  readonly expiresIn?: Duration;
  /** A number of attempts, or the parts of the definition's policy to change. */
  readonly retry?: number | Partial<Omit<RetryOptions, 'on'>>;
  /**
   * Tasks it waits for, by id or handle: it becomes due when the last of them has succeeded, and fails when one does not,
   * or what `{ task, onFailure }` says. At most 1,000, which exist: INVALID_FLOW.
   */
  readonly dependsOn?: readonly DependsOn[];
  /** W3C trace context of the caller. */
  readonly traceparent?: string;
  /** The id of an earlier try of this same call, whose answer was lost. Leave it out otherwise. */
  readonly id?: string;
}

/** How one enqueue differs from its task's definition. */
export interface EnqueueOptions extends ItemOptions, ManyOptions {}

/** The options of a call, beside those of each of its tasks. */
export interface ManyOptions {
  /**
   * Makes it part of your own open transaction: the task is there when you commit, and never was if you roll back. Workers see
   * it by themselves, or at once when you call `afterCommit()` of the handle. Rejects with TX_NOT_JOINABLE.
   *
   * @example
   * import { DatabaseSync } from 'node:sqlite';
   *
   * const tx = new DatabaseSync('./app.db', { timeout: 5_000 });
   * tx.exec('BEGIN IMMEDIATE');
   * tx.prepare('INSERT INTO users (id) VALUES (?)').run(userId);
   * const welcome = await sendWelcome.enqueue({ userId }, { tx });
   * tx.exec('COMMIT');
   * await welcome.afterCommit();
   */
  readonly tx?: Transaction | undefined;
}

const optionNames = {
  delay: true,
  at: true,
  priority: true,
  queue: true,
  tags: true,
  group: true,
  limits: true,
  key: true,
  keyFor: true,
  ifExists: true,
  startWithin: true,
  expiresIn: true,
  retry: true,
  dependsOn: true,
  traceparent: true,
  id: true,
} as const satisfies Record<keyof ItemOptions, true>;

const knownNames: readonly string[] = Object.keys(optionNames);

const ifExistsWords: readonly IfExists[] = ['return', 'replace', 'debounce', 'error'];

/** Refuses unknown options: INVALID_OPTION with the nearest known one. */
export function checkEnqueueOptions(options: object): void {
  if ('tx' in options)
    throw invalidOption('tx', 'a transaction is for a whole call: enqueue(input, { tx }), enqueueMany(items, { tx })');
  checkOptionNames(options, knownNames, [], 'The options of enqueue');
}

/** The transaction of a call, and what else was said. */
export function readTransaction<Options extends ManyOptions>(
  options: Options,
): { readonly tx: unknown; readonly rest: Omit<Options, 'tx'> } {
  if (!('tx' in options)) return { tx: undefined, rest: options };
  const { tx, ...rest } = options;
  return { tx, rest };
}

/** Reads `ifExists`, and refuses it with a `keyFor` it makes no sense with. Throws INVALID_OPTION. */
export function readIfExists(value: unknown, keyForMs: number | null): IfExists {
  const word = ifExistsWords.find((each) => each === value);
  if (word === undefined) {
    const guess = typeof value === 'string' ? didYouMean(value, ifExistsWords) : '';
    throw invalidOption('ifExists', `${JSON.stringify(value)} is none of ${ifExistsWords.join(', ')}.${guess}`);
  }
  if (keyForMs !== null && (word === 'replace' || word === 'debounce')) {
    throw invalidOption(
      'keyFor',
      `with ifExists: '${word}' the key is let go when the task starts, so it cannot be kept after success`,
    );
  }
  return word;
}

/** What a handler throws to say more than "it failed": give up now, or come back later. */

import type { Duration } from './duration.ts';
import { parseDuration } from './duration.ts';

// Registered symbols, so that two copies of the package in one process understand each other.
const fatalBrand = Symbol.for('taskflow.fatal');
const snoozeBrand = Symbol.for('taskflow.snooze');

/** An error that ends its task now, whatever attempts are left. */
export interface Fatal extends Error {
  readonly [fatalBrand]: true;
}

/** Not a failure: the run ends, is not charged, and the task runs again after `delayMs`. */
export interface Snooze extends Error {
  readonly [snoozeBrand]: true;
  readonly delayMs: number;
}

/**
 * Makes an error that ends the task as failed now: no more retries. Throw it; returning it does nothing.
 *
 * @example
 * if (user === null) throw fatal('the user is gone');
 */
export function fatal(why: string, options: { readonly cause?: unknown } = {}): Fatal {
  const error = new Error(why, 'cause' in options ? { cause: options.cause } : undefined);
  error.name = 'Fatal';
  return Object.assign(error, { [fatalBrand]: true as const });
}

/**
 * Makes a value to throw that runs the task again after `duration` and does not use up an attempt. A task may
 * snooze at most `limits.snoozesMax` times. Throws INVALID_OPTION for a duration that is none.
 *
 * @example
 * if (!report.ready) throw snooze('10m');
 */
export function snooze(duration: Duration): Snooze {
  const delayMs = parseDuration(duration, 'snooze');
  const error = new Error(`Snoozed for ${delayMs} ms`);
  error.name = 'Snooze';
  return Object.assign(error, { [snoozeBrand]: true as const, delayMs });
}

/** Whether a thrown value was made by {@link fatal}. */
export function isFatal(thrown: unknown): thrown is Fatal {
  return thrown instanceof Error && fatalBrand in thrown;
}

/** Whether a thrown value was made by {@link snooze}. */
export function isSnooze(thrown: unknown): thrown is Snooze {
  return thrown instanceof Error && snoozeBrand in thrown;
}

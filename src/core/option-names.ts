/** Refuses options that do not exist: a misspelt option that is silently ignored is found in production. */

import { type TaskFlowError, taskFlowError } from './errors.ts';
import { didYouMean } from './nearest.ts';

/**
 * Checks the names of an options object that comes from a caller's code. `known` are accepted; `later` are named in the
 * design and answer NOT_SUPPORTED, since silence would be a promise; anything else is INVALID_OPTION with the nearest
 * known name. `what` says whose options they are.
 */
export function checkOptionNames(
  options: object,
  known: readonly string[],
  later: readonly string[],
  what: string,
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    if (later.includes(name)) throw taskFlowError('NOT_SUPPORTED', { what: `The option "${name}"` });
    throw invalidOption(what, `there is no option "${name}".${didYouMean(name, known)}`);
  }
}

/** Makes an INVALID_OPTION. */
export function invalidOption(what: string, problem: string): TaskFlowError {
  return taskFlowError('INVALID_OPTION', { what, problem });
}

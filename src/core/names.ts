/** The rule for names of tasks, queues and tags, and for keys: what can be shown, filtered and typed on a command line. */

import { taskFlowError } from './errors.ts';
import { limits } from './limits.ts';

// No blanks, quotes, commas, `=`, `*` or braces: they separate in filters, flags (`--queues email=20,high`) and templates.
const namePattern = /^[\p{L}\p{N}_][\p{L}\p{N}\p{M}._:/@+#-]*$/u;

/** Returns the name when it is one. `what` says whose it is ("queue"). Throws INVALID_OPTION. */
export function checkName(value: unknown, what: string): string {
  const problem = problemOfName(value);
  if (problem === null) return value as string;
  throw taskFlowError(
    'INVALID_OPTION',
    { what, problem },
    { hint: "Letters, digits and . _ - : / @ + #, such as 'email.welcome'." },
  );
}

/** Returns the key when it is one: 1 to `limits.keyMax` characters of well-formed text without NUL. Throws INVALID_OPTION. */
export function checkKey(value: unknown, what: string): string {
  const problem = problemOfKey(value);
  if (problem === null) return value as string;
  throw taskFlowError('INVALID_OPTION', { what, problem });
}

/** What keeps a value from being a name, or `null`. */
export function problemOfName(value: unknown): string | null {
  if (typeof value !== 'string') return `a ${typeof value} is not a name`;
  if (value === '') return 'it is empty';
  if (value.length > limits.nameMax) return `it has ${value.length} characters, at most ${limits.nameMax} are allowed`;
  if (namePattern.test(value)) return null;
  const wrong = [...value].find((character, at) => !namePattern.test(at === 0 ? character : `x${character}`));
  return `${JSON.stringify(value.toWellFormed())} contains ${JSON.stringify(wrong?.toWellFormed() ?? '')}${value.startsWith(wrong ?? '\0') ? ' at its start' : ''}`;
}

function problemOfKey(value: unknown): string | null {
  if (typeof value !== 'string') return `a ${typeof value} is not a key`;
  if (value === '') return 'it is empty';
  if (value.length > limits.keyMax) return `it has ${value.length} characters, at most ${limits.keyMax} are allowed`;
  if (value.includes('\0')) return 'it contains a NUL character';
  return value.isWellFormed() ? null : 'it contains half of a surrogate pair';
}

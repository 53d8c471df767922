/** Reads the paths of values that nobody is shown, such as `input.card.number` and `**.password`, and follows them into JSON. */

import { matchesPattern } from './access.ts';
import { foldCase } from './fold-case.ts';
import { limits } from './limits.ts';
import { didYouMean } from './nearest.ts';
import { invalidOption } from './option-names.ts';

/** What of a task holds JSON of its user's. */
export type RedactRoot = 'input' | 'result' | 'steps' | 'logs';

const roots: readonly RedactRoot[] = ['input', 'result', 'steps', 'logs'];
const rootAliases: Readonly<Record<string, RedactRoot>> = {
  payload: 'input',
  output: 'result',
  step: 'steps',
  log: 'logs',
};

/** Any number of keys, none too. It is no `*`, so that a store finds out with a plain comparison whether a path has one. */
const anyDepth = '~';
/** The first key of a path, whatever it is. */
const anyRoot = '^';

/** How far each path has been followed that may still lead somewhere. */
export type Reach = readonly Place[];

interface Place {
  readonly segments: readonly string[];
  readonly at: number;
}

/**
 * Reads what a person wrote, into its stored form: in small letters, since keys are compared without regard to case, and
 * without `[]`, since a path leads through lists anyway. Throws INVALID_OPTION.
 */
export function readRedactPaths(value: unknown, what = 'redact'): readonly string[] {
  if (!Array.isArray(value))
    throw invalidOption(what, "a list of paths is needed, such as ['input.card.number', '**.password']");
  if (value.length > limits.redactPathsMax)
    throw invalidOption(what, `there are ${value.length} paths, at most ${limits.redactPathsMax} are allowed`);
  return [...new Set(value.map((path: unknown) => readPath(path, what)))];
}

function readPath(path: unknown, what: string): string {
  if (typeof path !== 'string' || path.length > limits.redactPathMax)
    throw invalidOption(what, `a path is a text of at most ${limits.redactPathMax} characters`);
  const wrong = (problem: string) => invalidOption(what, `"${path}" ${problem}`);
  const segments = foldCase(path)
    .replaceAll(/\[\*?\]/g, '')
    .split('.')
    .map((segment) => (segment === '**' ? anyDepth : segment));
  if (
    !path.isWellFormed() ||
    segments.some((segment) => segment === '' || /["\\[\]\s]/.test(segment) || /[^\P{Cc}]/u.test(segment))
  )
    throw wrong('is no path: keys with dots between, such as input.card.number; [] is a list, * any key, ** any depth');
  if (segments.some((segment) => segment.includes('**')))
    throw wrong('has ** beside other letters: it stands alone between dots');
  const [first = '', ...rest] = segments;
  const root = first === anyDepth ? first : first === '*' || first === anyRoot ? anyRoot : rootOf(first);
  if (root === null)
    throw wrong(
      `begins with none of ${roots.join(', ')}, * and **.${didYouMean(first, roots)} A key of the input is input.${path}`,
    );
  // All of it: whatever is below, and a value that is no object too.
  if (rest.length === 0 || rest.at(-1) === anyDepth) return [root, ...rest.slice(0, -1), '**'].join('.');
  return [root, ...rest].join('.');
}

function rootOf(word: string): RedactRoot | null {
  return roots.find((root) => root === word) ?? rootAliases[word] ?? null;
}

/** Stored paths as a person would write them. */
export function redactWords(paths: readonly string[]): string {
  return paths.map((path) => path.replace(/^\^/, '*').replaceAll(anyDepth, '**')).join(', ');
}

/** Where the paths begin in one root. Text that is no path of {@link readRedactPaths} leads nowhere. */
export function reachOf(paths: readonly string[], root: RedactRoot): Reach {
  const start: Place[] = [];
  for (const path of paths) add(start, path.split('.'), 0);
  return follow(start, root);
}

/** One step on, by a key or through a list (`null`). */
export function follow(reach: Reach, key: string | null): Reach {
  const next: Place[] = [];
  const folded = key === null ? null : foldCase(key);
  for (const { segments, at } of reach) {
    const segment = segments[at];
    if (segment === undefined) continue;
    const isDeep = isAnyDepth(segment);
    // A path leads through lists, and ** through everything.
    if (isDeep || folded === null) add(next, segments, at);
    const fits = segment === anyRoot || (folded === null ? segment === '*' : matchesPattern(segment, folded));
    if (!isDeep && fits) add(next, segments, at + 1);
  }
  // Itself where nothing changes, so that what remembers steps meets the same again.
  return isSame(reach, next) ? reach : next;
}

const isSame = (a: Reach, b: Reach): boolean =>
  a.length === b.length && a.every(({ segments, at }, index) => segments === b[index]?.segments && at === b[index]?.at);

const isAnyDepth = (segment: string | undefined): boolean => segment === anyDepth || segment === '**';

/** `**` may also be nothing. */
function add(places: Place[], segments: readonly string[], at: number): void {
  if (places.some((place) => place.at === at && place.segments === segments)) return;
  places.push({ segments, at });
  if (isAnyDepth(segments[at])) add(places, segments, at + 1);
}

/** Whether a path ends here: what is here is hidden, with all below. */
export function isHidden(reach: Reach): boolean {
  return reach.some(({ segments, at }) => at >= segments.length);
}

/**
 * Whether the stored policy of a task may hide the value at `path`: never `false` for one that it hides, and `true` also for
 * some that it does not. Every store asks the same in its own language, so it is no more than whether texts are in a text.
 */
export function mayHide(policy: string, path: readonly string[]): boolean {
  if (!policy.includes(redactMark)) return false;
  return policy.includes('*') || path.some((key) => policy.includes(lastOf(key)));
}

/** How a stored path ends that hides everything called `key` where it leads. */
export function lastOf(key: string): string {
  return `.${foldCase(key)}"`;
}

/** In the stored policy of a task with paths of its own. */
export const redactMark = '"redact":';

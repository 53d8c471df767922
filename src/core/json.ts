/** Turns payloads and results into JSON text and back, within bounds, and says precisely what cannot be. */
import type { ErrorCode } from './error-table.ts';
import { type TaskFlowError, taskFlowError } from './errors.ts';
import { problemOf } from './json-problem.ts';

/** How large and deep a value may be, and what it is called in errors ("The input of email.welcome"). */
export interface JsonBounds {
  readonly what: string;
  /** Bytes of the text in UTF-8. */
  readonly bytesMax: number;
  /** Levels of objects and lists: 1 allows `{}` and `[1]`, not `[[]]`. */
  readonly depthMax: number;
  /** The code of the error for too many bytes; PAYLOAD_TOO_LARGE when not given. */
  readonly tooLarge?: 'PAYLOAD_TOO_LARGE' | 'RESULT_TOO_LARGE' | 'STEP_TOO_LARGE';
}

/** What a fast pass keeps: bytes and levels left, and whether the text itself has to be looked at again. */
interface Budget {
  bytes: number;
  /** Something answered through `toJSON`, so the text may differ from what was walked. */
  indirect: boolean;
}

/**
 * Writes a value as JSON text. Fields that are `undefined` are left out, as in JSON; dates and other values with
 * `toJSON` are asked for their form; instances of classes are written with their own fields. Refused with the path
 * and the reason (PAYLOAD_NOT_JSON): functions, symbols, bigints, NaN and infinities, lists with holes or `undefined`,
 * cycles, Map, Set, Promise, Error, bytes and the like (they would silently become `{}`), getters that throw, NUL
 * characters, halves of surrogate pairs, `__proto__` keys and `constructor.prototype`. Also throws PAYLOAD_TOO_DEEP
 * and PAYLOAD_TOO_LARGE. Costs about twice a bare `JSON.stringify`.
 */
export function encodeJson(value: unknown, bounds: JsonBounds): string {
  const budget: Budget = { bytes: bounds.bytesMax, indirect: false };
  let text: string | undefined;
  try {
    if (isPlain(value, bounds.depthMax, budget)) text = JSON.stringify(value);
  } catch (cause) {
    throw refusal(value, bounds, cause);
  }
  if (budget.bytes < 0 || (text !== undefined && isLarger(text, bounds.bytesMax))) throw tooLarge(bounds);
  if (text === undefined) throw refusal(value, bounds);
  if (isSuspicious(text) || (budget.indirect && isDeeper(text, bounds.depthMax))) checkParsed(JSON.parse(text), bounds);
  return text;
}

/**
 * The same for a value that was read by {@link decodeJson}, or is a part of one: whether JSON can say it needs no second look, which is a third
 * of writing it. Throws PAYLOAD_TOO_DEEP and PAYLOAD_TOO_LARGE.
 */
export function encodeDecoded(value: unknown, bounds: JsonBounds): string {
  const text = JSON.stringify(value);
  // What is refused is refused there, in the same words.
  return isLarger(text, bounds.bytesMax) || isDeeper(text, bounds.depthMax) ? encodeJson(value, bounds) : text;
}

/**
 * Reads JSON text that came from outside, with the same refusals as `encodeJson`, and INVALID_JSON for a mistake in
 * the text. The depth is checked before anything else that is recursive touches the value. Of equal keys the last one wins;
 * numbers beyond a double lose digits here, not where only the text is carried on.
 */
export function decodeJson(text: string, bounds: JsonBounds): unknown {
  if (isLarger(text, bounds.bytesMax)) throw tooLarge(bounds);
  if (!text.isWellFormed())
    throw taskFlowError('INVALID_JSON', { what: bounds.what, problem: 'it contains half of a surrogate pair' });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw taskFlowError('INVALID_JSON', { what: bounds.what, problem: messageOf(cause) }, { cause });
  }
  // Of the value, which has a few fields where its text has hundreds of characters.
  const isTooDeep = opensMore(text, bounds.depthMax) && isNested(value, bounds.depthMax);
  if (isTooDeep || isSuspicious(text)) checkParsed(value, bounds);
  return value;
}

/** Whether `text` takes more than `bytesMax` bytes in UTF-8; makes no copy, and counts only when the length leaves it open. */
export function isLarger(text: string, bytesMax: number): boolean {
  if (text.length > bytesMax) return true;
  if (text.length * 3 <= bytesMax) return false;
  return utf8Length(text) > bytesMax;
}

/** The length of `text` in bytes of UTF-8; a lone surrogate counts as the three bytes of U+FFFD. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // Each half of a pair counts two, together the four bytes of the character.
    const paired = unit >= 0xd800 && unit < 0xe000 && (text.codePointAt(i) ?? 0) > 0xffff;
    if (paired) i++;
    bytes += unit < 0x800 ? 1 : 2;
  }
  return bytes;
}

/**
 * The fast pass: whether the value is made of what JSON can say, no deeper than `depth` and not certainly larger than
 * the budget. It only answers yes or no; `problemOf` walks again with paths when the answer is no. A separate pass
 * is needed because `JSON.stringify` drops functions and turns NaN into null without a word.
 */
function isPlain(value: unknown, depth: number, budget: Budget): boolean {
  switch (typeof value) {
    case 'string':
      budget.bytes -= value.length + 2;
      return budget.bytes >= 0;
    case 'number':
      budget.bytes -= 1;
      return Number.isFinite(value);
    case 'boolean':
      budget.bytes -= 4;
      return true;
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) {
    budget.bytes -= 4;
    return true;
  }
  if (depth === 0) return false;
  budget.bytes -= 2;
  return Array.isArray(value) && !('toJSON' in value)
    ? isPlainList(value, depth, budget)
    : isPlainObject(value, depth, budget);
}

function isPlainList(list: readonly unknown[], depth: number, budget: Budget): boolean {
  // Before the walk: a list of a billion holes has few elements and a very long text.
  if (list.length * 2 > budget.bytes + 2) budget.bytes = -1;
  for (let i = 0; i < list.length && budget.bytes >= 0; i++) {
    if (!isPlain(list[i], depth - 1, budget)) return false;
  }
  return budget.bytes >= 0;
}

function isPlainObject(object: object, depth: number, budget: Budget): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null && !isInstance(object)) return false;
  const fields = object as Readonly<Record<string, unknown>>;
  if (typeof fields.toJSON === 'function') {
    budget.indirect = true;
    budget.bytes += 2;
    // One level less, so that forms that have forms come to an end.
    return isPlain(fields.toJSON(''), depth - 1, budget);
  }
  for (const key in fields) {
    if (!Object.hasOwn(fields, key)) continue;
    const field = fields[key];
    if (field === undefined) continue;
    budget.bytes -= key.length + 3;
    if (budget.bytes < 0 || !isPlain(field, depth - 1, budget)) return false;
  }
  return budget.bytes >= 0;
}

/** Instances of users' classes are fine; what has its own tag (Map, Promise, Error, bytes) has contents JSON does not show. */
function isInstance(object: object): boolean {
  const tag = Object.prototype.toString.call(object);
  return tag === '[object Object]' || typeof (object as { toJSON?: unknown }).toJSON === 'function';
}

/** Whether the text may hold something refused: an escape (NUL, a lone surrogate, a disguised key) or a dangerous key. */
function isSuspicious(text: string): boolean {
  if (text.includes('\\u')) return true;
  // One look for both keys: hardly any text has even this.
  return text.includes('proto') && (text.includes('"__proto__"') || text.includes('"prototype"'));
}

/** Whether brackets nest deeper than `depthMax`, by counting them outside of strings; exact for valid JSON. */
function isDeeper(text: string, depthMax: number): boolean {
  // So many levels need an opening and a closing bracket each: short texts need no look.
  if (text.length < 2 * (depthMax + 1) || !opensMore(text, depthMax)) return false;
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (quoted) {
      if (unit === 0x5c) i++;
      else if (unit === 0x22) quoted = false;
    } else if (unit === 0x22) quoted = true;
    else if (unit === 0x5b || unit === 0x7b) {
      if (++depth > depthMax) return true;
    } else if (unit === 0x5d || unit === 0x7d) depth--;
  }
  return false;
}

/** The same for a value that was parsed; never deeper than that itself. */
function isNested(value: unknown, depthMax: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depthMax === 0) return true;
  if (Array.isArray(value)) {
    for (const item of value) if (isNested(item, depthMax - 1)) return true;
    return false;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  for (const key in fields) if (isNested(fields[key], depthMax - 1)) return true;
  return false;
}

/** Whether there are more opening brackets than that anywhere; the engine finds the few that most texts have much faster than a loop. */
function opensMore(text: string, most: number): boolean {
  let count = 0;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) if (++count > most) return true;
  }
  return false;
}

function checkParsed(value: unknown, bounds: JsonBounds): void {
  const problem = problemOf(value, bounds.depthMax);
  if (problem !== null) throw refused(problem, bounds);
}

function refusal(value: unknown, bounds: JsonBounds, cause?: unknown): TaskFlowError {
  // A Proxy or getter may answer differently the second time; then there is only the first answer to report.
  const problem = problemOf(value, bounds.depthMax) ?? {
    path: '(root)',
    reason: cause === undefined ? 'it changes while it is read' : messageOf(cause),
    tooDeep: false,
  };
  return refused(problem, bounds, cause);
}

function refused(
  problem: { path: string; reason: string; tooDeep: boolean },
  bounds: JsonBounds,
  cause?: unknown,
): TaskFlowError {
  const code: ErrorCode = problem.tooDeep ? 'PAYLOAD_TOO_DEEP' : 'PAYLOAD_NOT_JSON';
  const params = { what: bounds.what, path: problem.path, problem: problem.reason, max: bounds.depthMax };
  return taskFlowError(code, params, { details: { path: problem.path }, ...(cause === undefined ? {} : { cause }) });
}

function tooLarge(bounds: JsonBounds): TaskFlowError {
  return taskFlowError(bounds.tooLarge ?? 'PAYLOAD_TOO_LARGE', {
    what: bounds.what,
    max: formatBytes(bounds.bytesMax),
  });
}

/** Prints a size: "256 KiB", "1 MiB", "300 bytes". */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const [size, unit] = bytes < 1024 * 1024 ? [bytes / 1024, 'KiB'] : [bytes / 1024 / 1024, 'MiB'];
  return `${Math.round(size * 10) / 10} ${unit}`;
}

function messageOf(thrown: unknown): string {
  try {
    const message: unknown = thrown instanceof Error ? thrown.message : thrown;
    return String(message)
      .slice(0, 200)
      .replace(/[\0\n\r]/g, ' ')
      .toWellFormed();
  } catch {
    return 'something that cannot be shown was thrown';
  }
}

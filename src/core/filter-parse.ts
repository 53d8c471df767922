/** Reads the filter language, the same for the search box, the command line and the API. */
import { parseCivil } from './civil.ts';
import { parseDuration } from './duration.ts';
import { type TaskFlowError, taskFlowError } from './errors.ts';
import {
  type Comparison,
  type FieldKind,
  type Filter,
  type FilterField,
  type FilterTerm,
  type FilterValue,
  filterFields,
  type TimePoint,
} from './filter.ts';
import { normalizeId } from './ids.ts';
import { limits } from './limits.ts';
import { didYouMean } from './nearest.ts';
import { parsePriority } from './priority.ts';
import { taskStates, taskViews } from './states.ts';

/** A value as written: where it stands (from 0), its characters, and whether it was quoted or had a star at its end. */
interface Written {
  readonly at: number;
  readonly text: string;
  readonly quoted: boolean;
  readonly starred: boolean;
}

/**
 * Reads a filter such as `state:failed name:email.* -tag:test`. Space is AND, comma is OR within a field, `-` is NOT,
 * `*` at the end is a prefix (alone: any value), quotes hold spaces together (`\"` and `\\` inside), a bare word is the
 * beginning of an id or a task name. Relative times stay relative: they are resolved where the filter is evaluated.
 * Throws INVALID_FILTER; its message names the position (from 1), its details are `{ position }`.
 */
export function parseFilter(text: string): Filter {
  if (text.length > limits.filterMax)
    throw refused(`The filter has ${text.length} characters; at most ${limits.filterMax} are allowed.`, 0);
  if (text.includes('\0') || !text.isWellFormed()) throw refused('The filter contains a NUL or half a character.', 0);
  const terms: FilterTerm[] = [];
  let at = skipSpaces(text, 0);
  while (at < text.length) {
    if (terms.length === limits.filterTermsMax)
      throw refused(`More than ${limits.filterTermsMax} terms, the next at ${at + 1}.`, at);
    const { term, end } = readTerm(text, at);
    terms.push(term);
    at = skipSpaces(text, end);
  }
  return { terms };
}

function readTerm(text: string, start: number): { term: FilterTerm; end: number } {
  const negated = text[start] === '-';
  const at = negated ? start + 1 : start;
  const head = fieldPattern.exec(text.slice(at, at + 300))?.[0];
  const { field, path } = head === undefined ? { field: 'text' as const, path: [] } : readField(head.slice(0, -1), at);
  const { values: written, end } = readValues(text, at + (head?.length ?? 0), head ?? '');
  const values = written.map((value) => readValue(value, field));
  return { term: { field, path, values, negated, position: start + 1 }, end };
}

const fieldPattern = /^[A-Za-z_][^\s:",]*:/;
const fieldNames = Object.keys(filterFields).filter((name) => name !== 'text') as FilterField[];

/** What people write who come from elsewhere. */
const fieldSynonyms: Readonly<Record<string, FilterField>> = {
  task: 'name',
  type: 'name',
  job: 'name',
  kind: 'name',
  status: 'state',
  is: 'state',
  message: 'error',
  fingerprint: 'err',
  payload: 'input',
  args: 'input',
  result: 'output',
  duration: 'took',
  latency: 'waited',
  attempts: 'attempt',
  tags: 'tag',
  date: 'created',
  before: 'until',
  after: 'since',
};

function readField(written: string, at: number): { field: FilterField; path: readonly string[] } {
  const [name = '', ...path] = written.split('.');
  const known = fieldNames.find((field) => field === name.toLowerCase());
  if (known === undefined) {
    const synonym = Object.hasOwn(fieldSynonyms, name.toLowerCase()) ? fieldSynonyms[name.toLowerCase()] : undefined;
    const suggestion = synonym === undefined ? didYouMean(name, fieldNames, ':') : ` Did you mean ${synonym}:?`;
    throw refused(
      `Unknown field "${shown(name)}" at ${at + 1}.${suggestion}`,
      at,
      `The fields are ${fieldNames.join(', ')}. Quote a word that contains a colon.`,
    );
  }
  if (filterFields[known].kind !== 'value') {
    if (path.length > 0) throw refused(`${known}: has no parts, "${shown(written)}" at ${at + 1}.`, at);
    return { field: known, path };
  }
  if (path.length === 0 || path.includes(''))
    throw refused(`${known} needs a path at ${at + 1}, such as ${known}.user.plan:pro.`, at);
  if (path.length > limits.filterPathMax)
    throw refused(`The path at ${at + 1} has more than ${limits.filterPathMax} steps.`, at);
  return { field: known, path };
}

function readValues(text: string, start: number, head: string): { values: Written[]; end: number } {
  const values: Written[] = [];
  let at = start;
  for (;;) {
    if (values.length === limits.filterValuesMax)
      throw refused(`More than ${limits.filterValuesMax} values at ${at + 1}.`, at);
    const { value, end } = text[at] === '"' ? readQuoted(text, at) : readPlain(text, at);
    if (end === at) throw refused(`${head === '' ? 'A word' : `"${shown(head)}"`} needs a value at ${at + 1}.`, at);
    values.push(value);
    if (text[end] !== ',') return { values, end };
    at = end + 1;
  }
}

function readPlain(text: string, at: number): { value: Written; end: number } {
  const whole = /^[^\s,]*/.exec(text.slice(at))?.[0] ?? '';
  const starred = whole.endsWith('*');
  const word = starred ? whole.slice(0, -1) : whole;
  const inner = word.indexOf('*');
  if (inner >= 0)
    throw refused(
      `The * at ${at + inner + 1} is not at the end of a value; only there it is understood.`,
      at + inner,
      'Quote the value to look for the * itself.',
    );
  return { value: { at, text: word, quoted: false, starred }, end: at + whole.length };
}

function readQuoted(text: string, at: number): { value: Written; end: number } {
  const whole = /^"((?:[^"\\]|\\["\\])*)"(\*?)/.exec(text.slice(at));
  if (whole === null)
    throw refused(
      `The quote at ${at + 1} is never closed.`,
      at,
      'Write \\" for a quote and \\\\ for a backslash inside of quotes.',
    );
  const end = at + whole[0].length;
  if (end < text.length && !/[\s,]/.test(text[end] ?? ''))
    throw refused(`After the closing quote at ${end} a space or a comma must follow.`, end);
  const inside = (whole[1] ?? '').replace(/\\(["\\])/g, '$1');
  return { value: { at, text: inside, quoted: true, starred: whole[2] === '*' }, end };
}

function readValue(written: Written, field: FilterField): FilterValue {
  const { kind } = filterFields[field];
  if (kind === 'word' || kind === 'contains') return word(written);
  if (kind === 'prefix') return prefix(written, field);
  if (written.starred) {
    if (kind === 'value') return word(written);
    throw refused(`${field}: takes no *, at ${written.at + 1}.`, written.at);
  }
  if (kind === 'state') return state(written);
  if (kind === 'value') return scalar(written);
  if (kind === 'time') return time(written, field);
  return quantity(written, field, kind);
}

function word(written: Written): FilterValue {
  return { kind: 'word', text: written.text, prefix: written.starred };
}

/** Ids are corrected as people type them, fingerprints are lower case. */
function prefix(written: Written, field: FilterField): FilterValue {
  return { kind: 'word', text: field === 'err' ? written.text.toLowerCase() : normalizeId(written.text), prefix: true };
}

const stateNames: readonly string[] = [...new Set([...taskStates, ...taskViews])];
const stateSynonyms: Readonly<Record<string, string>> = {
  completed: 'succeeded',
  complete: 'succeeded',
  done: 'succeeded',
  success: 'succeeded',
  ok: 'succeeded',
  active: 'running',
  executing: 'running',
  ready: 'queued',
  waiting: 'queued',
  pending: 'queued',
  available: 'queued',
  delayed: 'scheduled',
  dead: 'failed',
  error: 'failed',
  discarded: 'failed',
  retry: 'retrying',
  timeout: 'failed',
  stopped: 'cancelled',
};

function state(written: Written): FilterValue {
  const text = written.text.toLowerCase();
  if (stateNames.includes(text)) return { kind: 'word', text, prefix: false };
  const synonym = Object.hasOwn(stateSynonyms, text) ? stateSynonyms[text] : undefined;
  const suggestion = synonym === undefined ? didYouMean(text, stateNames) : ` Did you mean ${synonym}?`;
  throw refused(
    `Unknown state "${shown(written.text)}" at ${written.at + 1}.${suggestion}`,
    written.at,
    `The states are ${stateNames.join(', ')}.`,
  );
}

function isNumber(text: string): boolean {
  return /^-?\d{1,25}(?:\.\d{1,25})?(?:[eE][+-]?\d{1,3})?$/.test(text) && Number.isFinite(Number(text));
}

/** In a document everything may occur: what does not look like a comparison or a range of numbers is a word. */
function scalar(written: Written): FilterValue {
  const { compare, rest } = splitComparison(written.text);
  if (written.quoted || (compare === '=' && !written.text.includes('..'))) return word(written);
  const ends = splitRange(written.text);
  if (ends !== null && !ends.every((end) => end === '' || isNumber(end))) return word(written);
  if (ends === null && !isNumber(rest))
    throw refused(
      `"${shown(rest)}" at ${written.at + 1} is not a number to compare with.`,
      written.at,
      `Quote it to look for the word: "${shown(written.text)}".`,
    );
  return ranged(written, (text) => Number(text) + 0); // + 0 turns -0 into 0
}

function quantity(written: Written, field: FilterField, kind: FieldKind): FilterValue {
  const value = ranged(written, (text) => readQuantity(text, field, kind, written.at));
  if (kind === 'duration' && value.kind === 'number' && value.compare === '=') {
    throw refused(`${field}: needs a comparison at ${written.at + 1}: ${field}:>${shown(written.text)}.`, written.at);
  }
  return value;
}

function readQuantity(text: string, field: FilterField, kind: FieldKind, at: number): number {
  if (kind === 'duration') return located(at, () => parseDuration(text, `${field}:`));
  if (kind === 'priority') return located(at, () => parsePriority(text.toLowerCase()));
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw refused(
    `"${shown(text)}" at ${at + 1} is not a whole number.`,
    at,
    `Write ${field}:2, ${field}:>2 or ${field}:2..4.`,
  );
}

/** `5`, `>5`, `2..4`, `2..` and `..4`. */
function ranged(written: Written, read: (text: string) => number): FilterValue {
  const ends = splitRange(written.text);
  if (ends === null) {
    const { compare, rest } = splitComparison(written.text);
    return { kind: 'number', compare, number: read(rest) };
  }
  const [from, to] = ends;
  if (from === '' && to === '') throw refused(`The range at ${written.at + 1} has no end.`, written.at);
  if (to === '') return { kind: 'number', compare: '>=', number: read(from) };
  if (from === '') return { kind: 'number', compare: '<=', number: read(to) };
  const range = { kind: 'numbers', from: read(from), to: read(to) } as const;
  if (range.from > range.to)
    throw refused(
      `The range at ${written.at + 1} ends before it begins.`,
      written.at,
      `Turn it around: ${shown(to)}..${shown(from)}.`,
    );
  return range;
}

function time(written: Written, field: FilterField): FilterValue {
  const ends = field === 'created' ? splitRange(written.text) : null;
  if (ends !== null) {
    const [from, to] = ends;
    if (from === '' && to === '') throw refused(`The range at ${written.at + 1} has no end.`, written.at);
    if (to === '') return { kind: 'time', compare: '>=', at: timePoint(from, written.at) };
    if (from === '') return { kind: 'time', compare: '<=', at: timePoint(to, written.at) };
    return { kind: 'times', from: timePoint(from, written.at), to: timePoint(to, written.at) };
  }
  if (field !== 'created')
    return { kind: 'time', compare: field === 'since' ? '>=' : '<=', at: timePoint(written.text, written.at) };
  const { compare, rest } = splitComparison(written.text);
  const at = timePoint(rest, written.at);
  // "created:6h" can only mean the last six hours: nobody looks for one millisecond.
  return { kind: 'time', compare: at.kind === 'ago' && compare === '=' ? '>=' : compare, at };
}

function timePoint(text: string, at: number): TimePoint {
  const civil = parseCivil(text);
  if (civil !== null) return { kind: 'at', ...civil };
  if (/^\d{4}-/.test(text))
    throw refused(`"${shown(text)}" at ${at + 1} is not a date.`, at, 'Write 2026-11-20 or 2026-11-20T09:41Z.');
  return { kind: 'ago', ms: located(at, () => parseDuration(text, 'The time')) };
}

function splitComparison(text: string): { compare: Comparison; rest: string } {
  const sign = /^(?:>=|<=|>|<|=)/.exec(text)?.[0] ?? '';
  return { compare: sign === '' ? '=' : (sign as Comparison), rest: text.slice(sign.length) };
}

function splitRange(text: string): [string, string] | null {
  const middle = text.indexOf('..');
  return middle < 0 ? null : [text.slice(0, middle), text.slice(middle + 2)];
}

/** Runs a reader of another module and puts the position into its error. */
function located<T>(at: number, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const { message, hint } = cause as TaskFlowError;
    throw refused(`At ${at + 1}: ${message}`, at, hint);
  }
}

function skipSpaces(text: string, at: number): number {
  let next = at;
  while (next < text.length && /\s/.test(text[next] ?? '')) next++;
  return next;
}

function shown(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`;
}

function refused(problem: string, at: number, hint?: string): TaskFlowError {
  return taskFlowError(
    'INVALID_FILTER',
    { problem },
    { details: { position: at + 1 }, ...(hint === undefined ? {} : { hint }) },
  );
}

/** Evaluates a filter over one task: the meaning that every store's SQL is compared with. */

import { matchesPattern } from './access.ts';
import { readStored } from './damaged.ts';
import type { Comparison, Filter, FilterTerm, FilterValue, TimePoint } from './filter.ts';
import { foldCase } from './fold-case.ts';
import { normalizeId } from './ids.ts';
import { mayHide } from './redact-paths.ts';
import { isFinished, type Reason, type TaskState, viewOf } from './states.ts';

/** What a filter looks at; a `Task` is one. Times are ms of the store's clock. */
export interface FilterRow {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly state: TaskState;
  readonly reason: Reason | null;
  readonly attempt: number;
  readonly priority: number;
  readonly workerId: string | null;
  readonly tags: readonly string[];
  readonly key: string | null;
  readonly flowId: string | null;
  readonly error: { readonly message: string; readonly fingerprint: string } | null;
  readonly createdAt: number;
  readonly dueAt: number;
  readonly claimedAt: number | null;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** As it is stored: what it hides matches nothing. */
  readonly policy: string;
  /** JSON texts. */
  readonly payload: string;
  readonly result: string | null;
}

/** Whether the task matches all terms, at `nowMs` of the store's clock. */
export function matches(filter: Filter, row: FilterRow, nowMs: number): boolean {
  return filter.terms.every(
    (term) => !isBlind(term, row) && term.values.some((value) => holds(term, value, row, nowMs)) !== term.negated,
  );
}

/** What nobody may see nobody may guess: a task is not found by what it may hide, and not by what that is not. */
function isBlind({ field, path }: FilterTerm, { policy }: FilterRow): boolean {
  return (field === 'input' || field === 'output') && mayHide(policy, path);
}

/** The time `since:` and `until:` look at: when the task finished, or else when it was created. */
export function rowTime(row: Pick<FilterRow, 'createdAt' | 'finishedAt'>): number {
  return row.finishedAt ?? row.createdAt;
}

/** How long the last run of a finished task took; null when it never ran or has not finished. */
export function tookMs(row: Pick<FilterRow, 'startedAt' | 'finishedAt'>): number | null {
  return row.startedAt === null || row.finishedAt === null ? null : row.finishedAt - row.startedAt;
}

/** How long the task waited between being due and its last claim, or waits now; null for one that finished unclaimed. Never below 0. */
export function waitedMs(row: Pick<FilterRow, 'state' | 'dueAt' | 'claimedAt'>, nowMs: number): number | null {
  const claimed = row.state === 'running' || isFinished(row.state);
  if (claimed && row.claimedAt === null) return null;
  return Math.max(0, (claimed && row.claimedAt !== null ? row.claimedAt : nowMs) - row.dueAt);
}

/** A value of a time field as a half-open range of ms: from (included) to (not included). */
export function timeRange(
  value: FilterValue & { readonly kind: 'time' | 'times' },
  nowMs: number,
): { from: number; to: number } {
  if (value.kind === 'times') return { from: resolve(value.from, nowMs).from, to: resolve(value.to, nowMs).to };
  const { from, to } = resolve(value.at, nowMs);
  switch (value.compare) {
    case '=':
      return { from, to };
    case '>':
      return { from: to, to: Number.POSITIVE_INFINITY };
    case '>=':
      return { from, to: Number.POSITIVE_INFINITY };
    case '<':
      return { from: Number.NEGATIVE_INFINITY, to: from };
    case '<=':
      return { from: Number.NEGATIVE_INFINITY, to };
  }
}

function resolve(point: TimePoint, nowMs: number): { from: number; to: number } {
  return point.kind === 'ago'
    ? { from: nowMs - point.ms, to: nowMs - point.ms + 1 }
    : { from: point.ms, to: point.ms + point.lengthMs };
}

function holds(term: FilterTerm, value: FilterValue, row: FilterRow, nowMs: number): boolean {
  switch (term.field) {
    case 'state':
      return value.kind === 'word' && (row.state === value.text || viewOf(row) === value.text);
    case 'tag':
      return row.tags.some((tag) => wordHolds(value, tag));
    case 'text':
      return value.kind === 'word' && (wordHolds(value, row.name) || row.id.startsWith(idPrefix(value.text)));
    case 'error':
      return row.error !== null && errorHolds(value, row.error.message);
    case 'since':
    case 'until':
      return timeHolds(value, rowTime(row), nowMs);
    case 'created':
      return timeHolds(value, row.createdAt, nowMs);
    case 'took':
      return numberHolds(value, tookMs(row));
    case 'waited':
      return numberHolds(value, waitedMs(row, nowMs));
    case 'attempt':
    case 'priority':
      return numberHolds(value, row[term.field]);
    case 'input':
      return scalarHolds(value, valueAt(row.payload, term.path));
    case 'output':
      return row.result !== null && scalarHolds(value, valueAt(row.result, term.path));
    default:
      return wordHolds(value, wordOf(row, term.field));
  }
}

function wordOf(row: FilterRow, field: 'name' | 'queue' | 'worker' | 'key' | 'id' | 'flow' | 'err'): string | null {
  if (field === 'worker') return row.workerId;
  if (field === 'flow') return row.flowId;
  if (field === 'err') return row.error?.fingerprint ?? null;
  return row[field];
}

function wordHolds(value: FilterValue, text: string | null): boolean {
  if (text === null) return false;
  if (value.kind === 'pattern') return matchesPattern(value.text, text);
  if (value.kind !== 'word') return false;
  return value.prefix ? text.startsWith(value.text) : text === value.text;
}

/** A bare word as the beginning of an id: corrected like an id; what cannot begin an id matches none. */
function idPrefix(text: string): string {
  const corrected = normalizeId(text);
  return corrected === '' ? '-' : corrected;
}

function errorHolds(value: FilterValue, message: string): boolean {
  if (value.kind !== 'word') return false;
  const wanted = foldCase(value.text);
  return value.prefix ? foldCase(message).startsWith(wanted) : foldCase(message).includes(wanted);
}

function timeHolds(value: FilterValue, ms: number, nowMs: number): boolean {
  if (value.kind !== 'time' && value.kind !== 'times') return false;
  const { from, to } = timeRange(value, nowMs);
  return from <= ms && ms < to;
}

function numberHolds(value: FilterValue, number: number | null): boolean {
  if (number === null) return false;
  if (value.kind === 'numbers') return value.from <= number && number <= value.to;
  return value.kind === 'number' && compares(number, value.compare, value.number);
}

function compares(left: number, compare: Comparison, right: number): boolean {
  if (compare === '=') return left === right;
  if (compare === '>') return left > right;
  if (compare === '>=') return left >= right;
  return compare === '<' ? left < right : left <= right;
}

/** Strings, numbers, booleans and null are compared as they read (`pro`, `5`, `true`, `null`); objects and lists match nothing. */
function scalarHolds(value: FilterValue, found: unknown): boolean {
  if (found === undefined || (typeof found === 'object' && found !== null)) return false;
  if (value.kind === 'word') return wordHolds(value, String(found));
  return typeof found === 'number' && numberHolds(value, found);
}

/** The value at a path of own keys and list positions; undefined when there is none, and in a text that is no JSON. */
function valueAt(json: string, path: readonly string[]): unknown {
  let value = readStored<unknown>(json, () => true, undefined);
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    if (Array.isArray(value) && !/^(?:0|[1-9]\d*)$/.test(step)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  return value;
}

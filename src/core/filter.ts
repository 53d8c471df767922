/** The filter language's meaning: what a parsed filter is, and how it is printed. Reading is in filter-parse.ts, evaluation in filter-match.ts. */
import { formatCivil } from './civil.ts';
import { durationText } from './duration.ts';

/** A whole filter: all of its terms must hold. No terms: everything matches. */
export interface Filter {
  readonly terms: readonly FilterTerm[];
}

/** One condition: any of its values must hold; with `negated` none of them may. A missing value of a task matches nothing. */
export interface FilterTerm {
  readonly field: FilterField;
  /** Steps into the document, for `input` and `output`; else empty. */
  readonly path: readonly string[];
  readonly values: readonly FilterValue[];
  readonly negated: boolean;
  /** Where the term begins in the text, from 1. */
  readonly position: number;
}

export type Comparison = '=' | '>' | '>=' | '<' | '<=';

/** One alternative of a term. Which kinds a field has is in {@link filterFields}. */
export type FilterValue =
  /** Equal to `text`, or beginning with it. */
  | { readonly kind: 'word'; readonly text: string; readonly prefix: boolean }
  /** `*` stands for any characters, wherever it is. Never written: of queues, for a key that reaches only some. */
  | { readonly kind: 'pattern'; readonly text: string }
  /** A plain number, or milliseconds for the duration fields. */
  | { readonly kind: 'number'; readonly compare: Comparison; readonly number: number }
  /** Both ends included. */
  | { readonly kind: 'numbers'; readonly from: number; readonly to: number }
  | { readonly kind: 'time'; readonly compare: Comparison; readonly at: TimePoint }
  /** Both ends included, the last one whole. */
  | { readonly kind: 'times'; readonly from: TimePoint; readonly to: TimePoint };

/** A time as written: so long ago, or a calendar time with the length of what was written (a day, a minute, …), UTC. */
export type TimePoint =
  | { readonly kind: 'ago'; readonly ms: number }
  | { readonly kind: 'at'; readonly ms: number; readonly lengthMs: number };

/**
 * What a field takes.
 * `word` a word, with `*` at its end a prefix · `contains` a part of the text, `*` at its end the beginning ·
 * `prefix` always the beginning · `state` states and views · `number`, `priority`, `duration` comparisons and ranges ·
 * `time` a point or range · `value` a word or a number, at a path.
 */
export type FieldKind =
  | 'word'
  | 'contains'
  | 'prefix'
  | 'state'
  | 'number'
  | 'priority'
  | 'duration'
  | 'time'
  | 'value';

/** Every field, what it takes and what it means, in the order completion offers them. `text` is a bare word. */
export const filterFields = {
  state: { kind: 'state', help: 'a state or a view: failed, retrying, expired, …' },
  name: { kind: 'word', help: 'the name of the task: email.*' },
  queue: { kind: 'word', help: 'the queue' },
  worker: { kind: 'word', help: 'the worker that runs or ran it last' },
  tag: { kind: 'word', help: 'one of its tags' },
  key: { kind: 'word', help: 'its unique key' },
  id: { kind: 'prefix', help: 'the beginning of its id' },
  flow: { kind: 'prefix', help: 'the beginning of the id of its flow' },
  error: { kind: 'contains', help: 'a part of the error message, in any case (ASCII)' },
  err: { kind: 'prefix', help: 'the beginning of the fingerprint of its error' },
  since: { kind: 'time', help: 'finished (unfinished: created) at or after: 6h, 2026-11-20' },
  until: { kind: 'time', help: 'finished (unfinished: created) at or before' },
  created: { kind: 'time', help: 'created: 2026-11-20..2026-11-22, >2h' },
  attempt: { kind: 'number', help: 'charged runs: >2' },
  took: { kind: 'duration', help: 'how long the last run of a finished task took: >5s' },
  waited: { kind: 'duration', help: 'how long it waited (or waits) after it was due: >1m' },
  priority: { kind: 'priority', help: 'urgent, high, normal, low, or 0 (first) to 9 (last)' },
  input: { kind: 'value', help: 'a value in the input: input.user.plan:pro' },
  output: { kind: 'value', help: 'a value in the result: output.bytes:>1000000' },
  text: { kind: 'word', help: 'the beginning of an id, or the name of a task' },
} as const satisfies Record<string, { readonly kind: FieldKind; readonly help: string }>;

export type FilterField = keyof typeof filterFields;

/** Prints a filter in its normal form; `parseFilter` reads the same filter back, positions apart. */
export function formatFilter(filter: Filter): string {
  return filter.terms.map(formatTerm).join(' ');
}

function formatTerm(term: FilterTerm): string {
  const field = [term.field, ...term.path].join('.');
  const values = term.values.map((value) => formatValue(value, term.field)).join(',');
  return `${term.negated ? '-' : ''}${term.field === 'text' ? '' : `${field}:`}${values}`;
}

function formatValue(value: FilterValue, field: FilterField): string {
  const number = (ms: number) => (filterFields[field].kind === 'duration' ? String(durationText(ms)) : String(ms));
  switch (value.kind) {
    case 'word':
      return formatWord(value.text, field) + (value.prefix && filterFields[field].kind !== 'prefix' ? '*' : '');
    case 'pattern':
      return value.text;
    case 'number':
      return comparison(value.compare) + number(value.number);
    case 'numbers':
      return `${number(value.from)}..${number(value.to)}`;
    case 'time':
      return field === 'created' ? comparison(value.compare) + formatTime(value.at) : formatTime(value.at);
    case 'times':
      return `${formatTime(value.from)}..${formatTime(value.to)}`;
  }
}

function comparison(compare: Comparison): string {
  return compare === '=' ? '' : compare;
}

function formatTime(at: TimePoint): string {
  return at.kind === 'ago' ? String(durationText(at.ms)) : formatCivil(at);
}

/** Quotes whatever could be read as something else: spaces, commas, stars, ranges, comparisons, a bare word with a colon or a minus. */
function formatWord(text: string, field: FilterField): string {
  const plain = /^[\p{L}\p{N}_.:/@+=#%&$~-]+$/u.test(text) && !text.includes('..');
  const readAsField = field === 'text' && (text.includes(':') || text.startsWith('-'));
  return plain && !readAsField ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** A filter as conditions of SQL. They say exactly what `matches` of core/filter-match.ts says; a test compares the two. */

import type { Dialect, JsonScalar, SqlValue } from '../broker/sql/driver.ts';
import type { FilterTerm, FilterValue } from '../core/filter.ts';
import { timeRange } from '../core/filter-match.ts';
import { foldCase } from '../core/fold-case.ts';
import { normalizeId } from '../core/ids.ts';
import { lastOf, redactMark } from '../core/redact-paths.ts';
import { type Reason, stateOfView, type TaskState, type TaskView, taskStates, taskViews } from '../core/states.ts';

/** A statement under way: its values so far, and what its conditions depend on. */
export interface Draft {
  readonly dialect: Dialect;
  readonly values: SqlValue[];
  /** The store's clock, milliseconds since the epoch. */
  readonly now: number;
}

/** Adds a value to the statement; answers how it is written there. */
export function parameter(draft: Draft, value: SqlValue): string {
  draft.values.push(value);
  return `$${draft.values.length}`;
}

/** Holds for no row. */
const never = '1 = 0';

/**
 * The term as a condition. It is wrapped so that no index is chosen for it: the way to the rows is chosen by the search,
 * in the order of their ids, and a database that prefers another one would have to sort.
 */
export function conditionOf(term: FilterTerm, draft: Draft): string {
  const values = term.values.map((value) => valueCondition(term, value, draft));
  const condition = `(${values.length === 0 ? never : values.join(' OR ')}) IS ${term.negated ? 'NOT ' : ''}TRUE`;
  return term.field === 'input' || term.field === 'output' ? `(${condition} AND ${seen(term.path, draft)})` : condition;
}

/** `mayHide` of core/redact-paths.ts, turned around. */
function seen(path: readonly string[], draft: Draft): string {
  const has = (text: string) => `policy LIKE ${parameter(draft, containing(text))} ESCAPE '\\'`;
  return `NOT (${has(redactMark)} AND (${['*', ...path.map(lastOf)].map(has).join(' OR ')}))`;
}

/** A pattern of LIKE. */
function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}

function valueCondition(term: FilterTerm, value: FilterValue, draft: Draft): string {
  switch (term.field) {
    case 'state':
      return value.kind === 'word' ? stateCondition(value.text) : never;
    case 'name':
    case 'queue':
    case 'key':
    case 'id':
      return wordCondition(term.field, value, draft);
    case 'worker':
      return wordCondition('worker_id', value, draft);
    case 'err':
      return wordCondition('fingerprint', value, draft);
    case 'flow':
      return inDocument('options', ['flowId'], draft, ({ string }) => wordCondition(string, value, draft));
    case 'tag':
      return draft.dialect.json.some('options', 'tags', (tag) => wordCondition(tag, value, draft));
    case 'text':
      return textCondition(value, draft);
    case 'error':
      return errorCondition(value, draft);
    case 'since':
    case 'until':
      return timeCondition('COALESCE(finished_at, created_at)', value, draft);
    case 'created':
      return timeCondition('created_at', value, draft);
    case 'took':
      return numberCondition('(finished_at - started_at)', value, draft);
    case 'waited':
      return numberCondition(waited(draft), value, draft);
    case 'attempt':
    case 'priority':
      return numberCondition(term.field, value, draft);
    case 'input':
      return scalarCondition('payload', term.path, value, draft);
    case 'output':
      return scalarCondition('result', term.path, value, draft);
  }
}

const viewReasons: Readonly<Partial<Record<TaskView, Reason>>> = { expired: 'expired', quarantined: 'crash_loop' };

/** Written out, not as a value: a partial index is chosen by its text. */
export function stateCondition(word: string): string {
  if (isState(word)) return `state = '${word}'`;
  const view = taskViews.find((known) => known === word);
  if (view === undefined) return never;
  const reason = viewReasons[view];
  const rest = reason === undefined ? 'attempt >= 1' : `reason = '${reason}'`;
  return `state = '${stateOfView(view)}' AND ${rest}`;
}

/** The state of all tasks that a word of `state:` finds; `null` when it finds none. */
export function stateOfWord(word: string): TaskState | null {
  if (isState(word)) return word;
  const view = taskViews.find((known) => known === word);
  return view === undefined ? null : stateOfView(view);
}

function isState(word: string): word is TaskState {
  return (taskStates as readonly string[]).includes(word);
}

function wordCondition(expression: string, value: FilterValue, draft: Draft): string {
  if (value.kind === 'pattern') return matchesPattern(expression, value.text, draft);
  if (value.kind !== 'word') return never;
  return value.prefix ? beginsWith(expression, value.text, draft) : `${expression} = ${parameter(draft, value.text)}`;
}

/** LIKE of SQLite takes the letters of ASCII for each other, and GLOB is its own. */
function matchesPattern(expression: string, pattern: string, draft: Draft): string {
  if (draft.dialect.name === 'sqlite')
    return `${expression} GLOB ${parameter(draft, pattern.replace(/[[?]/g, '[$&]'))}`;
  const like = pattern.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%');
  return `${expression} LIKE ${parameter(draft, like)} ESCAPE '\\'`;
}

/** Databases count code points. */
function beginsWith(expression: string, text: string, draft: Draft): string {
  return `substr(${expression}, 1, ${[...text].length}) = ${parameter(draft, text)}`;
}

/** The beginning of an id that a bare word may be; what cannot begin an id finds none. */
export function idPrefix(text: string): string {
  const corrected = normalizeId(text);
  return corrected === '' ? '-' : corrected;
}

function textCondition(value: FilterValue, draft: Draft): string {
  if (value.kind !== 'word') return never;
  return `${wordCondition('name', value, draft)} OR ${beginsWith('id', idPrefix(value.text), draft)}`;
}

function errorCondition(value: FilterValue, draft: Draft): string {
  if (value.kind !== 'word') return never;
  const wanted = foldCase(value.text);
  return inDocument('error', ['message'], draft, ({ string }) => {
    const message = `lower(${string})`;
    if (value.prefix) return beginsWith(message, wanted, draft);
    return `${message} LIKE ${parameter(draft, containing(wanted))} ESCAPE '\\'`;
  });
}

function timeCondition(expression: string, value: FilterValue, draft: Draft): string {
  if (value.kind !== 'time' && value.kind !== 'times') return never;
  const { from, to } = timeRange(value, draft.now);
  const ends = [];
  if (Number.isFinite(from)) ends.push(`${expression} >= ${parameter(draft, from)}`);
  if (Number.isFinite(to)) ends.push(`${expression} < ${parameter(draft, to)}`);
  return ends.join(' AND ');
}

/** NULL where no index or rule may take it for 0: a task that finished unclaimed never waited for a slot. */
function waited(draft: Draft): string {
  const until = `CASE WHEN state = 'blocked' OR state = 'scheduled' OR state = 'queued' THEN ${parameter(draft, draft.now)} ELSE claimed_at END`;
  return `(CASE WHEN ${until} < due_at THEN 0 ELSE ${until} - due_at END)`;
}

function numberCondition(expression: string, value: FilterValue, draft: Draft): string {
  if (value.kind === 'numbers') {
    return `${expression} >= ${parameter(draft, value.from)} AND ${expression} <= ${parameter(draft, value.to)}`;
  }
  return value.kind === 'number' ? `${expression} ${value.compare} ${parameter(draft, value.number)}` : never;
}

function inDocument(
  json: string,
  path: readonly string[],
  draft: Draft,
  condition: (scalar: JsonScalar) => string,
): string {
  return draft.dialect.json.scalar(json, path, (value) => parameter(draft, value), condition);
}

/** Words are compared with a value as JavaScript writes it: `5` finds 5.0, and `5.0` the string only. */
function scalarCondition(json: string, path: readonly string[], value: FilterValue, draft: Draft): string {
  return inDocument(json, path, draft, (found) =>
    value.kind === 'word' ? asWritten(found, value, draft) : numberCondition(found.number, value, draft),
  );
}

function asWritten(
  { string, literal, number, numberText }: JsonScalar,
  value: FilterValue & { readonly kind: 'word' },
  draft: Draft,
): string {
  const { text, prefix } = value;
  const conditions = [wordCondition(string, value, draft)];
  for (const known of ['true', 'false', 'null']) {
    if (prefix ? known.startsWith(text) : known === text) conditions.push(`${literal} = '${known}'`);
  }
  if (prefix) conditions.push(beginsWith(numberText, text, draft));
  else if (String(Number(text)) === text && text !== 'NaN')
    conditions.push(`${number} = ${parameter(draft, Number(text))}`);
  return conditions.join(' OR ');
}

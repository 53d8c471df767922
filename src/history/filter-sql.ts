/** What SQL can do for a filter: an index to walk, and conditions that never leave out what `matches` would take. */

import type { Dialect, SqlTransaction, SqlValue } from '../broker/sql/driver.ts';
import type { Filter, FilterTerm, FilterValue } from '../core/filter.ts';
import { timeRange } from '../core/filter-match.ts';
import { normalizeId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { stateOfView, type TaskState, type TaskView } from '../core/states.ts';

/** A condition with its values; parameters are written `?`. */
export interface Condition {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** Where to look, walked by id from the newest. Parameters are numbered from `$2`: `$1` is the id to stay below. */
export type Source = Condition;

const everything: Source = { text: '1 = 1', values: [] };

/**
 * The sources that together hold every match, each walked over an index: values of one term that has an index, or all
 * tasks by id. Terms are tried from the most to the least selective.
 */
export async function sourcesOf(
  tx: SqlTransaction,
  dialect: Dialect,
  filter: Filter,
  countOf: (view: string) => number,
): Promise<readonly Source[]> {
  for (const field of ['id', 'err', 'state', 'name'] as const) {
    const term = filter.terms.find((each) => each.field === field && !each.negated);
    if (term === undefined) continue;
    const lists = await Promise.all(term.values.map((value) => sourcesOfValue(tx, dialect, field, value, countOf)));
    if (lists.every((list) => list !== null)) return lists.flatMap((list) => list ?? []);
  }
  return [everything];
}

async function sourcesOfValue(
  tx: SqlTransaction,
  dialect: Dialect,
  field: 'id' | 'err' | 'state' | 'name',
  value: FilterValue,
  countOf: (view: string) => number,
): Promise<readonly Source[] | null> {
  if (value.kind !== 'word') return null;
  if (field === 'id') return [{ text: 'id >= $2 AND id < $3', values: [value.text, `${value.text}~`] }];
  if (field === 'name') return value.prefix ? null : [{ text: 'name = $2', values: [value.text] }];
  if (field === 'err') return await fingerprintSources(tx, value.text);
  return stateSources(dialect, stateOfView(value.text as TaskView), countOf);
}

/** Fingerprints that begin alike are few, or the beginning is too short to be worth an index. */
const fingerprintsMax = 20;

async function fingerprintSources(tx: SqlTransaction, prefix: string): Promise<readonly Source[] | null> {
  const sources: Source[] = [];
  for (let last = prefix, isFirst = true; sources.length <= fingerprintsMax; isFirst = false) {
    const [row] = await tx.execute<[fingerprint: string | null]>(
      `SELECT min(fingerprint) FROM tasks WHERE fingerprint IS NOT NULL AND fingerprint ${isFirst ? '>=' : '>'} $1`,
      last,
    );
    const fingerprint = row?.[0] ?? null;
    if (fingerprint === null || !fingerprint.startsWith(prefix)) return sources;
    sources.push({ text: 'fingerprint = $2', values: [fingerprint] });
    last = fingerprint;
  }
  return null;
}

function stateSources(dialect: Dialect, state: TaskState, countOf: (view: string) => number): readonly Source[] | null {
  switch (state) {
    case 'running':
      // The claims name every running task; they are bounded by the slots there are.
      return [{ text: `id IN (SELECT element.value FROM claims, ${dialect.elements('claims.task_ids')})`, values: [] }];
    case 'queued':
      // Many are found at once by id; few may be far behind the newest.
      return countOf('queued') > limits.tickMax * 10
        ? null
        : [{ text: "id IN (SELECT id FROM tasks WHERE state = 'queued')", values: [] }];
    case 'succeeded':
      return null;
    case 'scheduled':
      return [{ text: "state = 'scheduled'", values: [] }];
    default:
      // The condition of the partial index is repeated, so that the planner may use it.
      return [
        { text: `state = '${state}' AND (state = 'blocked' OR state = 'failed' OR state = 'cancelled')`, values: [] },
      ];
  }
}

/** The terms that SQL understands exactly, all of them at once; the others are left to `matches`. */
export function conditionOf(filter: Filter, now: number): Condition {
  const texts: string[] = [];
  const values: SqlValue[] = [];
  for (const term of filter.terms) {
    const conditions = term.values.map((value) => conditionOfValue(term, value, now));
    if (!conditions.every((condition) => condition !== null)) continue;
    // A missing value matches nothing, not even the opposite of nothing.
    texts.push(`(${conditions.map(({ text }) => `(${text})`).join(' OR ')}) IS ${term.negated ? 'NOT ' : ''}TRUE`);
    for (const condition of conditions) values.push(...condition.values);
  }
  return { text: texts.length === 0 ? '1 = 1' : texts.join(' AND '), values };
}

const columns = {
  name: 'name',
  queue: 'queue',
  worker: 'worker_id',
  key: 'key',
  id: 'id',
  err: 'fingerprint',
  attempt: 'attempt',
  priority: 'priority',
  created: 'created_at',
  since: 'COALESCE(finished_at, created_at)',
  until: 'COALESCE(finished_at, created_at)',
  took: 'finished_at - started_at',
} as const;

function conditionOfValue(term: FilterTerm, value: FilterValue, now: number): Condition | null {
  switch (term.field) {
    case 'state':
      return value.kind === 'word' ? stateCondition(value.text) : null;
    case 'name':
    case 'queue':
    case 'worker':
    case 'key':
    case 'id':
    case 'err':
      return value.kind === 'word' ? wordCondition(columns[term.field], value.text, value.prefix) : null;
    case 'attempt':
    case 'priority':
    case 'took':
      return numberCondition(columns[term.field], value);
    case 'created':
    case 'since':
    case 'until':
      return value.kind === 'time' || value.kind === 'times'
        ? timeCondition(columns[term.field], timeRange(value, now))
        : null;
    case 'text':
      return value.kind === 'word' ? textCondition(value.text, value.prefix) : null;
    default:
      return null;
  }
}

function stateCondition(view: string): Condition | null {
  const state = stateOfView(view as TaskView);
  const condition = { text: 'state = ?', values: [state] };
  if (view === 'retrying') return { ...condition, text: 'state = ? AND attempt >= 1' };
  if (view === 'expired') return { ...condition, text: "state = ? AND reason = 'expired'" };
  if (view === 'quarantined') return { ...condition, text: "state = ? AND reason = 'crash_loop'" };
  return condition;
}

/** Lengths are counted in characters by SQL and in UTF-16 units here: they agree where there is nothing beyond the BMP. */
function wordCondition(column: string, text: string, prefix: boolean): Condition | null {
  if (!prefix) return { text: `${column} = ?`, values: [text] };
  if (/[^ -~]/.test(text)) return null;
  return { text: `substr(${column}, 1, ${text.length}) = ?`, values: [text] };
}

function textCondition(text: string, prefix: boolean): Condition | null {
  const name = wordCondition('name', text, prefix);
  const id = wordCondition('id', normalizeId(text) || '-', true);
  return name === null || id === null
    ? null
    : { text: `${name.text} OR ${id.text}`, values: [...name.values, ...id.values] };
}

function numberCondition(column: string, value: FilterValue): Condition | null {
  if (value.kind === 'numbers') return { text: `${column} BETWEEN ? AND ?`, values: [value.from, value.to] };
  return value.kind === 'number' ? { text: `${column} ${value.compare} ?`, values: [value.number] } : null;
}

function timeCondition(column: string, { from, to }: { readonly from: number; readonly to: number }): Condition {
  const texts: string[] = [];
  const values: number[] = [];
  if (Number.isFinite(from)) {
    texts.push(`${column} >= ?`);
    values.push(from);
  }
  if (Number.isFinite(to)) {
    texts.push(`${column} < ?`);
    values.push(to);
  }
  return { text: texts.length === 0 ? '1 = 1' : texts.join(' AND '), values };
}

/** The ways into the tasks a search may take, each in the order of ids, so that nothing is ever sorted or counted. */

import { readClaimedTaskIds } from '../broker/sql/claims.ts';
import { type Dialect, type SqlTransaction, statement } from '../broker/sql/driver.ts';
import { isRecord } from '../broker/sql/form-indexes.ts';
import type { Filter, FilterTerm, FilterValue } from '../core/filter.ts';
import type { Limits } from '../core/limits.ts';
import { isFinished, type TaskState } from '../core/states.ts';
import { type Draft, idPrefix, parameter, stateOfWord } from './conditions.ts';

/** An index in the order of ids, or ids that were looked up before. */
export type Way =
  | { readonly kind: 'index'; readonly condition: (draft: Draft) => string }
  /** Newest first. */
  | { readonly kind: 'list'; readonly taskIds: readonly string[] };

/** All the ways that together lead to every task the filter can match, and what is left to check on them. */
export interface Plan {
  readonly ways: readonly Way[];
  readonly rest: readonly FilterTerm[];
}

type WayLimits = Pick<Limits, 'searchWaysMax' | 'searchListMax'> & Pick<Dialect, 'named'>;

/** All tasks. */
const everything: Way = { kind: 'index', condition: () => '1 = 1' };

/** Sorts behind everything that begins with the same text. */
const last = '\u{10FFFF}';

/** Fields with a way of their own, the narrowest first. */
const fields = ['id', 'key', 'err', 'flow', 'text', 'state', 'name'] as const;

/** Finds the narrowest way for one term of the filter. */
export async function planSearch(tx: SqlTransaction, { terms }: Filter, limits: WayLimits): Promise<Plan> {
  for (const field of fields) {
    for (const term of terms) {
      if (term.field !== field || term.negated) continue;
      const ways = await waysOfTerm(tx, term, field, limits);
      if (ways === null) continue;
      // A way by state is wider than a view, and listed tasks may have gone on since.
      const isWide = field === 'state' || leadsToFinished(field, limits);
      return { ways, rest: isWide ? terms : terms.filter((each) => each !== term) };
    }
  }
  return { ways: [everything], rest: terms };
}

async function waysOfTerm(
  tx: SqlTransaction,
  term: FilterTerm,
  field: (typeof fields)[number],
  limits: WayLimits,
): Promise<readonly Way[] | null> {
  const found: Way[] = [];
  if (field === 'state') {
    for (const state of new Set(term.values.map((value) => (value.kind === 'word' ? stateOfWord(value.text) : null)))) {
      const way = state === null ? null : await wayOfState(tx, state, limits);
      if (way === null) return null;
      found.push(way);
    }
    return found;
  }
  for (const value of term.values) {
    const ways = value.kind === 'word' ? await waysOfWord(tx, field, value, limits) : null;
    if (ways === null || found.length + ways.length > limits.searchWaysMax) return null;
    found.push(...ways);
  }
  if (!leadsToFinished(field, limits)) return found;
  const others = await waysToUnfinished(tx, limits);
  return others && [...found, ...others];
}

function leadsToFinished(field: (typeof fields)[number], { named }: WayLimits): boolean {
  return named === 'finished' && (field === 'name' || field === 'text');
}

const unfinished = ['queued', 'running', 'scheduled', 'blocked'] as const;

/** `null` when too many wait to be looked at for their names. */
async function waysToUnfinished(tx: SqlTransaction, limits: WayLimits): Promise<readonly Way[] | null> {
  const ways: Way[] = [];
  for (const state of unfinished) {
    const way = await wayOfState(tx, state, limits);
    if (way === null) return null;
    ways.push(way);
  }
  return ways;
}

type Word = FilterValue & { readonly kind: 'word' };

async function waysOfWord(
  tx: SqlTransaction,
  field: Exclude<(typeof fields)[number], 'state'>,
  value: Word,
  limits: WayLimits,
): Promise<readonly Way[] | null> {
  if (field === 'id') return [value.prefix ? idsFrom(value.text) : equal('id', value.text)];
  if (field === 'err') return waysOfColumn(tx, 'fingerprint', value, limits);
  if (field === 'flow') return waysOfColumn(tx, 'flow_id', value, limits);
  if (field !== 'text') return waysOfColumn(tx, field, value, limits);
  const byName = await waysOfColumn(tx, 'name', value, limits);
  return byName && [...byName, idsFrom(idPrefix(value.text))];
}

function idsFrom(prefix: string): Way {
  return {
    kind: 'index',
    condition: (draft) => `id >= ${parameter(draft, prefix)} AND id < ${parameter(draft, prefix + last)}`,
  };
}

function equal(column: 'id' | Column, text: string): Way {
  if (column === 'flow_id')
    return {
      kind: 'index',
      condition: (draft) => `id IN (SELECT task_id FROM members WHERE flow_id = ${parameter(draft, text)})`,
    };
  if (column === 'name')
    return { kind: 'index', condition: (draft) => `name = ${parameter(draft, text)}${ofIndex(draft.dialect)}` };
  return { kind: 'index', condition: (draft) => `${column} = ${parameter(draft, text)}` };
}

/** What the index of names asks for beside the name. */
const ofIndex = ({ named }: Dialect): string => (named === 'finished' ? ' AND finished_at IS NOT NULL' : '');

/** A column with an index on itself and the id; the flows of tasks are a table beside them, in that order too. */
type Column = 'name' | 'key' | 'fingerprint' | 'flow_id';

/** Inputs: the smallest, the end that is not included. One look-up in the index. */
const firstFrom = {
  name: statement<[text: string | null]>(
    'first_name',
    (dialect) => `SELECT min(name) FROM tasks WHERE name >= $1 AND name < $2${ofIndex(dialect)}`,
  ),
  key: statement<[text: string | null]>('first_key', () => 'SELECT min(key) FROM tasks WHERE key >= $1 AND key < $2'),
  fingerprint: statement<[text: string | null]>(
    'first_fingerprint',
    () => 'SELECT min(fingerprint) FROM tasks WHERE fingerprint >= $1 AND fingerprint < $2',
  ),
  flow_id: statement<[text: string | null]>(
    'first_flow',
    () => 'SELECT min(flow_id) FROM members WHERE flow_id >= $1 AND flow_id < $2',
  ),
} as const;

/** Text directly after another one: NUL is in no name. */
const next = '\u0001';

/** One way for each value there is that begins with the word; `null` for too many. */
async function waysOfColumn(
  tx: SqlTransaction,
  column: Column,
  value: Word,
  limits: WayLimits,
): Promise<readonly Way[] | null> {
  if (!value.prefix) return [equal(column, value.text)];
  const ways: Way[] = [];
  let from = value.text;
  for (;;) {
    const [row] = await tx.query(firstFrom[column], from, value.text + last);
    const text = row?.[0] ?? null;
    if (text === null) return ways;
    if (ways.length === limits.searchWaysMax) return null;
    ways.push(equal(column, text));
    from = text + next;
  }
}

/** Input: limit. In the order of the index of claims: sorted after. */
const queuedTaskIds = statement<[id: string]>(
  'queued_task_ids',
  () => `SELECT id FROM tasks WHERE state = 'queued' AND grp IS NULL
    UNION ALL SELECT id FROM tasks WHERE state = 'queued' AND grp IS NOT NULL LIMIT $1`,
);

async function wayOfState(tx: SqlTransaction, state: TaskState, limits: WayLimits): Promise<Way | null> {
  // Most of what there is.
  if (state === 'succeeded') return null;
  if (!isFinished(state) && (await isRecord(tx)))
    return { kind: 'index', condition: () => `state = '${state}' AND finished_at IS NULL` };
  switch (state) {
    case 'queued':
      return listOf(
        (await tx.query(queuedTaskIds, limits.searchListMax + 1)).map(([id]) => id),
        limits,
      );
    case 'running':
      return listOf(await readClaimedTaskIds(tx, limits.searchListMax + 1), limits);
    default:
      return { kind: 'index', condition: () => `state = '${state}'` };
  }
}

function listOf(taskIds: readonly string[], limits: WayLimits): Way | null {
  if (taskIds.length > limits.searchListMax) return null;
  return { kind: 'list', taskIds: [...new Set(taskIds)].sort().reverse() };
}

/** The ways into the tasks a search may take, each in the order of ids, so that nothing is ever counted or skipped. */

import type { Dialect, SqlDriver } from '../broker/sql/driver.ts';
import type { Filter, FilterTerm, FilterValue } from '../core/filter.ts';
import type { Limits } from '../core/limits.ts';
import { isFinished, stateOfView, type TaskState } from '../core/states.ts';
import { type Draft, idPrefix, parameter, stateOfWord } from './conditions.ts';
import { type Asked, type Column, type Known, last, leadsToAll, readKnown } from './known.ts';

/** An index in the order of ids, ids that were looked up before, or a statement that gives a few ids in any order. */
export type Way =
  | { readonly kind: 'index'; readonly condition: (draft: Draft) => string }
  /** Newest first. */
  | { readonly kind: 'list'; readonly taskIds: readonly string[] }
  | { readonly kind: 'rows'; readonly text: (draft: Draft) => string };

/** All the ways that together lead to every task the filter can match, and what is left to check on them. */
export interface Plan {
  /** None: there is no such task. */
  readonly ways: readonly Way[];
  readonly rest: readonly FilterTerm[];
  /** The store's clock, where a term of the filter is about it. */
  readonly now: number;
}

export interface PlanOptions extends Pick<Limits, 'searchWaysMax' | 'searchListMax'> {
  /** Whether tasks live in this database, or are recorded in it. */
  readonly form: 'live' | 'record';
}

/** All tasks. */
const everything: Way = { kind: 'index', condition: () => '1 = 1' };

type Word = FilterValue & { readonly kind: 'word' };
type Cells = Known['counts'];

/** Finds the narrowest ways, by one statement at most. */
export async function planSearch(driver: SqlDriver, { terms }: Filter, options: PlanOptions): Promise<Plan> {
  const known = await readKnown(driver, askedFor(terms, driver.dialect, options));
  return { now: known.now, ...choose(terms, known, { ...options, dialect: driver.dialect }) };
}

interface Choice extends PlanOptions {
  readonly dialect: Dialect;
}

const narrow = ['id', 'key', 'err', 'flow'] as const;
const columns = { key: 'key', err: 'fingerprint', flow: 'flow_id' } as const;
/** Fields whose conditions depend on the time. */
const timed: ReadonlySet<string> = new Set(['since', 'until', 'created', 'waited']);

/** Terms that lead somewhere: all of their values are words. */
function positive(terms: readonly FilterTerm[], field: FilterTerm['field']): readonly FilterTerm[] {
  return terms.filter(
    (term) => term.field === field && !term.negated && term.values.every(({ kind }) => kind === 'word'),
  );
}

const wordsOf = (term: FilterTerm): readonly Word[] => term.values.filter((value) => value.kind === 'word');

function askedFor(terms: readonly FilterTerm[], dialect: Dialect, options: PlanOptions): Asked {
  const now = terms.some(({ field }) => timed.has(field));
  const first = narrow.find((field) => positive(terms, field).length > 0);
  const beginnings =
    first === undefined || first === 'id' ? [] : beginningsOf(positive(terms, first)[0], columns[first]);
  const asked = { now, beginnings, beginningsMax: options.searchWaysMax };
  // Those are looked up as they are.
  if (first !== undefined && beginnings.length === 0) return { ...asked, counts: false, queued: null };
  const isNamed = namedBy(terms).length > 0;
  const isQueued = positive(terms, 'state').some((term) =>
    wordsOf(term).some(({ text }) => stateOfWord(text) === 'queued'),
  );
  const wantsQueued = options.form === 'live' && (isQueued || (isNamed && !leadsToAll(dialect)));
  const counts = isNamed && !isPlain(terms, dialect);
  return { ...asked, counts, queued: wantsQueued ? options.searchListMax : null };
}

/** Whether the names of a filter are all it leads by, and need no look at what there is. */
function isPlain(terms: readonly FilterTerm[], dialect: Dialect): boolean {
  const [first, ...others] = namedBy(terms);
  if (first?.field !== 'name' || others.length > 0 || positive(terms, 'state').length > 0) return false;
  return leadsToAll(dialect) && wordsOf(first).every(({ prefix }) => !prefix);
}

function beginningsOf(term: FilterTerm | undefined, column: Column): Asked['beginnings'] {
  const words = term === undefined ? [] : wordsOf(term);
  return words.flatMap(({ text, prefix }) => (prefix ? [[column, text] as const] : []));
}

/** The terms that say which names a task may have, directly or by its queue. */
function namedBy(terms: readonly FilterTerm[]): readonly FilterTerm[] {
  return [...positive(terms, 'name'), ...positive(terms, 'queue'), ...positive(terms, 'text')];
}

function choose(terms: readonly FilterTerm[], known: Known, choice: Choice): Pick<Plan, 'ways' | 'rest'> {
  const without = (term: FilterTerm): readonly FilterTerm[] => terms.filter((each) => each !== term);
  for (const field of narrow) {
    const [term] = positive(terms, field);
    if (term === undefined) continue;
    const ways = field === 'id' ? wordsOf(term).map(wayOfId) : waysOfColumn(term, columns[field], known, choice);
    if (ways !== null) return { ways, rest: without(term) };
    break;
  }
  const byState = waysByState(terms, known, choice);
  const byName = waysByName(terms, known, choice);
  const best = byName !== null && (byState === null || byName.cost <= byState.cost) ? byName : byState;
  // What leads to most tasks is no way: their rows lie in the order of all ids.
  if (best === null || (best.rest.length > 0 && best.cost * 2 > sum(known.counts) && best.cost > 0))
    return { ways: [everything], rest: terms };
  return best;
}

function wayOfId({ text, prefix }: Word): Way {
  if (prefix) return idsFrom(text);
  return { kind: 'index', condition: (draft) => `id = ${parameter(draft, text)}` };
}

function idsFrom(prefix: string): Way {
  return {
    kind: 'index',
    condition: (draft) => `id >= ${parameter(draft, prefix)} AND id < ${parameter(draft, prefix + last)}`,
  };
}

/** One way for each value there is; `null` for too many. */
function waysOfColumn(
  term: FilterTerm,
  column: Column,
  known: Known,
  { searchWaysMax }: Choice,
): readonly Way[] | null {
  const values = wordsOf(term).flatMap(({ text, prefix }) => (prefix ? known.valuesOf(column, text) : [text]));
  const distinct = [...new Set(values)];
  return distinct.length > searchWaysMax ? null : distinct.map((text) => equal(column, text));
}

function equal(column: Column, text: string): Way {
  if (column === 'flow_id')
    return {
      kind: 'index',
      condition: (draft) => `id IN (SELECT task_id FROM members WHERE flow_id = ${parameter(draft, text)})`,
    };
  return { kind: 'index', condition: (draft) => `${column} = ${parameter(draft, text)}` };
}

/** A choice with how many tasks lie on its ways, as far as that is known. */
interface Costly extends Pick<Plan, 'ways' | 'rest'> {
  readonly cost: number;
}

function waysByState(terms: readonly FilterTerm[], known: Known, choice: Choice): Costly | null {
  for (const term of positive(terms, 'state')) {
    const words = wordsOf(term).map(({ text }) => text);
    const states = [...new Set(words.map(stateOfWord))];
    const ways = states.map((state) => (state === null ? [] : wayOfState(state, known, choice)));
    if (ways.includes(null)) continue;
    const cost = sum(known.counts.filter(({ view }) => states.includes(stateOfView(view))));
    // Listed tasks may have gone on since, and a way by state is wider than a view.
    const isExact =
      ways.flat().every((way) => way?.kind === 'index') && words.every((word) => states.includes(word as TaskState));
    const rest = isExact ? terms.filter((each) => each !== term) : terms;
    return { ways: ways.flatMap((each) => each ?? []), rest, cost };
  }
  return null;
}

/** `null` for most of what there is. */
function wayOfState(
  state: TaskState,
  { queued }: Known,
  { form, dialect, searchListMax }: Choice,
): readonly Way[] | null {
  if (state === 'succeeded') return null;
  if (form === 'record' && !isFinished(state))
    return [{ kind: 'index', condition: () => `state = '${state}' AND finished_at IS NULL` }];
  if (state === 'running') return [{ kind: 'rows', text: () => runningIds(dialect) }];
  if (state !== 'queued') return [{ kind: 'index', condition: () => `state = '${state}'` }];
  if (queued.length > searchListMax) return null;
  return [{ kind: 'list', taskIds: [...new Set(queued)].sort().reverse() }];
}

/** Every running task, and some that have ended since they were claimed together: as many as there are slots. */
function runningIds({ json }: Dialect): string {
  return `SELECT item.value AS id FROM claims CROSS JOIN ${json.items('task_ids')}`;
}

/** By the names that tasks have which fit all that is said of name, queue and state: the kept counts tell them. */
function waysByName(terms: readonly FilterTerm[], known: Known, choice: Choice): Costly | null {
  const naming = namedBy(terms);
  if (naming.length === 0) return null;
  const texts = positive(terms, 'text');
  const cells = known.counts.filter((cell) => fits(cell, terms));
  const names = isPlain(terms, choice.dialect)
    ? naming.flatMap(wordsOf).map(({ text }) => text)
    : [...new Set(cells.map(({ name }) => name))];
  const ids = texts.flatMap((term) => wordsOf(term).map(({ text }) => idsFrom(idPrefix(text))));
  if (names.length + ids.length > choice.searchWaysMax) return null;
  const finished = names.map((name) => wayOfName(name, choice.dialect));
  const unfinished = leadsToAll(choice.dialect) ? [] : waysToUnfinished(cells, known, choice);
  if (unfinished === null) return null;
  const cost = sum(known.counts.filter(({ name }) => names.includes(name)));
  // Each of these names fits; what else is said is looked at.
  const rest = leadsToAll(choice.dialect) ? terms.filter((term) => !isNameAlone(term, terms)) : terms;
  return { ways: [...finished, ...unfinished, ...ids], rest, cost };
}

function wayOfName(name: string, dialect: Dialect): Way {
  const finished = leadsToAll(dialect) ? '' : ' AND finished_at IS NOT NULL';
  return { kind: 'index', condition: (draft) => `name = ${parameter(draft, name)}${finished}` };
}

/** `null` when too many wait to be looked at for their names. */
function waysToUnfinished(cells: Cells, known: Known, choice: Choice): readonly Way[] | null {
  const ways: Way[] = [];
  for (const state of ['queued', 'running', 'scheduled', 'blocked'] as const) {
    if (!cells.some(({ view }) => stateOfView(view) === state)) continue;
    const found = wayOfState(state, known, choice);
    if (found === null) return null;
    ways.push(...found);
  }
  return ways;
}

/** Whether all that a term says is which names there may be: with a bare word it is not. */
function isNameAlone(term: FilterTerm, terms: readonly FilterTerm[]): boolean {
  return term.field === 'name' && positive(terms, 'name').includes(term) && positive(terms, 'text').length === 0;
}

function fits({ queue, name, view }: Cells[number], terms: readonly FilterTerm[]): boolean {
  const says = (field: 'name' | 'queue' | 'text', of: string): boolean =>
    positive(terms, field).every((term) =>
      wordsOf(term).some(({ text, prefix }) => (prefix ? of.startsWith(text) : of === text)),
    );
  const states = positive(terms, 'state');
  const isState = states.every((term) => wordsOf(term).some(({ text }) => text === view || text === stateOfView(view)));
  return isState && says('name', name) && says('queue', queue) && says('text', name);
}

function sum(cells: Cells): number {
  return cells.reduce((all, { count }) => all + count, 0);
}

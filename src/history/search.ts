/** Searches the tasks newest first: ids from the narrowest way, in bounded statements between which other work runs. */

import type { SqlDriver, SqlTransaction, SqlValue } from '../broker/sql/driver.ts';
import { statement } from '../broker/sql/driver.ts';
import { summaryColumns, type TaskRow, toTask } from '../broker/sql/rows.ts';
import type { Filter, FilterTerm } from '../core/filter.ts';
import { isId } from '../core/ids.ts';
import type { Limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import { type Clock, onNextTurn } from '../core/time.ts';
import { conditionOf, type Draft, parameter } from './conditions.ts';
import { type Page, summaryOf, type TaskPage, type TaskSummary } from './history.ts';
import { type Plan, planSearch, type Way } from './ways.ts';

/** What bounds a search; tests give smaller ones. */
export type SearchLimits = Pick<
  Limits,
  'pageMax' | 'scanMax' | 'scanChunkMax' | 'scanChunkMs' | 'searchMs' | 'searchWaysMax' | 'searchListMax'
>;

/** What one way led to. */
interface Found {
  /** Newest first. */
  readonly taskIds: readonly string[];
  /** Everything down to this id was looked at; `null` is everything. */
  readonly end: string | null;
}

interface Search {
  readonly driver: SqlDriver;
  readonly clock: Pick<Clock, 'elapsed'>;
  readonly limits: SearchLimits;
  readonly rest: readonly FilterTerm[];
  readonly now: number;
  /** Tasks wanted, one more than the page shows. */
  readonly wanted: number;
  /** Rows one way may look at, and when all of them end. */
  readonly rowsMax: number;
  readonly deadline: number;
}

/**
 * One page of the tasks a filter matches. A search that stops at `limits.scanMax` rows or after `limits.searchMs` says
 * so in `scanned`, and its `next` goes on from there. Throws INVALID_OPTION for a page that cannot be.
 */
export async function search(
  driver: SqlDriver,
  clock: Pick<Clock, 'elapsed'>,
  limits: SearchLimits,
  filter: Filter,
  page: Page,
): Promise<TaskPage> {
  checkPage(page, limits);
  const { plan, now } = await driver.read(async (tx) => ({
    plan: await planSearch(tx, filter, { ...limits, named: driver.dialect.named }),
    now: await readNow(tx),
  }));
  const found = await findAll(
    plan,
    {
      driver,
      clock,
      limits,
      now,
      rest: plan.rest,
      wanted: page.limit + 1,
      deadline: clock.elapsed() + limits.searchMs,
      rowsMax: Math.max(limits.scanChunkMax, Math.floor(limits.scanMax / Math.max(1, plan.ways.length))),
    },
    page.after,
  );
  const taskIds = found.taskIds.slice(0, page.limit);
  const isFull = found.taskIds.length > page.limit;
  const tasks = await driver.read((tx) => readSummaries(tx, taskIds, page.show));
  return {
    tasks,
    next: isFull ? (taskIds.at(-1) ?? null) : found.end,
    scanned: isFull || found.end === null ? 'all' : 'newest',
  };
}

function checkPage({ after, limit }: Page, limits: SearchLimits): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > limits.pageMax) {
    throw invalidOption('The size of the page', `it must be a whole number from 1 to ${limits.pageMax}`);
  }
  if (after !== null && !isId(after))
    throw invalidOption('The cursor', 'it must be the one that came with the page before');
}

const lastEventAt = statement<[at: number]>(
  'history_last_event_at',
  () => 'SELECT at FROM events ORDER BY seq DESC LIMIT 1',
);

/** The store's clock is never behind its last event. */
async function readNow(tx: SqlTransaction): Promise<number> {
  const [last] = await tx.query(lastEventAt);
  return Math.max(last?.[0] ?? 0, await tx.wallMs());
}

/** Follows all ways and puts together what they found, as far as all of them looked. */
async function findAll(plan: Plan, search: Search, after: string | null): Promise<Found> {
  const taskIds = new Set<string>();
  let end: string | null = null;
  for (const way of plan.ways) {
    const found =
      way.kind === 'list' ? await followList(way.taskIds, search, after) : await followIndex(way, search, after);
    for (const taskId of found.taskIds) taskIds.add(taskId);
    if (found.end !== null && (end === null || found.end > end)) end = found.end;
  }
  const looked = end;
  const known = looked === null ? [...taskIds] : [...taskIds].filter((taskId) => taskId >= looked);
  return { taskIds: known.sort().reverse(), end };
}

type IndexWay = Way & { readonly kind: 'index' };

async function followIndex(way: IndexWay, search: Search, after: string | null): Promise<Found> {
  if (search.rest.length === 0) {
    const taskIds = await readIds(search, way, after, null, search.wanted);
    return { taskIds, end: taskIds.length < search.wanted ? null : (taskIds.at(-1) ?? null) };
  }
  const taskIds: string[] = [];
  const pace = createPace(search);
  let from = after;
  for (;;) {
    const rows = pace.next();
    if (rows === null) return { taskIds, end: (await readBoundary(search, way, from, 1)) === null ? null : from };
    const to = await readBoundary(search, way, from, rows);
    if (to === null) return { taskIds, end: null };
    taskIds.push(...(await readIds(search, way, from, to, search.wanted - taskIds.length)));
    if (taskIds.length >= search.wanted) return { taskIds, end: taskIds.at(-1) ?? null };
    from = to;
    await pace.rest();
  }
}

async function followList(list: readonly string[], search: Search, after: string | null): Promise<Found> {
  const taskIds: string[] = [];
  const pace = createPace(search);
  const listed = after === null ? list : list.filter((taskId) => taskId < after);
  for (let at = 0; at < listed.length; ) {
    const rows = pace.next();
    if (rows === null) return { taskIds, end: listed[at - 1] ?? null };
    taskIds.push(...(await readListed(search, listed.slice(at, at + rows))));
    if (taskIds.length >= search.wanted) return { taskIds, end: taskIds.at(-1) ?? null };
    at += rows;
    await pace.rest();
  }
  return { taskIds, end: null };
}

/** Chooses how many rows a statement looks at, so that none holds the process for long; large documents are slow to read. */
function createPace({ clock, limits, rowsMax, deadline }: Search): { next(): number | null; rest(): Promise<void> } {
  let size = Math.min(200, limits.scanChunkMax);
  let looked = 0;
  let startedAt = 0;
  return {
    next: () => {
      startedAt = clock.elapsed();
      const rows = Math.min(size, rowsMax - looked);
      // Each way gets one look, however late it is: a page must lead further down than the one before.
      if (rows <= 0 || (looked > 0 && startedAt >= deadline)) return null;
      looked += rows;
      return rows;
    },
    rest: async () => {
      const tookMs = Math.max(clock.elapsed() - startedAt, 0.1);
      size = Math.min(limits.scanChunkMax, Math.max(10, Math.round(size * Math.min(4, limits.scanChunkMs / tookMs))));
      await new Promise<void>((resolve) => onNextTurn(resolve));
    },
  };
}

/** The id of the last of the next `rows` rows; `null` when there are no more. */
async function readBoundary(
  { driver, now }: Search,
  way: IndexWay,
  from: string | null,
  rows: number,
): Promise<string | null> {
  const draft: Draft = { dialect: driver.dialect, now, values: [] };
  const text = boundaryText(way, from, rows, draft);
  const [row] = await driver.read((tx) => tx.filter<[id: string | null]>(text, ...draft.values));
  return row?.[0] ?? null;
}

async function readIds(
  search: Search,
  way: IndexWay,
  from: string | null,
  to: string | null,
  limit: number,
): Promise<readonly string[]> {
  const draft: Draft = { dialect: search.driver.dialect, now: search.now, values: [] };
  const text = idsText(way, search.rest, from, to, limit, draft);
  return await runIds(search, text, draft.values);
}

async function readListed(search: Search, listed: readonly string[]): Promise<readonly string[]> {
  const draft: Draft = { dialect: search.driver.dialect, now: search.now, values: [] };
  const text = listedText(search.rest, listed, draft);
  return [...(await runIds(search, text, draft.values))].sort().reverse();
}

async function runIds({ driver }: Search, text: string, values: readonly SqlValue[]): Promise<readonly string[]> {
  return (await driver.read((tx) => tx.filter<[id: string]>(text, ...values))).map(([id]) => id);
}

/** Exported for the test of its plan, like the two below: finds where a stretch of an index ends, reading the index only. */
export function boundaryText(way: IndexWay, from: string | null, rows: number, draft: Draft): string {
  const before = from === null ? '' : ` AND id < ${parameter(draft, from)}`;
  return `SELECT min(id) FROM (SELECT id FROM tasks WHERE ${way.condition(draft)}${before} ORDER BY id DESC LIMIT ${rows}) AS stretch`;
}

export function idsText(
  way: IndexWay,
  rest: readonly FilterTerm[],
  from: string | null,
  to: string | null,
  limit: number,
  draft: Draft,
): string {
  const conditions = [way.condition(draft)];
  if (from !== null) conditions.push(`id < ${parameter(draft, from)}`);
  if (to !== null) conditions.push(`id >= ${parameter(draft, to)}`);
  for (const term of rest) conditions.push(conditionOf(term, draft));
  return `SELECT id FROM tasks WHERE ${conditions.join(' AND ')} ORDER BY id DESC LIMIT ${limit}`;
}

export function listedText(rest: readonly FilterTerm[], listed: readonly string[], draft: Draft): string {
  const listedIds = draft.dialect.oneOf(parameter(draft, JSON.stringify(listed)));
  return `SELECT id FROM tasks WHERE ${[`id ${listedIds}`, ...rest.map((term) => conditionOf(term, draft))].join(' AND ')}`;
}

/** Input: list of ids. */
export const summariesById = statement<TaskRow>(
  'summaries_by_id',
  (dialect) => `SELECT ${summaryColumns} FROM tasks WHERE id ${dialect.oneOf('$1')}`,
);

/** In the order of the ids; those that are gone by now are left out. */
async function readSummaries(
  tx: SqlTransaction,
  taskIds: readonly string[],
  show: Page['show'],
): Promise<readonly TaskSummary[]> {
  const rows = await tx.query(summariesById, JSON.stringify(taskIds));
  const known = new Map(rows.map((row) => [row[0], summaryOf(toTask(row), show)]));
  return taskIds.flatMap((taskId) => known.get(taskId) ?? []);
}

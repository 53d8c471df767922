/** Searches the tasks newest first, in a few statements that are bounded: a page that does not look at all tasks says how far it looked. */

import type { SqlDriver } from '../broker/sql/driver.ts';
import type { TaskRow } from '../broker/sql/rows.ts';
import { toTask } from '../broker/sql/rows.ts';
import type { Filter } from '../core/filter.ts';
import { isId } from '../core/ids.ts';
import type { Limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import { type Clock, onNextTurn } from '../core/time.ts';
import type { Draft } from './conditions.ts';
import { type Page, summaryOf, type TaskPage, type TaskSummary } from './history.ts';
import { type LookRow, lookText } from './look-text.ts';
import { type Plan, type PlanOptions, planSearch, type Way } from './ways.ts';

/** What bounds a search; tests give smaller ones. */
export type SearchLimits = Pick<
  Limits,
  | 'pageMax'
  | 'scanMax'
  | 'scanChunkMax'
  | 'scanChunkMs'
  | 'searchMs'
  | 'searchLooksMax'
  | 'searchWaysMax'
  | 'searchListMax'
>;

export interface SearchOptions {
  readonly driver: SqlDriver;
  readonly clock: Pick<Clock, 'elapsed'>;
  readonly limits: SearchLimits;
  readonly form: PlanOptions['form'];
}

/** What a look brought. */
interface Found {
  /** Newest first. */
  readonly tasks: readonly TaskSummary[];
  /** Everything down to this id was looked at; `null` is everything. */
  readonly end: string | null;
}

/**
 * One page of the tasks a filter matches, by one statement for its way and at most `limits.searchLooksMax` looks. A search that stops
 * at `limits.scanMax` rows, after `limits.searchMs` or its last look says so in `scanned`, and its `next` goes on from there. Throws
 * INVALID_OPTION for a page that cannot be.
 */
export async function search(options: SearchOptions, filter: Filter, page: Page): Promise<TaskPage> {
  const { driver, limits } = options;
  checkPage(page, limits);
  const plan = await planSearch(driver, filter, { ...limits, form: options.form });
  const found = await lookOn(plan, options, page);
  const tasks = found.tasks.slice(0, page.limit);
  const isFull = found.tasks.length > page.limit;
  return {
    tasks,
    next: isFull ? (tasks.at(-1)?.id ?? null) : found.end,
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

/** Looks further down until the page is full, all is looked at, or the search has had what it may. */
async function lookOn(plan: Plan, options: SearchOptions, { after, limit, show }: Page): Promise<Found> {
  const tasks: TaskSummary[] = [];
  const pace = createPace(options, limit + 1);
  for (let from = after; plan.ways.length > 0; ) {
    const rows = pace.next();
    if (rows === null) return { tasks, end: from };
    const wanted = limit + 1 - tasks.length;
    const found = await look(plan, options, { from, rows, wanted, show });
    tasks.push(...found.tasks);
    if (found.end === null || tasks.length > limit) return { tasks, end: found.end };
    from = found.end;
    await pace.rest();
  }
  return { tasks, end: null };
}

/** Chooses how many rows a look goes over, so that none holds the process for long; large documents are slow to read. */
function createPace(
  { clock, limits }: SearchOptions,
  wanted: number,
): { next(): number | null; rest(): Promise<void> } {
  const deadline = clock.elapsed() + limits.searchMs;
  let size = Math.min(Math.max(firstRows, 2 * wanted), limits.scanChunkMax);
  let looked = 0;
  let looks = 0;
  let startedAt = 0;
  return {
    next: () => {
      startedAt = clock.elapsed();
      const rows = Math.min(size, limits.scanMax - looked);
      // There is one look, however late it is: a page must lead further down than the one before.
      if (rows <= 0 || looks >= limits.searchLooksMax || (looks > 0 && startedAt >= deadline)) return null;
      looked += rows;
      looks += 1;
      return rows;
    },
    rest: async () => {
      const tookMs = Math.max(clock.elapsed() - startedAt, 0.1);
      size = Math.min(limits.scanChunkMax, Math.max(10, Math.round((size * limits.scanChunkMs) / tookMs)));
      await new Promise<void>((resolve) => onNextTurn(resolve));
    },
  };
}

/** Rows of the first look, or twice as many as are wanted: what most filters find a page in, and little enough where each of them is somewhere else on the disk. */
const firstRows = 500;

interface Stretch {
  readonly from: string | null;
  readonly rows: number;
  readonly wanted: number;
  readonly show: Page['show'];
}

async function look(
  { ways, rest, now }: Plan,
  { driver }: SearchOptions,
  { from, rows, wanted, show }: Stretch,
): Promise<Found> {
  // Each way gets its part, and at least one row: else it would never end.
  const own = Math.max(1, Math.floor(rows / ways.length));
  const lists = ways.flatMap((way) =>
    way.kind === 'list' ? [sliceOf(way, from, rest.length === 0 ? wanted : own)] : [],
  );
  const others = ways.filter((way) => way.kind !== 'list');
  const draft: Draft = { dialect: driver.dialect, now, values: [] };
  const text = lookText({ ways: [...others, ...lists.map(({ way }) => way)], rest, from, rows: own, wanted }, draft);
  const found = await driver.read((tx) => tx.filter<LookRow>(text, ...draft.values));
  const ends = [found[0]?.[0] ?? null, ...lists.map(({ end }) => end)].filter((end) => end !== null);
  const end = ends.reduce<string | null>((last, each) => (last === null || each > last ? each : last), null);
  const known = new Map<string, TaskSummary>();
  for (const [, ...row] of found)
    if (row[0] !== null) known.set(row[0], summaryOf(toTask(row as unknown as TaskRow), show));
  const tasks = [...known.values()].sort((left, right) => (left.id < right.id ? 1 : -1));
  // Further down one of the ways has not looked yet.
  return { tasks: end === null ? tasks : tasks.filter(({ id }) => id >= end), end };
}

type ListWay = Way & { readonly kind: 'list' };

/** The next of a list, and where it ends when there are more. */
function sliceOf(
  way: ListWay,
  from: string | null,
  rows: number,
): { readonly way: ListWay; readonly end: string | null } {
  const left = from === null ? way.taskIds : way.taskIds.filter((taskId) => taskId < from);
  const taskIds = left.slice(0, rows);
  return { way: { kind: 'list', taskIds }, end: left.length > rows ? (taskIds.at(-1) ?? null) : null };
}

/** Finds tasks by a filter, newest first: over an index where the filter has one, else over the newest tasks by id. */

import { type CountRecord, readCounts } from '../broker/sql/counts.ts';
import type { SqlDriver, SqlTransaction, SqlValue } from '../broker/sql/driver.ts';
import { summaryColumns, type TaskRow, taskColumns, toTask } from '../broker/sql/rows.ts';
import type { Filter } from '../core/filter.ts';
import { matches } from '../core/filter-match.ts';
import { limits } from '../core/limits.ts';
import { preview } from '../core/preview.ts';
import { viewOf } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import { type Condition, conditionOf, type Source, sourcesOf } from './filter-sql.ts';
import type { Page, TaskPage, TaskSummary } from './history.ts';

/** Rows of an index one statement walks: some 10 ms, then the event loop has its turn. */
const stretchRows = 5_000;
/** Rows one statement brings into JavaScript. */
const fetchRows = 200;

/** Beyond every id. */
const end = '~';

interface Search {
  readonly filter: Filter;
  readonly condition: Condition;
  readonly columns: string;
  readonly now: number;
  readonly wanted: number;
  /** Rows that may still be looked at. */
  left: number;
}

/** One page of the tasks that match. Every stretch is its own short transaction: a search never holds back the log. */
export async function searchTasks(driver: SqlDriver, filter: Filter, page: Page): Promise<TaskPage> {
  const limit = Math.max(1, Math.min(page.limit, limits.pageMax));
  const start = await driver.read(async (tx) => ({ now: await tx.wallMs(), counts: await readCounts(tx) }));
  const search: Search = {
    filter,
    now: start.now,
    wanted: limit + 1,
    left: limits.scanMax,
    condition: conditionOf(filter, start.now),
    columns: filter.terms.some(({ field }) => field === 'input' || field === 'output') ? taskColumns : summaryColumns,
  };
  const found = new Map<string, Task>();
  for (const source of await driver.read((tx) => sourcesOf(tx, driver.dialect, filter, countOf(start.counts)))) {
    for (const task of await walk(driver, search, source, page.after ?? end)) found.set(task.id, task);
  }
  const tasks = [...found.values()].sort((left, right) => (left.id < right.id ? 1 : -1));
  const shown = tasks.slice(0, limit);
  return {
    tasks: shown.map(summaryOf),
    next: tasks.length > limit ? (shown.at(-1)?.id ?? null) : null,
    scanned: search.left <= 0 ? 'newest' : 'all',
  };
}

/** How many tasks have one of these views, from the kept counts. */
function countOf(counts: readonly CountRecord[]): (view: string) => number {
  return (view) => counts.reduce((sum, record) => sum + (record.view === view ? record.count : 0), 0);
}

/** The first matches of a source below an id, walking down stretch by stretch. */
async function walk(driver: SqlDriver, search: Search, source: Source, after: string): Promise<readonly Task[]> {
  const found: Task[] = [];
  let below = after;
  while (found.length < search.wanted && search.left > 0) {
    const stretch = await driver.read((tx) => readStretch(tx, search, source, below));
    search.left -= stretch.walked;
    for (const task of stretch.tasks) if (matches(search.filter, task, search.now)) found.push(task);
    if (stretch.next === null) break;
    below = stretch.next;
  }
  return found;
}

interface Stretch {
  readonly tasks: readonly Task[];
  /** Where the walk goes on, `null` at its end. */
  readonly next: string | null;
  readonly walked: number;
}

async function readStretch(tx: SqlTransaction, search: Search, source: Source, below: string): Promise<Stretch> {
  const scope = joined({ text: `id < $1 AND ${source.text}`, values: [below, ...source.values] });
  const [bounds] = await tx.execute<[first: string | null, walked: number]>(
    `SELECT min(id), count(*) FROM (SELECT id FROM tasks WHERE ${scope.text} ORDER BY id DESC LIMIT ${stretchRows}) AS stretch`,
    ...scope.values,
  );
  const first = bounds?.[0] ?? null;
  if (bounds === undefined || first === null) return { tasks: [], next: null, walked: 0 };
  const wanted = joined(scope, { text: `id >= $${scope.values.length + 1}`, values: [first] }, search.condition);
  const rows = await tx.execute<TaskRow>(
    `SELECT ${search.columns} FROM tasks WHERE ${wanted.text} ORDER BY id DESC LIMIT ${fetchRows}`,
    ...wanted.values,
  );
  const tasks = rows.map(toTask);
  const cut = tasks.length === fetchRows ? tasks.at(-1)?.id : undefined;
  if (cut !== undefined) return { tasks, next: cut, walked: Math.ceil(bounds[1] / 2) };
  return { tasks, next: bounds[1] < stretchRows ? null : first, walked: bounds[1] };
}

/** Conditions one after the other; those written with `?` get the numbers that follow. */
function joined(first: Condition, ...more: readonly Condition[]): Condition {
  const values: SqlValue[] = [...first.values];
  const texts = [first.text];
  for (const condition of more) {
    let number = values.length;
    texts.push(condition.text.replace(/\?/g, () => `$${++number}`));
    values.push(...condition.values);
  }
  return { text: texts.join(' AND '), values };
}

function summaryOf(task: Task): TaskSummary {
  const { payload, result: _result, checkpoints: _checkpoints, ...rest } = task;
  return { ...rest, view: viewOf(task), preview: preview(payload) };
}

/** History over the tables of the SQL broker: the record is the live store itself, never behind. */

import { type ActivityRow, readActivity } from '../broker/sql/activity.ts';
import { readCounts } from '../broker/sql/counts.ts';
import type { SqlDriver, SqlTransaction } from '../broker/sql/driver.ts';
import { statement } from '../broker/sql/driver.ts';
import { readEnded } from '../broker/sql/ended.ts';
import { readEventSpan, readFinalEvents } from '../broker/sql/events.ts';
import { readMinutes } from '../broker/sql/minutes.ts';
import { readRemains } from '../broker/sql/record.ts';
import { type TaskRow, taskColumns, toTask } from '../broker/sql/rows.ts';
import { internalQueue } from '../core/bulk.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { isWaitingView } from '../core/states.ts';
import type { Clock } from '../core/time.ts';
import { readFlows } from './flows.ts';
import type { Activity, ActivityQuery, Facets, History, TaskRecord } from './history.ts';
import { readSamples, storeSamples } from './samples.ts';
import { type SearchLimits, search } from './search.ts';
import { timelineOf } from './timeline.ts';

/** A {@link History} that ends with its store: calls after `close` are STORE_CLOSED, and `close` waits for those before. */
export interface SqlHistory extends History {
  close(): Promise<void>;
}

/** How a history is used; a live store with the limits of all without it. */
export interface SqlHistoryOptions {
  /** Whether the tasks live in this database or are recorded in it: each is indexed for its own. */
  readonly form?: 'live' | 'record';
  readonly searchLimits?: SearchLimits;
}

/** The driver must be open, and migrated, before the first call. `clock` paces long searches. */
export function createSqlHistory(
  driver: SqlDriver,
  clock: Pick<Clock, 'elapsed'>,
  { form = 'live', searchLimits = limits }: SqlHistoryOptions = {},
): SqlHistory {
  const inFlight = new Set<Promise<unknown>>();
  let isClosed = false;
  const guarded = async <Answer>(call: () => Promise<Answer>): Promise<Answer> => {
    if (isClosed) throw taskFlowError('STORE_CLOSED');
    const answer = call();
    inFlight.add(answer);
    try {
      return await answer;
    } finally {
      inFlight.delete(answer);
    }
  };
  const read = <Answer>(work: (tx: SqlTransaction) => Promise<Answer>): Promise<Answer> =>
    guarded(() => driver.read(work));
  return {
    search: (filter, page) => guarded(() => search({ driver, clock, limits: searchLimits, form }, filter, page)),
    flows: (page) => read((tx) => readFlows(tx, page)),
    task: (taskId) => read((tx) => readRecord(tx, taskId)),
    minutes: ({ step = 'minute', limit = limits.pageMax * 100, ...range }) =>
      guarded(async () => {
        const asked = { ...range, step, limit: Math.min(limit, limits.pageMax * 100) };
        const rows = await readMinutes({ query: driver.readOne }, asked);
        return rows.map(([at, queue, name, succeeded, failed, cancelled, retried, waitMs, runMs]) => ({
          at,
          queue,
          name,
          succeeded,
          failed,
          cancelled,
          retried,
          waitMs,
          runMs,
        }));
      }),
    activity: (range) => guarded(() => activityOf({ query: driver.readOne }, range)),
    ended: (range) =>
      guarded(async () => {
        const { from, rows } = await readEnded({ query: driver.readOne }, { ...range, limit: limits.endedRowsMax });
        return { from, minutes: rows };
      }),
    samples: (range) => read((tx) => readSamples(tx, range)),
    sample: (samples) => guarded(() => driver.transaction((tx) => storeSamples(tx, samples))),
    facets: () => guarded(() => readFacets({ query: driver.readOne })),
    events: (after, limit) => guarded(() => readFinalEvents(driver, after, Math.min(limit, limits.pageMax))),
    eventSpan: () => guarded(() => readEventSpan(driver)),
    lagMs: () => guarded(async () => 0),
    close: async () => {
      isClosed = true;
      await Promise.allSettled(inFlight);
    },
  };
}

/** Input: id. */
export const wholeTask = statement<TaskRow>('whole_task', () => `SELECT ${taskColumns} FROM tasks WHERE id = $1`);

async function readRecord(tx: SqlTransaction, taskId: string): Promise<TaskRecord | null> {
  const [row] = await tx.query(wholeTask, taskId);
  if (row === undefined) return null;
  const task = toTask(row);
  const remains = await readRemains(tx, taskId);
  return { task, ...remains, timeline: timelineOf(task, remains.attempts, remains.notes) };
}

async function activityOf(tx: Pick<SqlTransaction, 'query'>, query: ActivityQuery): Promise<Activity> {
  const rows = await readActivity(tx, query);
  const of = (wanted: ActivityRow[0]) => rows.filter((row) => row[0] === wanted);
  return {
    steps: of('step').map(([, at, , , succeeded, failed, cancelled, retried]) => ({
      at,
      succeeded,
      failed,
      cancelled,
      retried,
    })),
    parts: of('part').map(([, part, queue, , succeeded, failed, cancelled, retried]) => ({
      part,
      queue,
      succeeded,
      failed,
      cancelled,
      retried,
    })),
    recent: of('recent').map(([, , queue, , succeeded, failed, cancelled, retried]) => ({
      queue,
      succeeded,
      failed,
      cancelled,
      retried,
    })),
    names: of('name').map(([, , queue, name, succeeded, failed, cancelled, retried, runMs]) => ({
      queue,
      name,
      succeeded,
      failed,
      cancelled,
      retried,
      runMs,
    })),
  };
}

async function readFacets(tx: Pick<SqlTransaction, 'query'>): Promise<Facets> {
  const views = new Map<string, number>();
  const queues = new Map<string, number>();
  const names = new Map<string, number>();
  const waiting = new Map<string, number>();
  const add = (counts: Map<string, number>, word: string, count: number): void =>
    void counts.set(word, (counts.get(word) ?? 0) + count);
  for (const { queue, name, view, count } of await readCounts(tx)) {
    if (queue === internalQueue) continue;
    add(views, view, count);
    add(queues, queue, count);
    add(names, name, count);
    if (isWaitingView(view)) add(waiting, name, count);
  }
  // From entries, so that a queue may have any name.
  return {
    views: Object.fromEntries(views),
    queues: Object.fromEntries(queues),
    names: Object.fromEntries(names),
    waiting: Object.fromEntries([...waiting].filter(([, count]) => count > 0)),
  };
}

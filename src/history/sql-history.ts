/** History over the tables of a SQL broker: the record and the live store are one, so it is never behind. */

import { readCounts, readMinutes } from '../broker/sql/counts.ts';
import { eachStatement, type SqlDriver, type SqlTransaction, statement } from '../broker/sql/driver.ts';
import { readEvents } from '../broker/sql/events.ts';
import { getTasks } from '../broker/sql/reads.ts';
import { readAttempts, readLogs, readNotes } from '../broker/sql/record.ts';
import type { Attempt, TimelineEntry } from '../core/events.ts';
import { limits } from '../core/limits.ts';
import type { TaskView } from '../core/states.ts';
import type { Facets, History, Minute, Range, Sample, TaskRecord } from './history.ts';
import { searchTasks } from './search.ts';

/** Most rows of a range: a month of minutes of two queues. */
const rangeMax = limits.pageMax * 100;

/** Inputs: from, to, limit. */
const samplesInRange = statement<
  [at: number, queue: string, waiting: number, running: number, slots: number, workers: number]
>(
  'samples_in_range',
  () =>
    'SELECT at, queue, waiting, running, slots, workers FROM samples WHERE at >= $1 AND at < $2 ORDER BY at, queue LIMIT $3',
);

/** Whoever comes first stores the samples of a minute. */
const insertSamples = eachStatement(
  'insert_samples',
  { at: 'bigint', queue: 'text', waiting: 'bigint', running: 'bigint', slots: 'bigint', workers: 'bigint' },
  (value, from) => `INSERT INTO samples (at, queue, waiting, running, slots, workers)
    SELECT ${value.at}, ${value.queue}, ${value.waiting}, ${value.running}, ${value.slots}, ${value.workers} ${from} WHERE true
    ON CONFLICT (at, queue) DO NOTHING`,
);
const sampledMinute = statement<[found: number]>('sampled_minute', () => 'SELECT 1 FROM samples WHERE at = $1 LIMIT 1');

export function createSqlHistory(driver: SqlDriver): History {
  return {
    search: (filter, page) => searchTasks(driver, filter, page),
    task: (taskId) => driver.read((tx) => readRecord(tx, taskId)),
    minutes: (range) => driver.read((tx) => minutesIn(tx, range)),
    samples: (range) =>
      driver.read(async (tx) => {
        const rows = await tx.query(samplesInRange, range.from, range.to, rangeMax);
        return rows.map(([at, queue, waiting, running, slots, workers]) => ({
          at,
          queue,
          waiting,
          running,
          slots,
          workers,
        }));
      }),
    sample: (samples) => driver.transaction((tx) => storeSamples(tx, samples)),
    facets: () => driver.read(readFacets),
    events: (after, limit) => driver.read((tx) => readEvents(tx, after, Math.min(limit, limits.pageMax))),
    lagMs: async () => 0,
  };
}

async function readRecord(tx: SqlTransaction, taskId: string): Promise<TaskRecord | null> {
  const [task] = await getTasks(tx, [taskId]);
  if (task === undefined || task === null) return null;
  const attempts = await readAttempts(tx, taskId);
  const timeline = [...attempts.map(attemptEntry), ...(await readNotes(tx, taskId))].sort(
    (left, right) => left.at - right.at,
  );
  return { task, attempts, logs: await readLogs(tx, taskId), timeline };
}

/** What the row no longer tells: how an earlier run ended. */
function attemptEntry(attempt: Attempt): TimelineEntry {
  const why =
    attempt.error === null ? (attempt.reason ?? attempt.to) : `${attempt.error.name}: ${attempt.error.message}`;
  return { at: attempt.endedAt, kind: 'attempt', text: `Attempt ${attempt.attempt} ended as ${attempt.to}: ${why}` };
}

async function minutesIn(tx: SqlTransaction, { from, to }: Range): Promise<readonly Minute[]> {
  const rows = await readMinutes(tx, from, to, rangeMax);
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
}

async function storeSamples(tx: SqlTransaction, samples: readonly Sample[]): Promise<boolean> {
  const [first] = samples;
  if (first === undefined || (await tx.query(sampledMinute, first.at)).length > 0) return false;
  await tx.each(
    insertSamples,
    samples.map((sample) => [sample.at, sample.queue, sample.waiting, sample.running, sample.slots, sample.workers]),
  );
  return true;
}

async function readFacets(tx: SqlTransaction): Promise<Facets> {
  const views: Partial<Record<TaskView, number>> = {};
  const queues: Record<string, number> = {};
  const names: Record<string, number> = {};
  for (const { queue, name, view, count } of await readCounts(tx)) {
    views[view] = (views[view] ?? 0) + count;
    queues[queue] = (queues[queue] ?? 0) + count;
    names[name] = (names[name] ?? 0) + count;
  }
  return { views, queues, names };
}

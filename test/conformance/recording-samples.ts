/** A record under test, and what it is given: events, and tasks as they stand. */

import type { TaskBody } from '../../src/broker/broker.ts';
import type { SqlDriver, SqlTransaction } from '../../src/broker/sql/driver.ts';
import type { Attempt, BatchEvent, EventItem } from '../../src/core/events.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import type { TaskState } from '../../src/core/states.ts';
import type { Task } from '../../src/core/task.ts';
import { systemClock } from '../../src/core/time.ts';
import { createSqlRecording } from '../../src/history/recording/sql-recording.ts';
import type { RecordBatch } from '../../src/history/recording.ts';
import { createSqlHistory } from '../../src/history/sql-history.ts';
import { sampleError, sampleId, startAt, storedTask } from './samples.ts';

export const life = 'life';
export const nobody = { incarnation: null, seq: 0, last: null };

/** A record that follows {@link life} once something is recorded. */
export function createRecord(driver: SqlDriver) {
  const recording = createSqlRecording(driver);
  const history = createSqlHistory(driver, systemClock, { form: 'record' });
  return {
    driver,
    recording,
    history,
    /** Records these events as the next ones, with these tasks. */
    take: async (events: readonly Omit<BatchEvent, 'seq'>[], bodies: readonly TaskBody[]): Promise<boolean> => {
      await recording.follow(nobody, { incarnation: life, seq: 0 }, null);
      return (await recording.record(batchOf((await recording.cursor()).seq, events, bodies))) === true;
    },
    ids: async (filter: string): Promise<readonly string[]> => {
      const { tasks } = await history.search(parseFilter(filter), { after: null, limit: 100 });
      return tasks.map(({ id }) => id);
    },
  };
}

export type RecordUnderTest = ReturnType<typeof createRecord>;

/** By what they show. */
export type RecordingCases = Readonly<{
  [sentence: string]: (record: RecordUnderTest, clock: { now: number }) => Promise<void>;
}>;

export function batchOf(
  after: number,
  events: readonly Omit<BatchEvent, 'seq'>[],
  bodies: readonly TaskBody[],
  incarnation = life,
): RecordBatch {
  const numbered = events.map((event, index) => ({ ...event, seq: after + index + 1 }));
  return { incarnation, after, upTo: after + events.length, events: numbered, bodies };
}

export function bodyOf(number: number, given: Partial<Task> = {}, rest: Partial<TaskBody> = {}): TaskBody {
  const task = storedTask(sampleId(number), { state: 'queued', ...given });
  return { task, attempts: [], logs: [], ...rest };
}

/** As it stands after a run that succeeded. */
export function succeeded(number: number, given: Partial<Task> = {}): TaskBody {
  const times = { claimedAt: startAt + 5, startedAt: startAt + 6, finishedAt: startAt + 16, pruneAt: startAt + 1_000 };
  return bodyOf(number, { state: 'succeeded', version: 3, epoch: 1, attempt: 1, result: '{}', ...times, ...given });
}

export function eventOf(
  kind: BatchEvent['kind'],
  { task }: TaskBody,
  from: TaskState | null,
  given: Partial<EventItem> & { readonly at?: number } = {},
): Omit<BatchEvent, 'seq'> {
  const { at = startAt, ...item } = given;
  const { id, name, queue, version, state, reason, attempt } = task;
  return { at, kind, items: [{ taskId: id, name, queue, version, from, to: state, reason, attempt, ...item }] };
}

export function lines(count: number, epoch = 1, from = 0): TaskBody['logs'] {
  return Array.from({ length: count }, (_each, index) => ({
    epoch,
    at: startAt,
    level: 'info' as const,
    message: `line ${from + index}`,
    fields: null,
  }));
}

export function run(given: Partial<Attempt> = {}): Attempt {
  return {
    epoch: 1,
    attempt: 1,
    workerId: 'w',
    claimedAt: startAt + 1,
    startedAt: startAt + 2,
    endedAt: startAt + 9,
    to: 'scheduled',
    reason: 'error',
    error: sampleError,
    ...given,
  };
}

/** Everything there is, table by table. */
export async function everything(driver: SqlDriver): Promise<unknown> {
  const tables = ['tasks', 'attempts', 'logs', 'timeline', 'edges', 'members', 'events'];
  const kept = ['deltas', 'counts', 'minutes', 'recorder', 'recorded', 'unrecorded', 'gaps'];
  return await driver.read(async (tx) => {
    const rows: unknown[] = [];
    for (const table of [...tables, ...kept]) rows.push([table, await tx.execute(`SELECT * FROM ${table}`)]);
    return rows;
  });
}

/** How many rows a table has. */
export async function rowsOf(driver: SqlDriver, table: string): Promise<number> {
  return (await driver.read((tx) => tx.execute(`SELECT * FROM ${table}`))).length;
}

/** A driver whose transactions fail at their `failAt`th statement; `null` lets all through. */
export function failing(driver: SqlDriver, failAt: () => boolean): SqlDriver {
  const broken = new Error('The power is gone');
  const wrap = (tx: SqlTransaction): SqlTransaction => {
    const orFail =
      <Given extends unknown[], Answer>(call: (...given: Given) => Promise<Answer>) =>
      (...given: Given): Promise<Answer> =>
        failAt() ? Promise.reject(broken) : call(...given);
    return {
      ...tx,
      query: orFail(tx.query) as SqlTransaction['query'],
      change: orFail(tx.change),
      each: orFail(tx.each),
      many: orFail(tx.many),
    };
  };
  return { ...driver, transaction: (work) => driver.transaction((tx) => work(wrap(tx))) };
}

/**
 * The relay: with a broker that is in no database, a task of a user's transaction is a row of theirs, and is pushed to the broker
 * after the commit. The row goes only when the broker has answered, so whoever is killed in between leaves it to the next;
 * and the id makes any number of pushes one task.
 */

import type { Broker, EnqueueResult, Transactions } from '../broker/broker.ts';
import { eachStatement, type SqlDriver, type SqlTransaction, statement } from '../broker/sql/driver.ts';
import type { Join } from '../broker/sql/join.ts';
import { isRefusal, taskFlowError } from '../core/errors.ts';
import { checkLimitRules } from '../core/limit-rules.ts';
import { limits } from '../core/limits.ts';
import type { NewTask } from '../core/task.ts';

export interface RelayOptions {
  /** The database of the record, which users have their transactions with. */
  readonly driver: SqlDriver;
  readonly join: Join;
  readonly broker: Pick<Broker, 'enqueue'>;
}

/** A task that the broker does not take. */
export interface SetAside {
  readonly taskId: string;
  /** When it was enqueued. */
  readonly at: number;
  readonly problem: string;
}

export interface Relay {
  /** For the broker: `enqueue` stores a row, `announce` pushes at once. A run cannot end in a transaction of another store. */
  readonly transactions: Transactions;
  /** Pushes at most one call's worth of tasks. Several relays may do so at once. */
  tick(): Promise<'full' | 'done'>;
  /** The oldest tasks that wait for a person. */
  setAside(limit: number): Promise<readonly SetAside[]>;
}

type Row = readonly [at: number, task: string];

const storeRows = eachStatement(
  'relay_store',
  { id: 'text', at: 'bigint', task: 'text' },
  (value, from) =>
    `INSERT INTO relay (task_id, at, task) SELECT ${value.id}, ${value.at}, ${value.task} ${from} WHERE true ON CONFLICT (task_id) DO NOTHING`,
);

/** Input: limit. */
export const waitingRows = statement<Row>(
  'relay_waiting',
  () => 'SELECT at, task FROM relay WHERE problem IS NULL ORDER BY seq LIMIT $1',
);

/** Input: list of ids. The broker may have forgotten what the record knows: that was pushed long ago. */
const recordedTasks = statement<[id: string]>(
  'relay_recorded',
  (dialect) => `SELECT id FROM tasks WHERE id ${dialect.oneOf('$1')}`,
);

/** Input: list of ids. */
const forgetRows = statement('relay_forget', (dialect) => `DELETE FROM relay WHERE task_id ${dialect.oneOf('$1')}`);

/** Inputs: id, words. */
const setRowAside = statement('relay_set_aside', () => 'UPDATE relay SET problem = $2 WHERE task_id = $1');

/** Input: limit. */
const asideRows = statement<[taskId: string, at: number, problem: string]>(
  'relay_aside',
  () => 'SELECT task_id, at, problem FROM relay WHERE problem IS NOT NULL ORDER BY seq LIMIT $1',
);

export function createRelay({ driver, join, broker }: RelayOptions): Relay {
  /** Answers what is done with. In order, so that a parent is there before its child, and the last of a key stays. */
  async function push(batch: readonly NewTask[]): Promise<readonly string[]> {
    if (batch.length === 0) return [];
    const [first] = batch;
    try {
      const results = await broker.enqueue(batch);
      const done: string[] = [];
      for (const [index, task] of batch.entries()) {
        const problem = problemOf(task, results[index]);
        if (problem === null) done.push(task.id);
        else await driver.writeOne(setRowAside, task.id, problem);
      }
      return done;
    } catch (error) {
      if (!isRefusal(error) || first === undefined) throw error;
      if (batch.length === 1) {
        await driver.writeOne(setRowAside, first.id, error instanceof Error ? error.message : String(error));
        return [];
      }
      // Nothing of it was stored: the one that is refused must not hold up the others.
      const half = Math.ceil(batch.length / 2);
      return [...(await push(batch.slice(0, half))), ...(await push(batch.slice(half)))];
    }
  }

  async function tick(): Promise<'full' | 'done'> {
    const rows = await driver.readOne(waitingRows, limits.batchMax);
    if (rows.length === 0) return 'done';
    const now = await driver.wallMs();
    const waiting = rows.map(([at, text]) => aged(JSON.parse(text) as NewTask, now - at));
    const ids = JSON.stringify(waiting.map(({ id }) => id));
    const recorded = new Set((await driver.readOne(recordedTasks, ids)).map(([id]) => id));
    for (const batch of batchesOf(waiting.filter(({ id }) => !recorded.has(id))))
      await forget(driver, await push(batch));
    await forget(driver, [...recorded]);
    return rows.length === limits.batchMax ? 'full' : 'done';
  }

  return {
    tick,
    setAside: async (limit) =>
      (await driver.readOne(asideRows, limit)).map(([taskId, at, problem]) => ({ taskId, at, problem })),
    transactions: {
      enqueue: (tx, tasks) => join(tx, (joined) => store(joined, tasks)),
      settle: () =>
        Promise.reject(
          taskFlowError('TX_NOT_JOINABLE', { problem: 'the task is in a broker outside of the database' }),
        ),
      announce: async () => void (await tick()),
    },
  };
}

/** Whether the broker will take them is known when they are pushed; what can be said before is said here. */
async function store(tx: SqlTransaction, tasks: readonly NewTask[]): Promise<readonly EnqueueResult[]> {
  if (tasks.length > limits.batchMax)
    throw taskFlowError('BATCH_TOO_LARGE', { max: `${limits.batchMax} tasks`, actual: tasks.length });
  for (const task of tasks) checkLimitRules(task.limits);
  const now = await tx.wallMs();
  await tx.each(
    storeRows,
    tasks.map((task) => [task.id, now, JSON.stringify(task)]),
  );
  return tasks.map(({ id, at, delayMs }) => ({
    outcome: 'created',
    taskId: id,
    state: (at ?? now + delayMs) > now ? 'scheduled' : 'queued',
  }));
}

/** Its times count from when it was enqueued, not from when it was pushed. */
function aged(task: NewTask, ageMs: number): NewTask {
  const age = Math.max(0, ageMs);
  return {
    ...task,
    delayMs: Math.max(0, task.delayMs - age),
    expiresInMs: task.expiresInMs === null ? null : Math.max(1, task.expiresInMs - age),
  };
}

/** A held key is no problem unless the task says so. */
function problemOf(task: NewTask, result: EnqueueResult | undefined): string | null {
  if (result?.outcome !== 'conflict') return null;
  if (result.of === task.id) return taskFlowError('ID_CONFLICT', { id: task.id }).message;
  return taskFlowError('KEY_CONFLICT', { key: task.key ?? '', holder: result.of }).message;
}

function* batchesOf(waiting: readonly NewTask[]): Generator<readonly NewTask[]> {
  let batch: NewTask[] = [];
  let bytes = 0;
  for (const one of waiting) {
    const size = Buffer.byteLength(one.payload);
    if (batch.length > 0 && bytes + size > limits.batchBytesMax) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(one);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

async function forget(driver: SqlDriver, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await driver.writeOne(forgetRows, JSON.stringify(ids));
}

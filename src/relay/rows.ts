/** The rows of the relay: tasks of users' transactions, in the database of the record. */

import type { EnqueueResult } from '../broker/broker.ts';
import { eachStatement, type SqlDriver, type SqlTransaction, statement } from '../broker/sql/driver.ts';
import { taskFlowError } from '../core/errors.ts';
import { checkLimitRules } from '../core/limit-rules.ts';
import { limits } from '../core/limits.ts';
import type { RelayStatus, SetAsideTask } from '../core/relay.ts';
import type { NewTask } from '../core/task.ts';

/** A task as it waits. */
export interface WaitingRow {
  readonly taskId: string;
  /** When it was enqueued. */
  readonly at: number;
  /** The task as JSON. */
  readonly text: string;
}

const insertRows = eachStatement(
  'relay_store',
  { id: 'text', at: 'bigint', task: 'text' },
  (value, from) =>
    `INSERT INTO relay (task_id, at, task) SELECT ${value.id}, ${value.at}, ${value.task} ${from} WHERE true ON CONFLICT (task_id) DO NOTHING`,
  { id: 'task_id' },
);

/** Which data this is, how many numbers the waiting rows stretch over, and whether so many rows are aside. Input: as many. */
export const roomLeft = statement<[incarnation: string | null, stretch: number | null, aside: number]>(
  'relay_room',
  () => `SELECT (SELECT value FROM meta WHERE name = 'incarnation'),
    (SELECT max(seq) FROM relay) - (SELECT min(seq) FROM relay WHERE problem IS NULL),
    (SELECT count(*) FROM (SELECT seq FROM relay WHERE problem IS NOT NULL ORDER BY seq LIMIT $1) AS aside)`,
);

/** Input: limit. Sizes are told without reading what is large. */
export const waitingSizes = statement<[seq: number, bytes: number]>(
  'relay_sizes',
  () => 'SELECT seq, octet_length(task) FROM relay WHERE problem IS NULL ORDER BY seq LIMIT $1',
);

/** Inputs: number of the last, limit. */
export const waitingRows = statement<[taskId: string, at: number, task: string]>(
  'relay_waiting',
  () => 'SELECT task_id, at, task FROM relay WHERE problem IS NULL AND seq <= $1 ORDER BY seq LIMIT $2',
);

/** Input: list of ids. */
const rowsById = statement<[taskId: string, at: number, task: string, problem: string | null]>(
  'relay_by_id',
  (dialect) => `SELECT task_id, at, task, problem FROM relay WHERE task_id ${dialect.oneOf('$1')} ORDER BY seq`,
);

/** Input: list of ids. */
const someWaiting = statement<[found: number]>(
  'relay_some_waiting',
  (dialect) => `SELECT 1 FROM relay WHERE task_id ${dialect.oneOf('$1')} AND problem IS NULL LIMIT 1`,
);

/** Input: list of ids. */
const recordedTasks = statement<[id: string]>(
  'relay_recorded',
  (dialect) => `SELECT id FROM tasks WHERE id ${dialect.oneOf('$1')}`,
);

/** Input: list of ids. */
const deleteRows = statement('relay_forget', (dialect) => `DELETE FROM relay WHERE task_id ${dialect.oneOf('$1')}`);

/** Input: list of ids. */
const deleteAside = statement<[taskId: string]>(
  'relay_drop',
  (dialect) => `DELETE FROM relay WHERE task_id ${dialect.oneOf('$1')} AND problem IS NOT NULL RETURNING task_id`,
);

/** Inputs: id, words. */
const setProblem = statement('relay_set_aside', () => 'UPDATE relay SET problem = $2 WHERE task_id = $1');

/** Input: limit. */
export const asideRows = statement<[taskId: string, at: number, task: string, problem: string]>(
  'relay_aside',
  () => 'SELECT task_id, at, task, problem FROM relay WHERE problem IS NOT NULL ORDER BY seq LIMIT $1',
);

/** Input: how far is counted. */
const counts = statement<[waiting: number, aside: number, oldestAt: number | null, now: number]>(
  'relay_counts',
  (
    dialect,
  ) => `SELECT (SELECT count(*) FROM (SELECT seq FROM relay WHERE problem IS NULL ORDER BY seq LIMIT $1) AS waiting),
    (SELECT count(*) FROM (SELECT seq FROM relay WHERE problem IS NOT NULL ORDER BY seq LIMIT $1) AS aside),
    (SELECT at FROM relay WHERE problem IS NULL ORDER BY seq LIMIT 1), ${dialect.clock('$2')}`,
);

/**
 * Stores tasks in the transaction of a user's. Whether the broker will take them is known when they are pushed; what can be said
 * before is said here. Throws BATCH_TOO_LARGE, INVALID_OPTION.
 */
export async function storeRows(tx: SqlTransaction, tasks: readonly NewTask[]): Promise<readonly EnqueueResult[]> {
  if (tasks.length > limits.batchMax)
    throw taskFlowError('BATCH_TOO_LARGE', { max: `${limits.batchMax} tasks`, actual: tasks.length });
  for (const task of tasks) checkLimitRules(task.limits);
  const now = await tx.wallMs();
  const isNew = await tx.each(
    insertRows,
    tasks.map((task) => [task.id, now, JSON.stringify(task)]),
  );
  const before = tasks.filter((_task, index) => isNew[index] !== true);
  const known = new Map(
    before.length === 0 ? [] : (await tx.query(rowsById, idsOf(before))).map(([taskId, , text]) => [taskId, text]),
  );
  return tasks.map((task, index): EnqueueResult => {
    const { id, at, delayMs } = task;
    const state = (at ?? now + delayMs) > now ? 'scheduled' : 'queued';
    if (isNew[index] === true) return { outcome: 'created', taskId: id, state };
    const isSame = sameCall(task, known.get(id));
    return isSame ? { outcome: 'existing', taskId: id, state } : { outcome: 'conflict', taskId: id, of: id };
  });
}

/** As the seam tells a repetition from another task with the same id. */
function sameCall(task: NewTask, text: string | undefined): boolean {
  const other = text === undefined ? null : readTask({ taskId: task.id, text });
  return other !== null && other.name === task.name && other.payload === task.payload && other.key === task.key;
}

/**
 * The oldest rows that fit into one call: of payloads, too, since each row is larger than its own. `isCut` when there may be
 * more.
 */
export async function readPage(
  driver: SqlDriver,
): Promise<{ readonly rows: readonly WaitingRow[]; readonly isCut: boolean }> {
  const sizes = await driver.readOne(waitingSizes, limits.batchMax);
  let [count, bytes] = [0, 0];
  for (const [, size] of sizes) {
    bytes += size;
    if (count > 0 && bytes > limits.batchBytesMax) break;
    count += 1;
  }
  const last = sizes[count - 1];
  if (last === undefined) return { rows: [], isCut: false };
  const rows = await driver.readOne(waitingRows, last[0], count);
  return {
    rows: rows.map(([taskId, at, text]) => ({ taskId, at, text })),
    isCut: count < sizes.length || sizes.length === limits.batchMax,
  };
}

/** Those of the ids that lie aside, by age. */
export async function readAside(driver: SqlDriver, taskIds: readonly string[]): Promise<readonly WaitingRow[]> {
  const rows = await driver.readOne(rowsById, JSON.stringify(taskIds));
  return rows.filter(([, , , problem]) => problem !== null).map(([taskId, at, text]) => ({ taskId, at, text }));
}

/** The task in a row; `null` when there is none in it. */
export function readTask({ taskId, text }: Pick<WaitingRow, 'taskId' | 'text'>): NewTask | null {
  try {
    const task = JSON.parse(text) as NewTask | null;
    return task?.id === taskId && typeof task.name === 'string' ? task : null;
  } catch {
    return null; // Whoever reads it says so.
  }
}

export async function isWaiting(driver: SqlDriver, taskIds: readonly string[]): Promise<boolean> {
  return taskIds.length > 0 && (await driver.readOne(someWaiting, JSON.stringify(taskIds))).length > 0;
}

/** Those the record knows: they were pushed, however long ago the broker has forgotten them. */
export async function recordedOf(driver: SqlDriver, taskIds: readonly string[]): Promise<ReadonlySet<string>> {
  return new Set((await driver.readOne(recordedTasks, JSON.stringify(taskIds))).map(([id]) => id));
}

export async function forgetRows(driver: SqlDriver, taskIds: readonly string[]): Promise<void> {
  if (taskIds.length > 0) await driver.writeOne(deleteRows, JSON.stringify(taskIds));
}

export async function dropAside(driver: SqlDriver, taskIds: readonly string[]): Promise<readonly boolean[]> {
  const dropped = new Set((await driver.writeOne(deleteAside, JSON.stringify(taskIds))).map(([id]) => id));
  return taskIds.map((taskId) => dropped.has(taskId));
}

export async function putAside(driver: SqlDriver, taskId: string, problem: string): Promise<void> {
  await driver.writeOne(setProblem, taskId, problem.slice(0, limits.errorMessageMax));
}

export async function listAside(driver: SqlDriver, limit: number): Promise<readonly SetAsideTask[]> {
  const rows = await driver.readOne(asideRows, Math.min(limit, limits.pageMax));
  return rows.map(([taskId, at, text, problem]) => ({
    taskId,
    name: readTask({ taskId, text })?.name ?? null,
    at,
    problem,
  }));
}

export async function readStatus(driver: SqlDriver): Promise<RelayStatus> {
  const [row] = await driver.readOne(counts, limits.relayAsideMax, driver.ownMs());
  const [waiting, setAside, oldestAt, now] = row ?? [0, 0, null, 0];
  const lagMs = oldestAt === null ? 0 : Math.max(0, now - oldestAt);
  return { waiting, setAside, lagMs };
}

function idsOf(tasks: readonly NewTask[]): string {
  return JSON.stringify(tasks.map(({ id }) => id));
}

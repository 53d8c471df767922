/** The rows of a record: reads what it has of the tasks of a batch, and writes them with all that belongs to them. */

import type { TaskBody } from '../../broker/broker.ts';
import { insertAttempts, insertLogs } from '../../broker/sql/attempts.ts';
import { eachStatement, manyStatement, type SqlRow, type SqlTransaction, statement } from '../../broker/sql/driver.ts';
import { insertEdges } from '../../broker/sql/edges.ts';
import { insertMembers } from '../../broker/sql/flows.ts';
import { erase } from '../../broker/sql/remove.ts';
import { decodeOptions, encodeJson, idList } from '../../broker/sql/rows.ts';
import { createStep } from '../../broker/sql/step.ts';
import { wholeColumns } from '../../broker/sql/whole-row.ts';
import { limits } from '../../core/limits.ts';
import type { Reason, TaskState } from '../../core/states.ts';
import { addFresh, createFreshRows, type FreshRows, insertFresh, insertInto, recordedRow } from './fresh-rows.ts';
import type { Ended, Recorded, Written } from './lives.ts';

/** Input: list of ids. Whoever asks holds the cursor, so that nobody changes the rows meanwhile. */
const recordedTasks = statement<
  [
    id: string,
    queue: string,
    name: string,
    state: TaskState,
    reason: Reason | null,
    attempt: number,
    version: number,
    createdAt: number,
    dueAt: number,
    claimedAt: number | null,
    startedAt: number | null,
    finishedAt: number | null,
    options: string | null,
  ]
>(
  'recorded_tasks',
  (dialect) =>
    `SELECT id, queue, name, state, reason, attempt, version, created_at, due_at, claimed_at, started_at, finished_at, options
    FROM tasks WHERE id ${dialect.oneOf('$1')}`,
);

export async function readRecorded(
  tx: SqlTransaction,
  taskIds: readonly string[],
): Promise<ReadonlyMap<string, Recorded>> {
  const recorded = new Map<string, Recorded>();
  // Asked together: over a network that is one round trip.
  const asked = [...parts(taskIds)].map((part) => tx.query(recordedTasks, idList(part)));
  for (const rows of await Promise.all(asked)) {
    for (const row of rows) {
      const [id, queue, name, state, reason, attempt, version, createdAt, ...rest] = row;
      const [dueAt, claimedAt, startedAt, finishedAt, options] = rest;
      const times = { createdAt, dueAt, claimedAt, startedAt, finishedAt };
      recorded.set(id, {
        id,
        queue,
        name,
        state,
        reason,
        attempt,
        version,
        ...times,
        flowId: decodeOptions(options).flowId,
      });
    }
  }
  return recorded;
}

const columns = Object.keys(wholeColumns);

/** Of tasks with an older row of the same life. Locks: the rows, which are those of whoever holds the cursor. */
const replaceTasks = manyStatement(
  'record_again',
  {},
  wholeColumns,
  (value, from, dialect) => `${insertInto(value, from, dialect)} WHERE true
    ON CONFLICT (id) DO UPDATE SET ${columns
      .filter((name) => name !== 'id')
      .map((name) => `${name} = excluded.${name}`)
      .join(', ')}`,
);

/** Takes tasks out with all that belongs to them. */
export async function eraseRecorded(tx: SqlTransaction, rows: readonly Recorded[]): Promise<void> {
  if (rows.length === 0) return;
  await erase(createStep(tx, 0), rows);
}

/** Kept as long as the store itself would keep it. */
const endTasks = eachStatement(
  'record_ends',
  { state: 'text', reason: 'text', attempt: 'bigint', version: 'bigint', at: 'bigint', until: 'bigint', id: 'text' },
  (
    value,
    from,
    dialect,
  ) => `UPDATE tasks SET state = ${value.state}, reason = ${value.reason}, attempt = ${value.attempt}, version = ${value.version},
      finished_at = ${value.at}, prune_at = ${value.until} + keep_ms, lease_until = NULL, token = NULL ${from} WHERE id ${dialect.keyed(value.id)}`,
);

export async function endRecorded(tx: SqlTransaction, ended: readonly Ended[]): Promise<void> {
  if (ended.length === 0) return;
  await tx.each(
    endTasks,
    ended.map(({ before, to, reason, attempt, version, at }) => [to, reason, attempt, version, at, at, before.id]),
  );
}

/** What there is beside the rows that are written over. */
export interface Beside {
  /** `task epoch` of its attempts, and how many lines each run has. */
  readonly attempts: ReadonlySet<string>;
  readonly lines: ReadonlyMap<string, number>;
}

/** Input: list of ids. */
const recordedAttempts = statement<[taskId: string, epoch: number]>(
  'recorded_attempts',
  (dialect) => `SELECT task_id, epoch FROM attempts WHERE task_id ${dialect.oneOf('$1')}`,
);
const recordedLines = statement<[taskId: string, epoch: number, lines: number]>(
  'recorded_lines',
  (dialect) => `SELECT task_id, epoch, count(*) FROM logs WHERE task_id ${dialect.oneOf('$1')} GROUP BY task_id, epoch`,
);

export async function readBeside(tx: SqlTransaction, written: readonly Written[]): Promise<Beside> {
  const attempts = new Set<string>();
  const lines = new Map<string, number>();
  const known = written.filter(({ before }) => before !== null);
  const idsOf = (wanted: (body: TaskBody) => boolean): readonly string[] =>
    known.filter(({ body }) => wanted(body)).map(({ body }) => body.task.id);
  for (const taskIds of parts(idsOf((body) => body.attempts.length > 0)))
    for (const [taskId, epoch] of await tx.query(recordedAttempts, idList(taskIds))) attempts.add(`${taskId} ${epoch}`);
  for (const taskIds of parts(idsOf((body) => body.logs.length > 0)))
    for (const [taskId, epoch, count] of await tx.query(recordedLines, idList(taskIds)))
      lines.set(`${taskId} ${epoch}`, count);
  return { attempts, lines };
}

function* parts(taskIds: readonly string[]): Generator<readonly string[]> {
  for (let begin = 0; begin < taskIds.length; begin += limits.batchMax)
    yield taskIds.slice(begin, begin + limits.batchMax);
}

const deleteLogs = statement('unrecord_logs', (dialect) => `DELETE FROM logs WHERE task_id ${dialect.oneOf('$1')}`);

/** Rows of one part of a batch, made before anything of it is sent. */
export interface PartRows {
  readonly fresh: FreshRows;
  readonly replaced: SqlRow[];
  readonly attempts: SqlRow[];
  readonly logs: SqlRow[];
  /** Tasks of which all lines are written again. */
  readonly relogged: string[];
  readonly edges: SqlRow[];
  readonly members: SqlRow[];
}

export function createPartRows(): PartRows {
  return {
    fresh: createFreshRows(),
    replaced: [],
    attempts: [],
    logs: [],
    relogged: [],
    edges: [],
    members: [],
  };
}

/** Adds the rows of one task. Throws what its making throws, and has added nothing then. */
export function addRows(rows: PartRows, written: Written, beside: Beside): void {
  const { body, before } = written;
  const { task } = body;
  const row = before === null ? null : recordedRow(task);
  const attempts = body.attempts.length === 0 ? noRows : attemptRows(written, beside);
  if (row === null) addFresh(rows.fresh, task);
  else rows.replaced.push(row);
  rows.attempts.push(...attempts);
  addLogs(rows, written, beside);
  // As if they were done: then they go with either end, and are read by the prune alone.
  for (const { taskId, onFailure } of task.dependsOn) rows.edges.push([taskId, task.id, 'done', onFailure]);
  if (task.flowId !== null && before === null) rows.members.push([task.flowId, task.id]);
}

const noRows: readonly SqlRow[] = [];

function attemptRows({ body: { task, attempts }, before }: Written, beside: Beside): readonly SqlRow[] {
  return attempts
    .filter(({ epoch }) => before === null || !beside.attempts.has(`${task.id} ${epoch}`))
    .map(({ epoch, attempt, workerId, claimedAt, startedAt, endedAt, to, reason, error }): SqlRow => {
      return [task.id, epoch, attempt, workerId, claimedAt, startedAt, endedAt, to, reason, encodeJson(error)];
    });
}

/**
 * The lines of a run only ever grow, so those behind as many as are there already are new. Of a task with as many lines as are
 * kept the first may be missing: then all are written again.
 */
function addLogs(rows: PartRows, { body, before }: Written, { lines }: Beside): void {
  if (body.logs.length === 0) return;
  const { id } = body.task;
  const isCut = before !== null && body.logs.length >= limits.logLinesMax;
  if (isCut) rows.relogged.push(id);
  const seen = new Map<number, number>();
  for (const { epoch, at, level, message, fields } of body.logs) {
    const count = (seen.get(epoch) ?? 0) + 1;
    seen.set(epoch, count);
    if (before !== null && !isCut && count <= (lines.get(`${id} ${epoch}`) ?? 0)) continue;
    rows.logs.push([id, epoch, at, level, message, fields]);
  }
}

/** Sends everything without waiting between: it is stored in this order. */
export function writeRows(tx: SqlTransaction, rows: PartRows): readonly Promise<unknown>[] {
  const sent: Promise<unknown>[] = [];
  sent.push(...insertFresh(tx, rows.fresh));
  if (rows.replaced.length > 0) sent.push(tx.many(replaceTasks, [], rows.replaced));
  if (rows.attempts.length > 0) sent.push(tx.each(insertAttempts, rows.attempts));
  if (rows.relogged.length > 0) sent.push(tx.query(deleteLogs, idList(rows.relogged)));
  if (rows.logs.length > 0) sent.push(tx.each(insertLogs, rows.logs));
  if (rows.edges.length > 0) sent.push(tx.each(insertEdges, rows.edges));
  if (rows.members.length > 0) sent.push(tx.each(insertMembers, rows.members));
  return sent;
}

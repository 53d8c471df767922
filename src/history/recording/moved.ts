/** Tasks that were handed on: what changed of them is written, and nothing of them is read. */

import type { TaskBody } from '../../broker/broker.ts';
import { type Columns, manyStatement, type SqlRow, type SqlTransaction, statement } from '../../broker/sql/driver.ts';
import { idList } from '../../broker/sql/rows.ts';
import { limits } from '../../core/limits.ts';
import { isFinished } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import type { Moved } from './lives.ts';
import { deleteClaims, deleteUnfinished, insertClaims, placeholder } from './rows.ts';
import type { Tellings, Told } from './told.ts';

/** What is the same of all tasks of a crowd. */
const changed = {
  state: 'text',
  reason: 'text',
  version: 'bigint',
  epoch: 'bigint',
  attempt: 'bigint',
  crashes: 'bigint',
  interruptions: 'bigint',
  snoozes: 'bigint',
  claimed_at: 'bigint',
  started_at: 'bigint',
  finished_at: 'bigint',
  prune_at: 'bigint',
  lease_until: 'bigint',
  token: 'text',
  worker_id: 'text',
} as const satisfies Columns;

const names = Object.keys(changed);

/** Nobody but who holds the cursor changes a row: one of that version that has not ended stands as the events told before. */
const stands = (version: string): string => `version = ${version} AND finished_at IS NULL`;

/** Inputs: what is changed, the result, list of ids, version before. */
const moveAll = statement('record_moves', ({ orRollback, oneOf }) => {
  const set = [...names, 'result'].map((name, index) => `${name} = $${index + 1}`).join(', ');
  return `UPDATE ${orRollback}tasks SET ${set}, start_by = NULL, progress = NULL, checkpoints = NULL
    WHERE id ${oneOf(`$${names.length + 2}`)} AND ${stands(`$${names.length + 3}`)}`;
});
/** The same where each has a result of its own. */
const moveEach = manyStatement(
  'record_results',
  changed,
  { id: 'text', result: 'text', before: 'bigint' },
  (value, from, { orRollback }) => {
    const values: Readonly<Record<string, string>> = value;
    const set = names.map((name) => `${name} = ${values[name]}`).join(', ');
    return `UPDATE ${orRollback}tasks SET ${set}, result = ${value.result}, start_by = NULL, progress = NULL, checkpoints = NULL
      ${from} WHERE id = ${value.id} AND ${stands(value.before)}`;
  },
);

/** Tasks of which the same is written, but for their results. */
export interface Crowd {
  readonly first: Task;
  readonly told: Told;
  readonly taskIds: string[];
  readonly results: (string | null)[];
  hasOneResult: boolean;
  bytes: number;
}

/** `told` of each: see {@link isMovedOn}. Each crowd is no more than one statement should carry. */
export function crowdsOf(bodies: readonly TaskBody[], told: Tellings): readonly Crowd[] {
  const crowds: Crowd[] = [];
  const open = new Map<string, Crowd>();
  let last: Crowd | undefined;
  for (const { task } of bodies) {
    const of = told.get(task.id);
    if (of === undefined) throw new Error('Invariant broken: a task was handed on of which nothing is told');
    if (last === undefined || last.told !== of || !isAlike(last.first, task)) last = open.get(keyOf(task, of));
    if (last === undefined || last.taskIds.length >= limits.batchMax || last.bytes >= limits.batchBytesMax) {
      last = { first: task, told: of, taskIds: [], results: [], hasOneResult: true, bytes: 0 };
      crowds.push(last);
      open.set(keyOf(task, of), last);
    }
    last.taskIds.push(task.id);
    last.results.push(task.result);
    last.hasOneResult &&= task.result === last.first.result;
    last.bytes += task.result?.length ?? 0;
  }
  return crowds;
}

/** Neighbours mostly are, and are not asked for a key. */
function isAlike(left: Task, right: Task): boolean {
  return (
    left.version === right.version &&
    left.finishedAt === right.finishedAt &&
    left.claimedAt === right.claimedAt &&
    left.queue === right.queue &&
    left.name === right.name &&
    left.state === right.state &&
    left.reason === right.reason &&
    left.epoch === right.epoch &&
    left.attempt === right.attempt &&
    left.crashes === right.crashes &&
    left.interruptions === right.interruptions &&
    left.snoozes === right.snoozes &&
    left.startedAt === right.startedAt &&
    left.pruneAt === right.pruneAt &&
    left.leaseUntil === right.leaseUntil &&
    left.workerId === right.workerId
  );
}

function keyOf(task: Task, { from, before, attempt }: Told): string {
  return [task.queue, task.name, from, before, attempt, ...valuesOf(task)].join('\0');
}

/** In the order of `changed`. */
function valuesOf(task: Task): SqlRow {
  return [
    task.state,
    task.reason,
    task.version,
    task.epoch,
    task.attempt,
    task.crashes,
    task.interruptions,
    task.snoozes,
    task.claimedAt,
    task.startedAt,
    task.finishedAt,
    task.pruneAt,
    task.leaseUntil,
    task.state === 'running' ? placeholder : null,
    task.workerId,
  ];
}

/** Some row is not as the events say: the batch is stored with a look at each, see {@link recordBatch}. */
export const unexpected = new Error('A row is not where its events have left it');

/** What stores a crowd; one of them fails with {@link unexpected} when not all of its rows are as they are told. */
export function moveRows(tx: SqlTransaction, crowd: Crowd): readonly Promise<unknown>[] {
  const { first, told, taskIds } = crowd;
  const sent: Promise<unknown>[] = [moveTasks(tx, crowd)];
  const isRunning = first.state === 'running';
  if (told.from === 'running' && !isRunning) sent.push(tx.query(deleteClaims, idList(taskIds)));
  if (isRunning)
    sent.push(
      tx.each(
        insertClaims,
        taskIds.map((id) => [id, first.workerId ?? '', idList([id])]),
      ),
    );
  if (isFinished(first.state)) sent.push(tx.query(deleteUnfinished, idList(taskIds)));
  return sent;
}

async function moveTasks(tx: SqlTransaction, { first, told, taskIds, results, hasOneResult }: Crowd): Promise<void> {
  const values = valuesOf(first);
  if (hasOneResult) {
    const moved = await tx.change(moveAll, ...values, first.result, idList(taskIds), told.before);
    if (moved !== taskIds.length) throw unexpected;
    return;
  }
  const rows = taskIds.map((id, place): SqlRow => [id, results[place] ?? null, told.before]);
  const { count } = await tx.many(moveEach, values, rows);
  if (count !== rows.length) throw unexpected;
}

/** What it changes in the counts. */
export function movedOf({ first, told: { from, attempt }, taskIds }: Crowd): Moved {
  const { queue, name } = first;
  if (from === null) throw new Error('Invariant broken: a task was handed on from nowhere');
  return { before: { queue, name, state: from, reason: null, attempt }, after: first, tasks: taskIds.length };
}

/** Tasks that were handed on: what changed of them is written, and nothing of them is read. */

import type { TaskBody } from '../../broker/broker.ts';
import { type Columns, manyStatement, type SqlRow, type SqlTransaction, statement } from '../../broker/sql/driver.ts';
import { idList } from '../../broker/sql/rows.ts';
import { limits } from '../../core/limits.ts';
import type { Standing } from '../../core/standing.ts';
import { isHandedOn, type Tellings, type Told } from '../../core/tellings.ts';
import type { HandedOn } from '../recording.ts';
import { placeholder } from './fresh-rows.ts';
import type { Moved } from './lives.ts';

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
  (value, from, { orRollback, keyed }) => {
    const values: Readonly<Record<string, string>> = value;
    const set = names.map((name) => `${name} = ${values[name]}`).join(', ');
    return `UPDATE ${orRollback}tasks SET ${set}, result = ${value.result}, start_by = NULL, progress = NULL, checkpoints = NULL
      ${from} WHERE id ${keyed(value.id)} AND ${stands(value.before)}`;
  },
);

/** Tasks of which the same is written, but for their results. */
export interface Crowd {
  readonly first: Standing;
  readonly result: string | null;
  readonly told: Told;
  readonly taskIds: string[];
  readonly results: (string | null)[];
  hasOneResult: boolean;
  bytes: number;
}

/** `told` of each: see {@link isHandedOn}. Each crowd is no more than one statement should carry. */
export function crowdsOf(tasks: readonly HandedOn[], told: Tellings): readonly Crowd[] {
  const crowds: Crowd[] = [];
  const open = new Map<string, Crowd>();
  let last: Crowd | undefined;
  for (const { taskId, standing, result } of tasks) {
    const of = told.get(taskId);
    if (of === undefined) throw new Error('Invariant broken: a task was handed on of which nothing is told');
    if (last === undefined || last.told !== of || !isAlike(last.first, standing)) last = open.get(keyOf(standing, of));
    if (last === undefined || last.taskIds.length >= limits.batchMax || last.bytes >= limits.batchBytesMax) {
      last = { first: standing, result, told: of, taskIds: [], results: [], hasOneResult: true, bytes: 0 };
      crowds.push(last);
      open.set(keyOf(standing, of), last);
    }
    last.taskIds.push(taskId);
    last.results.push(result);
    last.hasOneResult &&= result === last.result;
    last.bytes += result?.length ?? 0;
  }
  return crowds;
}

/** Whether all that changed of a task is what its steps change: it has left nothing beside its row on its way. */
export function isMovedOn({ task, attempts, logs }: TaskBody, told: Told): boolean {
  return (
    isHandedOn(task, told) &&
    attempts.length === 0 &&
    logs.length === 0 &&
    task.startBy === null &&
    task.progress === null &&
    task.error === null &&
    task.checkpoints.length === 0
  );
}

/** Neighbours mostly are, and are not asked for a key. */
function isAlike(left: Standing, right: Standing): boolean {
  if (left === right) return true;
  return (
    left.version === right.version &&
    left.finishedAt === right.finishedAt &&
    left.claimedAt === right.claimedAt &&
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

function keyOf(standing: Standing, { queue, name, from, before, attempt }: Told): string {
  return [queue, name, from, before, attempt, ...valuesOf(standing)].join('\0');
}

/** In the order of `changed`. */
function valuesOf(task: Standing): SqlRow {
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

/** Stores a crowd. Throws {@link unexpected} when not all of its rows are as they are told. */
export async function moveRows(tx: SqlTransaction, { first, told, taskIds, ...crowd }: Crowd): Promise<void> {
  const { results, hasOneResult } = crowd;
  const values = valuesOf(first);
  if (hasOneResult) {
    const moved = await tx.change(moveAll, ...values, crowd.result, idList(taskIds), told.before);
    if (moved !== taskIds.length) throw unexpected;
    return;
  }
  const rows = taskIds.map((id, place): SqlRow => [id, results[place] ?? null, told.before]);
  const { count } = await tx.many(moveEach, values, rows);
  if (count !== rows.length) throw unexpected;
}

/** What it changes in the counts. */
export function movedOf({ first, told, taskIds }: Crowd): Moved {
  const { queue, name, from, attempt } = told;
  if (from === null) throw new Error('Invariant broken: a task was handed on from nowhere');
  return {
    before: { queue, name, state: from, reason: null, attempt },
    after: { queue, name, state: first.state, reason: first.reason, attempt: first.attempt },
    tasks: taskIds.length,
  };
}

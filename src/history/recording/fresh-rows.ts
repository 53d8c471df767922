/** Rows of tasks that have none yet. Those that came, or went on, together are mostly alike: what they share is told once. */

import {
  type Columns,
  type Dialect,
  manyStatement,
  type SqlRow,
  type SqlTransaction,
} from '../../broker/sql/driver.ts';
import { encodeOptions } from '../../broker/sql/rows.ts';
import { wholeColumns, wholeRow } from '../../broker/sql/whole-row.ts';
import type { Task } from '../../core/task.ts';

/** What stands for the token of a run: nobody can have it, and who ran the task has no right to report here. */
export const placeholder = 'recorded';

/** As it is recorded. Nobody looks when to check it. */
export function recordedRow(task: Task): SqlRow {
  return wholeRow(task, task.state === 'running' ? placeholder : null, null);
}

/** Tasks that differ only in what is nearly always a task's own. */
interface Crowd {
  readonly first: Task;
  readonly rows: SqlRow[];
  readonly tasks: Task[];
}

export interface FreshRows {
  readonly crowds: Crowd[];
  /** The one that the last task was of. */
  last: Crowd | null;
  readonly others: SqlRow[];
}

export function createFreshRows(): FreshRows {
  return { crowds: [], last: null, others: [] };
}

/** More sorts than that are not looked for, and fewer tasks than that are not worth a statement of their own. */
const crowdsMax = 8;
const alikeMin = 10;

/** Throws what the making of its row throws, and has added nothing then. */
export function addFresh(fresh: FreshRows, task: Task): void {
  const { crowds, others } = fresh;
  if (fresh.last === null || !isAlike(fresh.last.first, task))
    fresh.last = crowds.find(({ first }) => isAlike(first, task)) ?? null;
  if (fresh.last === null) {
    const row = recordedRow(task);
    if (!isPlain(task) || crowds.length === crowdsMax) {
      others.push(row);
      return;
    }
    fresh.last = { first: task, rows: [], tasks: [] };
    crowds.push(fresh.last);
  }
  fresh.last.rows.push(ownRow(task));
  fresh.last.tasks.push(task);
}

export function insertFresh(tx: SqlTransaction, { crowds, others }: FreshRows): readonly Promise<unknown>[] {
  const sent: Promise<unknown>[] = [];
  const rest = [...others];
  for (const { first, rows, tasks } of crowds) {
    if (rows.length < alikeMin) rest.push(...tasks.map(recordedRow));
    else sent.push(tx.many(insertAlike, pick(recordedRow(first), sharedPlaces), rows));
  }
  if (rest.length > 0) sent.push(tx.many(insertTasks, [], rest));
  return sent;
}

/** What its runs have left in its row is its own. */
function isPlain({ progress, error, checkpoints }: Task): boolean {
  return progress === null && error === null && checkpoints.length === 0;
}

/** In all but what {@link ownRow} tells. A test compares the two with {@link recordedRow}. */
function isAlike(left: Task, right: Task): boolean {
  return (
    left.state === right.state &&
    left.policy === right.policy &&
    left.version === right.version &&
    left.queue === right.queue &&
    left.name === right.name &&
    left.workerId === right.workerId &&
    left.priority === right.priority &&
    left.reason === right.reason &&
    left.epoch === right.epoch &&
    left.attempt === right.attempt &&
    left.generation === right.generation &&
    left.crashes === right.crashes &&
    left.interruptions === right.interruptions &&
    left.snoozes === right.snoozes &&
    left.leaseUntil === right.leaseUntil &&
    left.startBy === right.startBy &&
    left.expiresAt === right.expiresAt &&
    left.timeoutMs === right.timeoutMs &&
    left.keepMs === right.keepMs &&
    left.cancelRequestedAt === right.cancelRequestedAt &&
    left.cancelReason === right.cancelReason &&
    left.schemaVersion === right.schemaVersion &&
    isPlain(right)
  );
}

const own: ReadonlySet<string> = new Set(
  'id due_at created_at claimed_at started_at finished_at prune_at key grp options result payload'.split(' '),
);

/** In the order of `own`, which is that of the columns. */
function ownRow(task: Task): SqlRow {
  return [
    task.id,
    task.dueAt,
    task.createdAt,
    task.claimedAt,
    task.startedAt,
    task.finishedAt,
    task.pruneAt,
    task.key,
    task.group,
    encodeOptions(task),
    task.result,
    task.payload,
  ];
}

const columns = Object.keys(wholeColumns);
const ownColumns = columnsWhere((name) => own.has(name));
const sharedColumns = columnsWhere((name) => !own.has(name));
const sharedPlaces = columns.flatMap((name, place) => (own.has(name) ? [] : [place]));

function columnsWhere(isWanted: (name: string) => boolean): Columns {
  return Object.fromEntries(Object.entries(wholeColumns).filter(([name]) => isWanted(name)));
}

function pick(row: SqlRow, places: readonly number[]): SqlRow {
  return places.map((place) => row[place] ?? null);
}

export function insertInto(value: Readonly<Record<string, string>>, from: string, { orRollback }: Dialect): string {
  return `INSERT ${orRollback}INTO tasks (${columns.join(', ')}) SELECT ${columns.map((name) => value[name]).join(', ')} ${from}`;
}

/** Of tasks that have no row. Apart from the others: being ready for a row that is there costs Postgres a tenth of an insert. */
const insertTasks = manyStatement('record_tasks', {}, wholeColumns, insertInto);
/** Three quarters of the values are told once for all of them. */
const insertAlike = manyStatement('record_alike', sharedColumns, ownColumns, insertInto);

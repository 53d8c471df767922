/** inspect: why tasks wait, from one look at the tasks and one at what surrounds all of them. */

import type { EdgeState } from '../../core/dependencies.ts';
import type { Facts, LimitFact, ParentFact, RelativeFact, TurnFact, WorkerFact } from '../../core/facts.ts';
import { inForce, queueRule, tokenAt } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import type { Definition, Presence } from '../../core/presence.ts';
import type { TaskState } from '../../core/states.ts';
import type { LimitRule, Task } from '../../core/task.ts';
import { type SqlTransaction, statement } from './driver.ts';
import { type FactRow, type Found, readFactRows } from './facts-rows.ts';
import { pauseOfRow } from './limits.ts';
import type { ReadClock } from './looks.ts';
import { refuseLargeBatch } from './refuse.ts';
import { idList, type TaskRow, taskColumns, toTask } from './rows.ts';

/** Inputs: list of ids, the clock as this process knows it. */
const inspectedTasks = statement<[...TaskRow, lastAt: number | null, wallMs: number]>(
  'inspected_tasks',
  (
    dialect,
  ) => `SELECT ${taskColumns}, (SELECT at FROM events ORDER BY seq DESC LIMIT 1), ${dialect.clock('$2')} FROM tasks
    WHERE id ${dialect.oneOf('$1')}`,
);

/** In the order of the ids; `null` for one that is not there. */
export async function inspect(
  tx: SqlTransaction,
  taskIds: readonly string[],
  clock: ReadClock,
): Promise<readonly (Facts | null)[]> {
  refuseLargeBatch(taskIds);
  const rows = await tx.query(inspectedTasks, idList(taskIds), tx.ownMs());
  const [first] = rows;
  if (first === undefined) return taskIds.map(() => null);
  const [lastAt, wallMs] = first.slice(-2) as [number | null, number];
  const now = clock(lastAt, wallMs);
  const tasks = rows.map((row) => toTask(row.slice(0, -2) as unknown as TaskRow));
  const rules = tasks.flatMap((task) => [...task.limits.map(({ name }) => name), queueRule(task.queue).name]);
  const ids = tasks.map(({ id }) => id);
  const found = await readFactRows(tx, ids, rules, now - limits.presenceMs);
  const facts = new Map(tasks.map((task) => [task.id, factsOf(found, task, now)]));
  return taskIds.map((taskId) => facts.get(taskId) ?? null);
}

function factsOf(found: Found, task: Task, now: number): Facts {
  const ofQueue = queueRule(task.queue);
  const [queue] = found('queue', task.queue);
  const queueLimit = queue?.[6] === 1 ? limitFact(found, ofQueue, now) : null;
  return {
    now,
    task,
    pause: queue === undefined ? null : pauseOfRow(queue[5], queue[3], queue[4]),
    ahead: Math.min(limits.aheadMax, sumOf(found('ahead', task.id))),
    ...relatives(found, task),
    limits: task.limits.map((rule) => limitFact(found, rule, now)),
    queueLimit: queueLimit && { ...queueLimit, name: task.queue },
    turn: turnFact(found, task),
    workers: found('worker', null).flatMap((row) => workerFact(row, task.name)),
  };
}

function sumOf(rows: readonly FactRow[]): number {
  return rows.reduce((sum, [, , , , , count]) => sum + (count ?? 0), 0);
}

/** Servers that claim nothing are no workers. */
function workerFact(
  [, , , presence, definitions]: FactRow,
  taskName: string,
): readonly (WorkerFact & { workerId: string })[] {
  const record = JSON.parse(presence ?? '{}') as Omit<Presence, 'definitions'>;
  const queues = Object.keys(record.queues);
  if (queues.length === 0) return [];
  const { workerId, name, concurrency, running, state, taskNames } = record;
  const known = JSON.parse(definitions ?? '[]') as readonly Definition[];
  const schemaVersion = known.find((definition) => definition.name === taskName)?.schemaVersion ?? null;
  return [{ workerId, name, concurrency, running, state, taskNames, queues, schemaVersion }];
}

/** What holds one rule back now. */
function limitFact(found: Found, rule: LimitRule, now: number): LimitFact {
  const { name } = rule;
  const [row] = found('limit', name);
  const [max = null, count = null, perMs = null, tatUs = 0, pausedAt = null] =
    (row?.slice(5) as (number | null)[] | undefined) ?? [];
  const settings = { max, rate: count === null || perMs === null ? null : { count, perMs } };
  const force = inForce(rule, settings);
  const at = force.rate === null ? 0 : tokenAt(tatUs ?? 0, force.rate);
  return {
    name,
    pause: pauseOfRow(pausedAt, row?.[3] ?? null, row?.[4] ?? null),
    max: force.max,
    holders: found('holder', name)
      .map(([, , taskId, workerId, , sinceAt]) => ({ taskId: taskId ?? '', workerId, sinceAt: sinceAt ?? 0 }))
      .sort(byId),
    held: sumOf(found('held', name)),
    tokenAt: at > now ? at : null,
  };
}

/** As far as people are told. */
function relatives(found: Found, task: Task): Pick<Facts, 'parents' | 'parentsLeft' | 'children'> {
  const children = found('child', task.id).map(relativeOf).sort(byId);
  if (task.dependsOn.length === 0) return { parents: [], parentsLeft: 0, children };
  return { parents: parentFacts(found, task), parentsLeft: sumOf(found('left', task.id)), children };
}

function parentFacts(found: Found, task: Task): readonly ParentFact[] {
  const of = (edge: EdgeState): ParentFact[] => found(edge, task.id).map((row) => ({ ...relativeOf(row), edge }));
  const held = [...of('open'), ...of('failed')];
  const rest = of('done');
  // A parent that was removed may have left no edge: it holds nothing back.
  const known = new Set([...held, ...rest].map(({ taskId }) => taskId));
  for (const { taskId } of task.dependsOn) {
    if (!known.has(taskId) && known.size < limits.relativesMax)
      rest.push({ taskId, name: null, state: null, edge: 'done' });
  }
  return [...held.sort(byId), ...rest.sort(byId)].slice(0, limits.relativesMax);
}

function relativeOf([, , taskId, name, state]: FactRow): RelativeFact {
  return { taskId: taskId ?? '', name, state: state as TaskState | null };
}

function byId(left: { readonly taskId: string }, right: { readonly taskId: string }): number {
  return left.taskId < right.taskId ? -1 : 1;
}

/** Whose turn it is in the queue, as far as it holds the task back. */
function turnFact(found: Found, { queue, group, state }: Task): TurnFact {
  const [row] = group === null ? [] : found('group', group);
  const pause = row === undefined ? null : pauseOfRow(row[5], row[3], row[4]);
  const fact = { group, weight: row?.[6] ?? 1, pause, ahead: 0, first: null };
  const own = found('own', queue).find(([, , name]) => name === group);
  if (state !== 'queued' || pause !== null || own === undefined) return fact;
  const [, , , leader, , turn, since, leaders, leaderTurn, leaderSince] = own;
  const [plain] = group === null ? [] : found('plain', queue);
  // The tasks without a group stand beside the table.
  const stand = [plain?.[5] ?? 0, plain?.[6] ?? 0] as const;
  const isPlainBefore = plain !== undefined && comesFirst(stand, [turn ?? 0, since ?? 0]);
  const isPlainFirst = isPlainBefore && (leader === null || comesFirst(stand, [leaderTurn ?? 0, leaderSince ?? 0]));
  return {
    ...fact,
    ahead: Math.min((leaders ?? 0) + (isPlainBefore ? 1 : 0), limits.aheadMax),
    first: isPlainFirst ? null : leader,
  };
}

/** The earlier turn, of equal turns the longer wait; of equal waits the tasks without a group. */
function comesFirst([turn, since]: readonly [number, number], [other, otherSince]: readonly [number, number]): boolean {
  return turn < other || (turn === other && since <= otherSince);
}

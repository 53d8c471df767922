/** inspect: why tasks wait, from one look at the tasks and one at what surrounds each of them. */

import type { EdgeState } from '../../core/dependencies.ts';
import type { Facts, LimitFact, ParentFact, RelativeFact, TurnFact, WorkerFact } from '../../core/facts.ts';
import { inForce, queueRule, tokenAt } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import type { Definition, Presence } from '../../core/presence.ts';
import type { TaskState } from '../../core/states.ts';
import type { LimitRule, Task } from '../../core/task.ts';
import { type SqlTransaction, statement } from './driver.ts';
import { type FactRow, readFactRows } from './facts-rows.ts';
import { pauseOfRow } from './limits.ts';
import type { ReadClock } from './looks.ts';
import { refuseLargeBatch } from './refuse.ts';
import { idList, type TaskRow, taskColumns, toTask } from './rows.ts';

type Found = ReadonlyMap<FactRow[0], readonly FactRow[]>;

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
  const known = new Map(rows.map((row) => [row[0], row]));
  const facts: (Facts | null)[] = [];
  for (const taskId of taskIds) {
    const row = known.get(taskId);
    facts.push(
      row === undefined ? null : await factsOf(tx, toTask(row.slice(0, -2) as unknown as TaskRow), timeOf(row)),
    );
  }
  return facts;

  function timeOf(row: readonly unknown[]): number {
    const [lastAt, wallMs] = row.slice(-2) as [number | null, number];
    return clock(lastAt, wallMs);
  }
}

async function factsOf(tx: SqlTransaction, task: Task, now: number): Promise<Facts> {
  const ofQueue = queueRule(task.queue);
  const names = [...task.limits.map(({ name }) => name), ofQueue.name];
  const found = await readFactRows(tx, task, names, now - limits.presenceMs);
  const [queue] = found.get('queue') ?? [];
  const queueLimit = queue?.[5] === 1 ? limitFact(found, ofQueue, now) : null;
  return {
    now,
    task,
    pause: queue === undefined ? null : pauseOfRow(queue[4], queue[2], queue[3]),
    ahead: Math.min(limits.aheadMax, sumOf(found.get('ahead'))),
    ...relatives(found, task),
    limits: task.limits.map((rule) => limitFact(found, rule, now)),
    queueLimit: queueLimit && { ...queueLimit, name: task.queue },
    turn: turnFact(found, task),
    workers: (found.get('worker') ?? []).flatMap((row) => workerFact(row, task.name)),
  };
}

function sumOf(rows: readonly FactRow[] = []): number {
  return rows.reduce((sum, [, , , , count]) => sum + (count ?? 0), 0);
}

/** Servers that claim nothing are no workers. */
function workerFact(
  [, , presence, definitions]: FactRow,
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
  const row = found.get('limit')?.find(([, known]) => known === name);
  const [max = null, count = null, perMs = null, tatUs = 0, pausedAt = null] =
    (row?.slice(4) as (number | null)[] | undefined) ?? [];
  const settings = { max, rate: count === null || perMs === null ? null : { count, perMs } };
  const force = inForce(rule, settings);
  const at = force.rate === null ? 0 : tokenAt(tatUs ?? 0, force.rate);
  const ofRule = ([, , , of]: FactRow): boolean => of === name;
  return {
    name,
    pause: pauseOfRow(pausedAt, row?.[2] ?? null, row?.[3] ?? null),
    max: force.max,
    holders: (found.get('holder') ?? [])
      .filter(ofRule)
      .map(([, taskId, workerId, , sinceAt]) => ({ taskId: taskId ?? '', workerId, sinceAt: sinceAt ?? 0 })),
    held: sumOf(found.get('held')?.filter(ofRule)),
    tokenAt: at > now ? at : null,
  };
}

/** As far as people are told. */
function relatives(found: Found, task: Task): Pick<Facts, 'parents' | 'parentsLeft' | 'children'> {
  const children = (found.get('child') ?? []).map(relativeOf);
  if (task.dependsOn.length === 0) return { parents: [], parentsLeft: 0, children };
  return { parents: parentFacts(found, task), parentsLeft: sumOf(found.get('left')), children };
}

function parentFacts(found: Found, task: Task): readonly ParentFact[] {
  const of = (edge: EdgeState): ParentFact[] => (found.get(edge) ?? []).map((row) => ({ ...relativeOf(row), edge }));
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

function relativeOf([, taskId, name, state]: FactRow): RelativeFact {
  return { taskId: taskId ?? '', name, state: state as TaskState | null };
}

function byId(left: RelativeFact, right: RelativeFact): number {
  return left.taskId < right.taskId ? -1 : 1;
}

/** Whose turn it is in the queue, as far as it holds the task back. */
function turnFact(found: Found, { group, state }: Task): TurnFact {
  const [row] = found.get('group') ?? [];
  const pause = row === undefined ? null : pauseOfRow(row[4], row[2], row[3]);
  const fact = { group, weight: row?.[5] ?? 1, pause, ahead: 0, first: null };
  const [own] = found.get('own') ?? [];
  if (state !== 'queued' || pause !== null || own === undefined) return fact;
  const [turn = 0, since = 0, plainTurn = 0, plainSince = 0] = own.slice(4) as number[];
  const before = found.get('before') ?? [];
  // The tasks without a group stand beside the table.
  const isPlainBefore = group !== null && comesFirst([plainTurn, plainSince], [turn, since]) && found.has('plain');
  const [first] = before;
  const isPlainFirst =
    isPlainBefore && (first === undefined || comesFirst([plainTurn, plainSince], [first[4] ?? 0, first[5] ?? 0]));
  return {
    ...fact,
    ahead: Math.min(before.length + (isPlainBefore ? 1 : 0), limits.aheadMax),
    first: isPlainFirst ? null : (first?.[1] ?? null),
  };
}

/** The earlier turn, of equal turns the longer wait; of equal waits the tasks without a group. */
function comesFirst([turn, since]: readonly [number, number], [other, otherSince]: readonly [number, number]): boolean {
  return turn < other || (turn === other && since <= otherSince);
}

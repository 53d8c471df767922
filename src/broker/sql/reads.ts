/** getTasks, getQueues, getWorkers, inspect: what the store knows, nothing changed. */

import type { StoredStack } from '../../core/commands.ts';
import type { Facts, LimitFact, Pause, WorkerFact } from '../../core/facts.ts';
import { noSettings, queueLimitName, queueRule } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import type { Definition, Presence, WorkerRecord } from '../../core/presence.ts';
import type { TaskView } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import type { QueueRecord } from '../broker.ts';
import { decodeCommands } from './control.ts';
import { readCounts } from './counts.ts';
import { type SqlTransaction, statement } from './driver.ts';
import { readRelatives } from './edges.ts';
import { readTurnFact } from './groups.ts';
import { readLimitFacts, readLimitSettings } from './limits.ts';
import { readLimitedQueues } from './queue-limits.ts';
import { refuseLargeBatch } from './refuse.ts';
import { idList, type TaskRow, taskColumns, toTask } from './rows.ts';

/** Input: list of ids. */
const tasksById = statement<TaskRow>(
  'tasks_by_id',
  (dialect) => `SELECT ${taskColumns} FROM tasks WHERE id ${dialect.oneOf('$1')}`,
);

export async function getTasks(tx: SqlTransaction, taskIds: readonly string[]): Promise<readonly (Task | null)[]> {
  refuseLargeBatch(taskIds);
  const rows = await tx.query(tasksById, idList(taskIds));
  const known = new Map(rows.map((row) => [row[0], toTask(row)]));
  return taskIds.map((taskId) => known.get(taskId) ?? null);
}

const configuredQueues = statement<
  [name: string, pausedAt: number | null, pausedBy: string | null, reason: string | null]
>('configured_queues', () => 'SELECT name, paused_at, paused_by, pause_reason FROM queues');

/** Input: queue. Of the tasks without a group: the oldest of each priority is the first of its stretch of the index: ten look-ups, however long the queue. */
const oldestQueued = statement<[dueAt: number | null]>(
  'oldest_queued',
  () => `SELECT min((SELECT due_at FROM tasks
    WHERE queue = $1 AND state = 'queued' AND grp IS NULL AND priority = priorities.n ORDER BY due_at, id LIMIT 1))
  FROM (SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6
    UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9) AS priorities`,
);

/** Input: queue. */
const oldestOfGroups = statement<[dueAt: number | null]>(
  'oldest_of_groups',
  // No name is empty. It says so for Postgres, see the index.
  () => "SELECT min(due_at) FROM tasks WHERE queue = $1 AND state = 'queued' AND grp IS NOT NULL AND grp <> ''",
);

async function readOldest(tx: SqlTransaction, queue: string): Promise<number | null> {
  const found = [await tx.query(oldestQueued, queue), await tx.query(oldestOfGroups, queue)];
  return found.reduce<number | null>((oldest, [row]) => {
    const dueAt = row?.[0] ?? null;
    return oldest === null || (dueAt !== null && dueAt < oldest) ? dueAt : oldest;
  }, null);
}

async function readPauses(tx: SqlTransaction): Promise<Map<string, Pause | null>> {
  const rows = await tx.query(configuredQueues);
  return new Map(rows.map(([name, at, by, reason]) => [name, at === null || by === null ? null : { by, reason, at }]));
}

/** By name. The kept counts are read, not the tasks. */
export async function getQueues(tx: SqlTransaction): Promise<readonly QueueRecord[]> {
  const pauses = await readPauses(tx);
  const counts = new Map<string, Partial<Record<TaskView, number>>>([...pauses.keys()].map((name) => [name, {}]));
  for (const { queue, view, count } of await readCounts(tx)) {
    const ofQueue = counts.get(queue) ?? {};
    ofQueue[view] = (ofQueue[view] ?? 0) + count;
    counts.set(queue, ofQueue);
  }
  const limited = await readLimitedQueues({ tx });
  const queues: QueueRecord[] = [];
  for (const [name, ofQueue] of [...counts].sort(([left], [right]) => (left < right ? -1 : 1))) {
    const { max, rate } = limited.has(name) ? await readLimitSettings(tx, queueLimitName(name)) : noSettings;
    const oldestDueAt = (ofQueue.queued ?? 0) > 0 ? await readOldest(tx, name) : null;
    queues.push({ name, pause: pauses.get(name) ?? null, max, rate, counts: ofQueue, oldestDueAt });
  }
  return queues;
}

const allWorkers = statement<
  [
    presence: string,
    definitions: string,
    startedAt: number,
    beatAt: number,
    commands: string | null,
    stack: string | null,
  ]
>(
  'all_workers',
  () => 'SELECT presence, definitions, started_at, beat_at, commands, stack FROM workers ORDER BY worker_id',
);

/** By id. */
export async function getWorkers(query: SqlTransaction['query']): Promise<readonly WorkerRecord[]> {
  const rows = await query(allWorkers);
  return rows.map(([presence, definitions, startedAt, beatAt, commands, stack]) => ({
    ...(JSON.parse(presence) as Omit<Presence, 'definitions'>),
    definitions: JSON.parse(definitions) as readonly Definition[],
    startedAt,
    beatAt,
    commands: decodeCommands(commands),
    stack: stack === null ? null : (JSON.parse(stack) as StoredStack),
  }));
}

const tasksBefore = (name: string, group: string) =>
  statement<[ahead: number]>(
    name,
    () => `SELECT count(*) FROM (SELECT 1 FROM tasks
    WHERE queue = $1 AND state = 'queued' AND (priority, due_at, id) < ($2, $3, $4) AND ${group} LIMIT $5) AS ahead`,
  );

/** Inputs: queue, priority, due time, id, limit. Counts the queued tasks without a group before that place, up to the limit. */
const tasksAhead = tasksBefore('tasks_ahead', 'grp IS NULL');
/** Further input: group. The same in one group. */
const groupTasksAhead = tasksBefore('group_tasks_ahead', 'grp = $6');

export async function inspect(
  tx: SqlTransaction,
  taskIds: readonly string[],
  now: number,
): Promise<readonly (Facts | null)[]> {
  const tasks = await getTasks(tx, taskIds);
  if (tasks.every((task) => task === null)) return tasks.map(() => null);
  const pauses = await readPauses(tx);
  const living = (await getWorkers(tx.query)).filter(
    ({ beatAt, queues }) => beatAt + limits.presenceMs > now && Object.keys(queues).length > 0,
  );
  const limited = await readLimitedQueues({ tx });
  const facts: (Facts | null)[] = [];
  for (const task of tasks) {
    facts.push(
      task && {
        now,
        task,
        pause: pauses.get(task.queue) ?? null,
        ahead: await countAhead(tx, task),
        ...(await readRelatives(tx, task)),
        limits: await readLimitFacts(tx, task.limits, now),
        queueLimit: limited.has(task.queue) ? await readQueueLimitFact(tx, task.queue, now) : null,
        turn: await readTurnFact(tx, task),
        workers: living.map((record) => workerFact(record, task.name)),
      },
    );
  }
  return facts;
}

async function readQueueLimitFact(tx: SqlTransaction, queue: string, now: number): Promise<LimitFact | null> {
  const [fact] = await readLimitFacts(tx, [queueRule(queue)], now);
  return fact === undefined ? null : { ...fact, name: queue };
}

async function countAhead(tx: SqlTransaction, task: Task): Promise<number> {
  if (task.state !== 'queued') return 0;
  const place = [task.queue, task.priority, task.dueAt, task.id, limits.aheadMax] as const;
  const [row] =
    task.group === null ? await tx.query(tasksAhead, ...place) : await tx.query(groupTasksAhead, ...place, task.group);
  return row?.[0] ?? 0;
}

function workerFact(record: WorkerRecord, taskName: string): WorkerFact {
  const { workerId, name, concurrency, running, state, taskNames } = record;
  const schemaVersion = record.definitions.find((definition) => definition.name === taskName)?.schemaVersion ?? null;
  return { workerId, name, concurrency, running, state, taskNames, queues: Object.keys(record.queues), schemaVersion };
}

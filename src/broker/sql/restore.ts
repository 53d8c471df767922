/** restore: inserts tasks with their state as they are. */

import { type Chance, createToken } from '../../core/chance.ts';
import { edgeState } from '../../core/dependencies.ts';
import { rulesWithQueue } from '../../core/limit-rules.ts';
import { isFinished, isWaiting } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import { meetParents, storeAwaited } from './awaited.ts';
import { storeClaims } from './claims.ts';
import { eachStatement, statement } from './driver.ts';
import { type Edge, markParents, readParentRows, storeEdges } from './edges.ts';
import { storeMembers } from './flows.ts';
import { readHolders, takeKeys } from './keys.ts';
import { restoreSlots } from './limits.ts';
import { readLimitedQueues } from './queue-limits.ts';
import { refuseGroup, refuseLargeBatch, refuseLargePayloads } from './refuse.ts';
import { release } from './release.ts';
import { checkAtOf, idList, runningCheckAt } from './rows.ts';
import { record, type Step } from './step.ts';
import { joinRounds } from './turns.ts';
import { wholeColumns, wholeRow } from './whole-row.ts';

const restoreTasks = eachStatement(
  'restore_tasks',
  wholeColumns,
  (value, from) =>
    `INSERT INTO tasks (${Object.keys(wholeColumns).join(', ')}) SELECT ${Object.values(value).join(', ')} ${from} WHERE true ON CONFLICT (id) DO NOTHING`,
  { id: 'id' },
);

export async function restore(step: Step, tasks: readonly Task[], chance: Chance): Promise<number> {
  refuseLargeBatch(tasks);
  refuseLargePayloads(tasks);
  tasks.forEach(refuseGroup);
  // A token nobody has: whoever ran these tasks elsewhere has no right to report here, and their leases end in time.
  const token = createToken(chance);
  await joinQueued(step, tasks);
  const stored = await step.tx.each(
    restoreTasks,
    tasks.map((task) => wholeRow(task, tokenOf(task, token), checkAtOfTask(task))),
  );
  const fresh = tasks.filter((_task, index) => stored[index] === true);
  for (const task of fresh) record(step, 'restore', task, null, task, task.version);
  const running = fresh.filter(({ state }) => state === 'running');
  if (running.length > 0) {
    const limited = await readLimitedQueues(step);
    await restoreSlots(
      step,
      running.map(({ id, limits, queue }) => ({
        id,
        limits: rulesWithQueue(limits, queue, limited),
      })),
    );
  }
  await restoreClaims(step, running, token);
  await restoreKeys(step, fresh);
  await restoreEdges(step, fresh);
  await release(step);
  return fresh.length;
}

/** Input: list of ids. */
const knownIds = statement<[id: string]>(
  'known_ids',
  (dialect) => `SELECT id FROM tasks WHERE id ${dialect.oneOf('$1')}`,
);

/** A task that is known already moves no group. */
async function joinQueued(step: Step, tasks: readonly Task[]): Promise<void> {
  const queued = tasks.filter(({ state, group }) => state === 'queued' && group !== null);
  if (queued.length === 0) return;
  const rows = await step.tx.query(knownIds, idList(queued.map(({ id }) => id)));
  const known = new Set(rows.map(([id]) => id));
  await joinRounds(
    step,
    queued.filter(({ id }) => !known.has(id)),
  );
}

/**
 * A parent that is not here may come by a later call: it is waited for. Who runs, or has, holds nothing back any more.
 * Children that came by an earlier call see the end of their parents now.
 */
async function restoreEdges(step: Step, fresh: readonly Task[]): Promise<void> {
  await storeMembers(step, fresh);
  const children = fresh.filter(({ dependsOn }) => dependsOn.length > 0);
  const rows = await readParentRows(
    step,
    children.flatMap(({ dependsOn }) => dependsOn.map(({ taskId }) => taskId)),
  );
  const edges = children.flatMap(({ id, state, dependsOn }) =>
    dependsOn.map(({ taskId, onFailure }): Edge => {
      const parent = rows.get(taskId)?.state;
      const edge = state !== 'blocked' ? 'done' : parent === undefined ? 'open' : edgeState(parent, onFailure);
      return { parentId: taskId, childId: id, onFailure, state: edge };
    }),
  );
  await storeEdges(step, edges);
  storeAwaited(
    step,
    edges.filter(({ parentId, state }) => state === 'open' && !rows.has(parentId)),
  );
  await markParents(step, rows);
  await meetParents(
    step,
    fresh.map(({ id }) => id),
  );
  for (const { id, state } of fresh) if (state === 'blocked') step.blocked.add(id);
}

function tokenOf(task: Task, token: string): string | null {
  return task.state === 'running' ? `${token}:${task.workerId ?? ''}` : null;
}

function checkAtOfTask({ state, startBy, expiresAt }: Task): number | null {
  return isWaiting(state) ? checkAtOf(state, startBy, expiresAt) : null;
}

async function restoreClaims(step: Step, running: readonly Task[], token: string): Promise<void> {
  const claims = [...Map.groupBy(running, ({ workerId }) => workerId ?? '')].map(([workerId, tasks]) => ({
    token: `${token}:${workerId}`,
    workerId,
    checkAt: tasks.reduce((earliest, task) => Math.min(earliest, runningCheckAt(task)), Number.MAX_SAFE_INTEGER),
    taskIds: tasks.map(({ id }) => id),
  }));
  storeClaims(step, claims);
}

/** A task takes its key when it would hold it and nobody else does; a task never comes back without its row. */
export async function restoreKeys(step: Step, tasks: readonly Task[]): Promise<void> {
  const keyed = tasks.flatMap((task) =>
    task.key === null ? [] : [{ task, key: task.key, until: heldUntil(step, task) }],
  );
  const keys = keyed.map(({ key }) => key);
  await step.tx.hold('keys', keys, 'alone');
  const taken = new Set((await readHolders(step, keys)).keys());
  const held: [key: string, taskId: string, until: number | null][] = [];
  for (const { task, key, until } of keyed) {
    if (until === undefined || taken.has(key)) continue;
    taken.add(key);
    held.push([key, task.id, until]);
  }
  await takeKeys(step, held);
}

/** Until when the task holds its key: `null` while unfinished, `undefined` when it does not. */
function heldUntil(step: Step, task: Task): number | null | undefined {
  if (!isFinished(task.state)) return hasLetGo(task) ? undefined : null;
  if (task.state !== 'succeeded' || task.keyForMs === null || task.finishedAt === null) return undefined;
  const until = task.finishedAt + task.keyForMs;
  return until > step.now ? until : undefined;
}

/** Whether the task was claimed in this generation and gave up its key then. */
function hasLetGo(task: Task): boolean {
  if (task.ifExists !== 'replace' && task.ifExists !== 'debounce') return false;
  return task.state === 'running' || task.attempt + task.crashes + task.interruptions + task.snoozes > 0;
}

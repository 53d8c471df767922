/** One task on its way into the store: once under its id, one at a time under its key. */

import { reachesQueue } from '../../core/access.ts';
import { edgeState } from '../../core/dependencies.ts';
import { isWaiting } from '../../core/states.ts';
import type { NewTask, Task } from '../../core/task.ts';
import type { EnqueueResult } from '../broker.ts';
import { cancelOne } from './cancel.ts';
import { storeEdges } from './edges.ts';
import { freeKey, holderOf, takeKey } from './keys.ts';
import { changeTask, insertTask, type Step } from './step.ts';

export function enqueueOne(step: Step, task: NewTask): EnqueueResult {
  const known = step.state.rows.get(task.id)?.task;
  if (known !== undefined) {
    return hasSameBody(known, task) && reaches(task, known)
      ? { outcome: 'existing', taskId: task.id, state: known.state }
      : { outcome: 'conflict', taskId: task.id, of: task.id };
  }
  const holder = holderOf(step, task.key);
  if (holder === null) return { outcome: 'created', taskId: task.id, state: insert(step, task, dueAtOf(step, task)) };
  if (task.ifExists === 'error' || !reaches(task, step.state.rows.get(holder.taskId)?.task))
    return { outcome: 'conflict', taskId: task.id, of: holder.taskId };
  if (task.ifExists === 'return') return { outcome: 'duplicate', taskId: task.id, of: holder.taskId };
  return replace(step, task, holder.taskId);
}

/** Only a waiting holder can be replaced: what runs, or ran within `keyForMs`, stands. */
function replace(step: Step, task: NewTask, holderId: string): EnqueueResult {
  const holder = step.state.rows.get(holderId);
  if (holder === undefined || !isWaiting(holder.task.state))
    return { outcome: 'duplicate', taskId: task.id, of: holderId };
  const dueAt = dueAtOf(step, task);
  const formerDueAt = holder.task.dueAt;
  freeKey(step, holder.task);
  changeTask(step, 'replace', holder, {
    state: 'cancelled',
    reason: 'replaced',
    finishedAt: step.now,
    pruneAt: step.now + holder.task.keepMs,
  });
  const state = insert(step, task, task.ifExists === 'replace' ? Math.min(dueAt, formerDueAt) : dueAt);
  return { outcome: 'replaced', taskId: task.id, of: holderId, state };
}

function insert(step: Step, newTask: NewTask, dueAt: number): Task['state'] {
  const { state } = step;
  const isBlocked = newTask.dependsOn.some(
    ({ taskId, onFailure }) => edgeState(state.rows.get(taskId)?.task.state ?? null, onFailure) !== 'done',
  );
  const { delayMs: _delayMs, at: _at, startWithinMs, expiresInMs, blocks: _blocks, reach: _reach, ...body } = newTask;
  const task: Task = {
    ...body,
    state: isBlocked ? 'blocked' : dueAt > step.now ? 'scheduled' : 'queued',
    reason: null,
    version: 1,
    epoch: 0,
    attempt: 0,
    generation: 1,
    crashes: 0,
    interruptions: 0,
    snoozes: 0,
    workerId: null,
    leaseUntil: null,
    cancelRequestedAt: null,
    cancelReason: null,
    progress: null,
    checkpoints: [],
    result: null,
    error: null,
    createdAt: step.now,
    dueAt,
    startBy: startWithinMs === null ? null : dueAt + startWithinMs,
    expiresAt: expiresInMs === null ? null : step.now + expiresInMs,
    claimedAt: null,
    startedAt: null,
    finishedAt: null,
    pruneAt: null,
  };
  insertTask(step, 'enqueue', task);
  storeEdges(state, task);
  takeKey(step, task);
  cancelUnwanted(step, task);
  return state.rows.get(task.id)?.task.state ?? task.state;
}

/** What comes to a cancelled flow is cancelled at once. */
function cancelUnwanted(step: Step, { id, flowId }: Task): void {
  const wish = flowId === null ? undefined : step.state.cancelledFlows.get(flowId);
  if (wish !== undefined) cancelOne(step, id, wish.reason);
}

function dueAtOf(step: Step, task: NewTask): number {
  return task.at === null ? step.now + task.delayMs : Math.max(task.at, step.now);
}

/** Of a holder that is gone by now nothing can be told, and nothing done to it. */
function reaches({ reach }: NewTask, other: Pick<Task, 'queue'> | undefined): boolean {
  return other === undefined || reachesQueue(reach ?? null, other.queue);
}

function hasSameBody(known: Task, task: NewTask): boolean {
  return known.name === task.name && known.payload === task.payload && known.key === task.key;
}

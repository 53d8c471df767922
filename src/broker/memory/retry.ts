/** retry: a person's retry, a finished task waits again as a new generation. */

import { edgeState } from '../../core/dependencies.ts';
import { isFinished } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import type { RetryResult } from '../broker.ts';
import { childrenOf, isHeldBack, setEdge, waitsFor } from './edges.ts';
import { holderOf, takeKey } from './keys.ts';
import { refuseLargeBatch } from './refuse.ts';
import { changeTask, type Step } from './step.ts';

export function retry(step: Step, taskIds: readonly string[]): readonly RetryResult[] {
  refuseLargeBatch(taskIds);
  return taskIds.map((taskId) => retryOne(step, taskId));
}

function retryOne(step: Step, taskId: string): RetryResult {
  const row = step.state.rows.get(taskId);
  if (row === undefined) return { outcome: 'unknown' };
  const { task } = row;
  if (!isFinished(task.state)) return { outcome: 'already', state: task.state };
  const holder = holderOf(step, task.key);
  if (holder !== null && holder.taskId !== taskId) return { outcome: 'conflict', of: holder.taskId };
  const generation = task.generation + 1;
  askParents(step, task);
  const state = isHeldBack(step.state, taskId) ? 'blocked' : 'queued';
  changeTask(step, 'retry', row, {
    state,
    reason: 'retry',
    generation,
    attempt: 0,
    crashes: 0,
    interruptions: 0,
    snoozes: 0,
    dueAt: step.now,
    result: null,
    error: null,
    progress: null,
    checkpoints: [],
    workerId: null,
    leaseUntil: null,
    startBy: null,
    expiresAt: null,
    cancelRequestedAt: null,
    cancelReason: null,
    claimedAt: null,
    startedAt: null,
    finishedAt: null,
    pruneAt: null,
  });
  // Neither a late repetition nor a judge of the former generation may speak about this one.
  Object.assign(row, { settledToken: null, judgeToken: null, judgeUntil: null });
  takeKey(step, task);
  reopenEdges(step, taskId);
  step.state.cancelledFlows.delete(taskId);
  return { outcome: state, generation };
}

/** As they are now: a parent that runs again is waited for. Who is gone can not be asked and holds nobody back. */
function askParents({ state }: Step, { id, dependsOn }: Task): void {
  for (const { taskId, onFailure } of dependsOn) {
    if (!state.edges.get(id)?.has(taskId)) continue;
    const parent = state.rows.get(taskId)?.task.state;
    setEdge(state, id, taskId, parent === undefined ? 'done' : edgeState(parent, onFailure));
  }
}

/** Who waits for a task that failed, and was not judged for it yet, waits for its next run; unless that waits for the child. */
function reopenEdges({ state }: Step, parentId: string): void {
  for (const childId of childrenOf(state, parentId)) {
    const child = state.rows.get(childId);
    if (child?.task.state !== 'blocked' || state.edges.get(childId)?.get(parentId) !== 'failed') continue;
    if (waitsFor(state, parentId, childId)) continue;
    setEdge(state, childId, parentId, 'open');
    Object.assign(child, { judgeToken: null, judgeUntil: null });
  }
}

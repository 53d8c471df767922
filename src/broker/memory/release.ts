/** The end of a parent: its edges close, and whose last parent it was may run, in the same step. */

import { edgeState } from '../../core/dependencies.ts';
import { childrenOf, failedParents, isHeldBack, setEdge } from './edges.ts';
import { endKey } from './keys.ts';
import type { Row } from './state.ts';
import { changeTask, type Step } from './step.ts';

/** Until nothing follows from it any more: a task of a cancelled flow ends when it is let go, and so its children are next. */
export function release(step: Step): void {
  while (step.released < step.finished.length || step.blocked.size > 0) {
    const ended = step.finished.slice(step.released);
    step.released = step.finished.length;
    for (const parentId of ended) closeEdges(step, parentId);
    const candidates = [...step.blocked].sort();
    step.blocked.clear();
    // Whose group is away is asked anew for each round of those that are let go.
    step.standing = null;
    for (const taskId of candidates) {
      const row = step.state.rows.get(taskId);
      if (row?.task.state !== 'blocked') continue;
      if (failedParents(step.state, row.task).length > 0) step.overdue = true;
      else if (!isHeldBack(step.state, taskId)) unblock(step, row);
    }
  }
}

/** Also when the parent was restored as finished. */
export function closeEdges(step: Step, parentId: string): void {
  const { state } = step;
  const parent = state.rows.get(parentId)?.task.state ?? null;
  for (const childId of childrenOf(state, parentId)) {
    if (state.edges.get(childId)?.get(parentId) !== 'open') continue;
    const onFailure = state.rows.get(childId)?.task.dependsOn.find(({ taskId }) => taskId === parentId)?.onFailure;
    setEdge(state, childId, parentId, edgeState(parent, onFailure ?? 'fail'));
    step.blocked.add(childId);
  }
}

/** It becomes due now, if it was before: it has waited for its parents, not for a worker. */
function unblock(step: Step, row: Row): void {
  const { task } = row;
  const wish = task.flowId === null ? undefined : step.state.cancelledFlows.get(task.flowId);
  if (wish !== undefined) {
    const ended = { finishedAt: step.now, pruneAt: step.now + task.keepMs };
    changeTask(step, 'unblock', row, { state: 'cancelled', reason: 'user', cancelReason: wish.reason, ...ended });
    endKey(step, row);
    return;
  }
  const dueAt = Math.max(task.dueAt, step.now);
  const startBy = task.startBy === null ? null : task.startBy + dueAt - task.dueAt;
  changeTask(step, 'unblock', row, { state: dueAt > step.now ? 'scheduled' : 'queued', reason: null, dueAt, startBy });
}

/** cancel: ends what waits, asks what runs; of a flow also what comes to it later. */

import { limits } from '../../core/limits.ts';
import { isFinished } from '../../core/states.ts';
import type { CancelRequest, CancelResult } from '../broker.ts';
import { freeKey } from './keys.ts';
import { refuseLargeBatch } from './refuse.ts';
import { changeTask, type Step } from './step.ts';

export function cancel(step: Step, request: CancelRequest): readonly CancelResult[] {
  refuseLargeBatch(request.taskIds);
  const results = request.taskIds.map((taskId) => cancelOne(step, taskId, request.reason));
  return request.flowId == null ? results : [...results, ...cancelFlow(step, request.flowId, request)];
}

/** The wish stays: it is for tasks that arrive, or are let go by their parents, after this call. */
function cancelFlow(step: Step, flowId: string, { taskIds, reason }: CancelRequest): readonly CancelResult[] {
  step.state.cancelledFlows.set(flowId, { at: step.now, reason });
  return [...step.state.rows.values()]
    .filter(({ task }) => task.flowId === flowId && !isFinished(task.state) && !taskIds.includes(task.id))
    .slice(0, limits.flowCancelMax)
    .map(({ task }) => cancelOne(step, task.id, reason));
}

export function cancelOne(step: Step, taskId: string, cancelReason: string | null): CancelResult {
  const row = step.state.rows.get(taskId);
  if (row === undefined) return { outcome: 'unknown' };
  const { task } = row;
  if (isFinished(task.state)) return { outcome: 'already', state: task.state };
  if (task.state !== 'running') {
    freeKey(step, task);
    changeTask(step, 'cancel', row, {
      state: 'cancelled',
      reason: 'user',
      cancelReason,
      finishedAt: step.now,
      pruneAt: step.now + task.keepMs,
    });
    return { outcome: 'cancelled' };
  }
  if (task.cancelRequestedAt === null) {
    changeTask(step, 'cancelRequest', row, { cancelRequestedAt: step.now, cancelReason });
    step.cancels.push(taskId);
  }
  return { outcome: 'requested' };
}

/** cancel: ends what waits, asks what runs; of a flow also what comes to it later. */

import { reachesQueue } from '../../core/access.ts';
import { limits } from '../../core/limits.ts';
import { isFinished } from '../../core/states.ts';
import type { CancelRequest, CancelResult } from '../broker.ts';
import { freeKey } from './keys.ts';
import { refuseLargeBatch } from './refuse.ts';
import type { Row } from './state.ts';
import { changeTask, type Step } from './step.ts';

export function cancel(step: Step, request: CancelRequest): readonly CancelResult[] {
  refuseLargeBatch(request.taskIds);
  if (!reachesAll(step, request)) return request.taskIds.map(() => ({ outcome: 'forbidden' }));
  const results = request.taskIds.map((taskId) => cancelOne(step, taskId, request.reason));
  return request.flowId == null ? results : [...results, ...cancelFlow(step, request.flowId, request)];
}

function reachesAll(step: Step, { taskIds, flowId = null, reach }: CancelRequest): boolean {
  if (reach === undefined) return true;
  const named = taskIds.flatMap((taskId) => step.state.rows.get(taskId) ?? []);
  return [...named, ...(flowId === null ? [] : unfinishedOf(step, flowId))].every(
    ({ task }) => isFinished(task.state) || reachesQueue(reach, task.queue),
  );
}

function unfinishedOf(step: Step, flowId: string): readonly Row[] {
  return [...step.state.rows.values()].filter(({ task }) => task.flowId === flowId && !isFinished(task.state));
}

/** The wish stays: it is for tasks that arrive, or are let go by their parents, after this call. */
function cancelFlow(step: Step, flowId: string, { taskIds, reason }: CancelRequest): readonly CancelResult[] {
  step.state.cancelledFlows.set(flowId, { at: step.now, reason });
  return unfinishedOf(step, flowId)
    .filter(({ task }) => !taskIds.includes(task.id))
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

/** claimOverdue: hands whatever needs a verdict to one judge at a time; the reason is read from the row on every look. */

import { limits } from '../../core/limits.ts';
import { isFinished } from '../../core/states.ts';
import type { OverdueReason, OverdueTask, Task } from '../../core/task.ts';
import type { OverdueRequest } from '../broker.ts';
import { failedParents } from './edges.ts';
import type { Row } from './state.ts';
import type { Step } from './step.ts';

export function claimOverdue(step: Step, request: OverdueRequest): readonly OverdueTask[] {
  const overdue = [...step.state.rows.values()].filter(
    (row) => overdueReason(step, row.task, request.deadWorkers) !== null,
  );
  const repeated = overdue.filter((row) => row.judgeToken === request.token);
  if (repeated.length > 0) return repeated.map((row) => overdueTask(step, row, request));
  const rows = overdue.filter((row) => !hasJudge(row, step.now)).slice(0, Math.min(request.limit, limits.batchMax));
  for (const row of rows) {
    row.judgeToken = request.token;
    row.judgeUntil = step.now + request.leaseMs;
  }
  return rows.map((row) => overdueTask(step, row, request));
}

function hasJudge(row: Row, now: number): boolean {
  return row.judgeUntil !== null && row.judgeUntil > now;
}

function overdueTask(step: Step, row: Row, request: OverdueRequest): OverdueTask {
  const { task } = row;
  const reason = overdueReason(step, task, request.deadWorkers) ?? 'lease_expired';
  // Both lists hold only rows with a reason; the fallback keeps the type honest.
  const failed = reason === 'dependency_failed' ? failedParents(step.state, task) : [];
  return { task, lease: { taskId: task.id, token: request.token, epoch: task.epoch }, reason, failedParents: failed };
}

/** The first reason that holds, or `null`. */
function overdueReason(step: Step, task: Task, deadWorkers: readonly string[]): OverdueReason | null {
  const { now } = step;
  if (isFinished(task.state)) return null;
  if (task.state !== 'running') {
    if (isPast(task.expiresAt, now)) return 'expired';
    if (task.state === 'blocked') return failedParents(step.state, task).length > 0 ? 'dependency_failed' : null;
    return isPast(task.startBy, now) ? 'start_deadline' : null;
  }
  const grace = limits.graceMs;
  const leaseOver = isPast(task.leaseUntil, now) || (task.workerId !== null && deadWorkers.includes(task.workerId));
  if (task.cancelRequestedAt !== null && (leaseOver || task.cancelRequestedAt + grace <= now))
    return 'cancel_requested';
  if (isPast(task.expiresAt, now) && (leaseOver || isPast(task.expiresAt, now - grace))) return 'expired';
  if (task.startedAt !== null && task.timeoutMs !== null && task.startedAt + task.timeoutMs + grace <= now)
    return 'timeout';
  return leaseOver ? 'lease_expired' : null;
}

function isPast(at: number | null, now: number): boolean {
  return at !== null && at <= now;
}

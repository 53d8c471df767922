/** claimOverdue: hands whatever needs a verdict to one judge at a time; the reason is read from the row on every look. */

import { limits } from '../../core/limits.ts';
import { isFinished } from '../../core/states.ts';
import type { OverdueReason, OverdueTask, Task } from '../../core/task.ts';
import type { OverdueRequest } from '../broker.ts';
import type { Row } from './state.ts';
import type { Step } from './step.ts';

export function claimOverdue(step: Step, request: OverdueRequest): readonly OverdueTask[] {
  const overdue = [...step.state.rows.values()].filter(
    (row) => overdueReason(row.task, step.now, request.deadWorkers) !== null,
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
  const reason = overdueReason(row.task, step.now, request.deadWorkers);
  // Both lists hold only rows with a reason; the fallback keeps the type honest.
  return { task: row.task, lease: { taskId: row.task.id, token: request.token }, reason: reason ?? 'lease_expired' };
}

/** The first reason that holds, or `null`. */
function overdueReason(task: Task, now: number, deadWorkers: readonly string[]): OverdueReason | null {
  if (isFinished(task.state)) return null;
  if (task.state !== 'running') {
    if (isPast(task.expiresAt, now)) return 'expired';
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

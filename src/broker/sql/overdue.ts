/** claimOverdue: hands whatever needs a verdict to one judge at a time; the reason is read from the row on every look. */

import { limits } from '../../core/limits.ts';
import type { FailedParent, OverdueReason, OverdueTask, Task } from '../../core/task.ts';
import type { OverdueRequest } from '../broker.ts';
import { eachStatement, type SqlTransaction, statement } from './driver.ts';
import { readFailedParents } from './edges.ts';
import { idList, runningCheckAt, type TaskRow, taskColumns, toTask } from './rows.ts';
import type { Step } from './step.ts';

/** Running tasks one call looks at: the rest is looked at by the next one. */
const examinedMax = 10_000;

/** Input: token of the judge. */
const judgedTasks = statement<TaskRow>(
  'judged_tasks',
  () =>
    `SELECT ${taskColumns} FROM tasks WHERE judge_token = $1
     AND (state = 'running' OR state = 'queued' OR state = 'scheduled' OR state = 'blocked')`,
);

/** Inputs: now, limit. Waiting tasks past their start deadline or the end of their life. Locks: the rows. */
const waitingOverdue = statement<TaskRow>(
  'waiting_overdue',
  (dialect) =>
    `SELECT ${taskColumns} FROM tasks WHERE check_at <= $1 AND (judge_until IS NULL OR judge_until <= $1) ORDER BY check_at LIMIT $2${dialect.skipLocked}`,
);

/** Input: now. */
const anyWaitingOverdue = statement<[found: number]>(
  'any_waiting_overdue',
  () => 'SELECT 1 FROM tasks WHERE check_at <= $1 LIMIT 1',
);

/** Whether a task that waits may need a verdict: one look into an index that holds only those that may ever. */
export async function isAnyOverdue(tx: SqlTransaction, now: number): Promise<boolean> {
  return (await tx.query(anyWaitingOverdue, now)).length > 0;
}

/** Inputs: now, list of dead workers, limit. Claims with a running task that may need a verdict. Locks: the rows. */
const claimsToCheck = statement<[token: string, running: number, checkAt: number, taskIds: string]>(
  'claims_to_check',
  (dialect) =>
    `SELECT token, running, check_at, task_ids FROM claims WHERE check_at <= $1 OR worker_id ${dialect.oneOf('$2')}
   ORDER BY check_at LIMIT $3${dialect.skipLocked}`,
);

/** Inputs: list of ids, token. Locks: the rows, but for those that somebody changes now: who settles waits for the claim's row. */
const runningOfClaim = statement<[...TaskRow, judgeUntil: number | null]>(
  'running_of_claim',
  (dialect) =>
    `SELECT ${taskColumns}, judge_until FROM tasks WHERE id ${dialect.oneOf('$1')} AND token = $2 ORDER BY id${dialect.skipLocked}`,
);

const judgeTasks = eachStatement(
  'judge_tasks',
  { token: 'text', until: 'bigint', id: 'text' },
  (value, from, dialect) =>
    `UPDATE tasks SET judge_token = ${value.token}, judge_until = ${value.until} ${from} WHERE id ${dialect.keyed(value.id)}`,
);

const postponeClaims = eachStatement(
  'postpone_claims',
  { token: 'text', checkAt: 'bigint' },
  (value, from, dialect) =>
    `UPDATE claims SET check_at = ${value.checkAt} ${from} WHERE token ${dialect.keyed(value.token)}`,
);

export async function claimOverdue(step: Step, request: OverdueRequest): Promise<readonly OverdueTask[]> {
  const dead = new Set(request.deadWorkers);
  const judged = (await step.tx.query(judgedTasks, request.token)).map(toTask).sort(byId);
  const repeated = await withFailedParents(step, judged, (task, failed) =>
    overdueTask(step, task, dead, request.token, failed),
  );
  if (repeated.length > 0) return repeated;
  const limit = Math.min(request.limit, limits.batchMax);
  const waiting = (await step.tx.query(waitingOverdue, step.now, limit)).map(toTask);
  const found = await withFailedParents(step, waiting, (task, failed) =>
    overdueTask(step, task, dead, request.token, failed),
  );
  found.push(...(await findRunning(step, request, dead, limit - found.length)));
  await step.tx.each(
    judgeTasks,
    found.map(({ task }) => [request.token, step.now + request.leaseMs, task.id]),
  );
  return found;
}

/** Looks through the claims that may hold an overdue task, and notes when each must be looked at again. */
async function findRunning(
  step: Step,
  request: OverdueRequest,
  dead: ReadonlySet<string>,
  limit: number,
): Promise<readonly OverdueTask[]> {
  if (limit <= 0) return [];
  const found: OverdueTask[] = [];
  const later: [token: string, checkAt: number][] = [];
  let examined = 0;
  for (const [token, running, checkAt, taskIds] of await step.tx.query(
    claimsToCheck,
    step.now,
    idList(request.deadWorkers),
    limits.batchMax,
  )) {
    if (found.length >= limit || examined >= examinedMax) break;
    let next = Number.MAX_SAFE_INTEGER;
    const rows = await step.tx.query(runningOfClaim, taskIds, token);
    if (rows.length < running) next = checkAt;
    for (const [...row] of rows) {
      examined += 1;
      const judgeUntil = row.pop() as number | null;
      const task = toTask(row as unknown as TaskRow);
      const overdue = overdueTask(step, task, dead, request.token);
      const isFree = judgeUntil === null || judgeUntil <= step.now;
      if (overdue !== null && isFree && found.length < limit) {
        found.push(overdue);
        next = Math.min(next, step.now + request.leaseMs);
      } else if (overdue !== null) {
        next = Math.min(next, isFree ? checkAt : Math.max(judgeUntil ?? 0, step.now));
      } else next = Math.min(next, runningCheckAt(task));
    }
    if (next !== checkAt) later.push([token, next]);
  }
  if (later.length > 0) await step.tx.each(postponeClaims, later);
  return found;
}

/** Finds the overdue among the tasks; the failed parents of those that are blocked are read once for all. */
async function withFailedParents(
  step: Step,
  tasks: readonly Task[],
  find: (task: Task, failed: readonly FailedParent[]) => OverdueTask | null,
): Promise<OverdueTask[]> {
  const failed = await readFailedParents(
    step,
    tasks.filter(({ state }) => state === 'blocked'),
  );
  return tasks.flatMap((task) => find(task, failed.get(task.id) ?? []) ?? []);
}

function overdueTask(
  step: Step,
  task: Task,
  dead: ReadonlySet<string>,
  token: string,
  failed: readonly FailedParent[] = [],
): OverdueTask | null {
  const reason = overdueReason(task, step.now, dead) ?? (failed.length > 0 ? 'dependency_failed' : null);
  if (reason === null) return null;
  const failedParents = reason === 'dependency_failed' ? failed : [];
  return { task, lease: { taskId: task.id, token, epoch: task.epoch }, reason, failedParents };
}

/** The first reason that holds, or `null`. */
function overdueReason(task: Task, now: number, dead: ReadonlySet<string>): OverdueReason | null {
  if (task.state !== 'running') {
    if (isPast(task.expiresAt, now)) return 'expired';
    return task.state !== 'blocked' && isPast(task.startBy, now) ? 'start_deadline' : null;
  }
  const grace = limits.graceMs;
  const leaseOver = isPast(task.leaseUntil, now) || (task.workerId !== null && dead.has(task.workerId));
  if (task.cancelRequestedAt !== null && (leaseOver || task.cancelRequestedAt + grace <= now))
    return 'cancel_requested';
  if (isPast(task.expiresAt, now) && (leaseOver || isPast(task.expiresAt, now - grace))) return 'expired';
  if (task.startedAt !== null && task.timeoutMs !== null && task.startedAt + task.timeoutMs + grace <= now)
    return 'timeout';
  return leaseOver ? 'lease_expired' : null;
}

function byId(left: Task, right: Task): number {
  return left.id < right.id ? -1 : 1;
}

function isPast(at: number | null, now: number): boolean {
  return at !== null && at <= now;
}

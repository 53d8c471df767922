/** claim: queued → running under the caller's token, in order of priority and age. */

import { limits } from '../../core/limits.ts';
import type { ClaimedTask, Task } from '../../core/task.ts';
import type { ClaimRequest } from '../broker.ts';
import { claimOf, storeClaims } from './claims.ts';
import { type SqlValue, statement } from './driver.ts';
import { freeKeys } from './keys.ts';
import { inClaimOrder, idList, type TaskRow, taskColumns, toTask } from './rows.ts';
import { record, type Step } from './step.ts';

/** Input: token. One row at most; it exists while a task runs under the token. */
const repeatedClaim = statement<[taskIds: string]>('repeated_claim', () => 'SELECT task_ids FROM claims WHERE token = $1');

/** Inputs: list of ids, token. */
const runningUnder = statement<TaskRow>('running_under', (dialect) =>
  `SELECT ${taskColumns} FROM tasks WHERE id IN ${dialect.list('$1')} AND token = $2`);

const effect = `state = 'running', reason = NULL, version = version + 1, epoch = epoch + 1, attempt = attempt + 1, worker_id = $1, token = $2,
  lease_until = $3, claimed_at = $4, started_at = NULL, progress = NULL, check_at = NULL`;

const claimable = `state = 'queued' AND (start_by IS NULL OR start_by > $4) AND (expires_at IS NULL OR expires_at > $4)
  AND NOT EXISTS (SELECT 1 FROM queues WHERE queues.name = $5 AND paused_at IS NOT NULL)
  ORDER BY priority, due_at, id LIMIT $6`;

/** Inputs: worker, token, end of the lease, now, queue, limit. Takes the first of one queue. Locks: those rows, in claim order. */
const claimQueue = statement<TaskRow>('claim_queue', (dialect) =>
  `UPDATE tasks SET ${effect} WHERE seq IN (SELECT seq FROM tasks WHERE queue = $5 AND ${claimable}${dialect.skipLocked})
   RETURNING ${taskColumns}`);

/** The same inputs; the first two and the third are not used. The first of one queue, for the merge over several. Locks: those rows. */
const firstOfQueue = statement<[id: string, priority: number, dueAt: number]>('first_of_queue', (dialect) =>
  `SELECT id, priority, due_at FROM tasks WHERE queue = $2 AND ${claimable.replaceAll('$4', '$1').replaceAll('$5', '$2').replaceAll('$6', '$3')}${dialect.skipLocked}`);

/** Inputs: worker, token, end of the lease, now, list of ids. Takes what the merge chose, whose rows it has locked. */
const claimChosen = statement<TaskRow>('claim_chosen', (dialect) =>
  `UPDATE tasks SET ${effect} WHERE id IN ${dialect.list('$5')} RETURNING ${taskColumns}`);

export async function claim(step: Step, request: ClaimRequest): Promise<readonly ClaimedTask[]> {
  const repeated = await readRepeated(step, request.token);
  if (repeated.length > 0) return repeated.map((task) => claimedTask(task, request.token, step.now));
  const rows = await takeFirst(step, request);
  if (rows.length === 0) return [];
  const tasks = rows.map(toTask).sort(inClaimOrder);
  const claimed = tasks.map((task) => claimedTask(task, request.token, step.now));
  for (const task of tasks) {
    // Before the claim it was queued with one attempt less; the reason does not matter for the counts of queued tasks.
    record(step, 'claim', task, { state: 'queued', reason: null, attempt: task.attempt - 1 }, task, task.version);
  }
  await storeClaims(step, [claimOf(request.token, request.workerId, claimed)]);
  await freeKeys(step, tasks.filter(({ key, ifExists }) => key !== null && (ifExists === 'replace' || ifExists === 'debounce')));
  return claimed;
}

async function readRepeated(step: Step, token: string): Promise<readonly Task[]> {
  const [known] = await step.tx.query(repeatedClaim, token);
  if (known === undefined) return [];
  const rows = await step.tx.query(runningUnder, known[0], token);
  return rows.map(toTask).sort(inClaimOrder);
}

async function takeFirst(step: Step, request: ClaimRequest): Promise<readonly TaskRow[]> {
  const limit = Math.min(request.limit, limits.batchMax);
  const demands = request.queues.filter((demand) => demand.limit > 0);
  const [only] = demands;
  if (limit <= 0 || only === undefined) return [];
  const lease: readonly SqlValue[] = [request.workerId, request.token, step.now + request.leaseMs, step.now];
  if (demands.length === 1) return await step.tx.query(claimQueue, ...lease, only.name, Math.min(limit, only.limit));
  const first: (readonly [id: string, priority: number, dueAt: number])[] = [];
  for (const demand of demands) first.push(...(await step.tx.query(firstOfQueue, step.now, demand.name, Math.min(limit, demand.limit))));
  if (first.length === 0) return [];
  first.sort((left, right) => left[1] - right[1] || left[2] - right[2] || (left[0] < right[0] ? -1 : 1));
  return await step.tx.query(claimChosen, ...lease, idList(first.slice(0, limit).map(([id]) => id)));
}

function claimedTask(task: Task, token: string, now: number): ClaimedTask {
  // A repeated claim may come when the life is over already.
  const lifeMs = task.expiresAt === null ? null : Math.max(0, task.expiresAt - now);
  const boundByLife = lifeMs !== null && (task.timeoutMs === null || lifeMs < task.timeoutMs);
  return { task, lease: { taskId: task.id, token }, runMs: boundByLife ? lifeMs : task.timeoutMs, boundByLife, parents: noParents };
}

const noParents: ClaimedTask['parents'] = [];

/** claim: queued → running under the caller's token, in order of priority and age. */

import { limits } from '../../core/limits.ts';
import type { ClaimedTask, Task } from '../../core/task.ts';
import type { ClaimRequest, QueueDemand } from '../broker.ts';
import { freeKey } from './keys.ts';
import { createGate, takeTokens } from './limits.ts';
import { inClaimOrder, type Row } from './state.ts';
import { changeTask, type Step } from './step.ts';

export function claim(step: Step, request: ClaimRequest): readonly ClaimedTask[] {
  const repeated = [...step.state.rows.values()].filter((row) => row.token === request.token).sort(inClaimOrder);
  if (repeated.length > 0) return repeated.map((row) => claimedTask(step, row, request.token));
  const rows = take(step, request);
  return rows.map((row) => claimedTask(step, row, request.token));
}

/** Goes through all that is claimable, in claim order: each that is taken leaves less for the next. */
function take(step: Step, request: ClaimRequest): readonly Row[] {
  const limit = Math.min(request.limit, limits.batchMax);
  const left = new Map(request.queues.map((demand) => [demand.name, demand.limit]));
  const hasRoom = createGate(step);
  const taken: Row[] = [];
  for (const row of request.queues.flatMap((demand) => claimable(step, demand)).sort(inClaimOrder)) {
    const ofQueue = left.get(row.task.queue) ?? 0;
    if (taken.length >= limit) break;
    if (ofQueue <= 0 || !hasRoom(row.task)) continue;
    left.set(row.task.queue, ofQueue - 1);
    takeTokens(step, row.task);
    lease(step, row, request);
    taken.push(row);
  }
  return taken;
}

function claimable(step: Step, demand: QueueDemand): readonly Row[] {
  if (step.state.queues.get(demand.name)?.pause) return [];
  return [...step.state.rows.values()].filter(
    ({ task }) => task.queue === demand.name && task.state === 'queued' && isInTime(step, task),
  );
}

function isInTime(step: Step, task: Task): boolean {
  return (task.startBy === null || task.startBy > step.now) && (task.expiresAt === null || task.expiresAt > step.now);
}

function lease(step: Step, row: Row, request: ClaimRequest): void {
  const { task } = row;
  row.token = request.token;
  changeTask(step, 'claim', row, {
    state: 'running',
    reason: null,
    epoch: task.epoch + 1,
    attempt: task.attempt + 1,
    workerId: request.workerId,
    leaseUntil: step.now + request.leaseMs,
    claimedAt: step.now,
    startedAt: null,
    progress: null,
  });
  if (task.ifExists === 'replace' || task.ifExists === 'debounce') freeKey(step, task);
}

function claimedTask(step: Step, row: Row, token: string): ClaimedTask {
  const { task } = row;
  // A repeated claim may come when the life is over already.
  const lifeMs = task.expiresAt === null ? null : Math.max(0, task.expiresAt - step.now);
  const boundByLife = lifeMs !== null && (task.timeoutMs === null || lifeMs < task.timeoutMs);
  return {
    task,
    lease: { taskId: task.id, token },
    runMs: boundByLife ? lifeMs : task.timeoutMs,
    boundByLife,
    parents: [],
  };
}

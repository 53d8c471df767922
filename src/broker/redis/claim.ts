/** claim: queued → running under the caller's token, in order of priority and age (lua/claim.lua). */

import { limits } from '../../core/limits.ts';
import type { ClaimedTask, Task } from '../../core/task.ts';
import type { ClaimRequest } from '../broker.ts';
import type { Connection } from './connection.ts';
import { type Described, readTasks } from './rows.ts';

export async function claim(connection: Connection, request: ClaimRequest): Promise<readonly ClaimedTask[]> {
  return readClaimed(await connection.run<ClaimReply>('claim', [requestText(request)]), request.token);
}

/** The time of the call, and the tasks. */
export type ClaimReply = readonly [now: number, tasks: Described];

/** A request as `take.lua` reads it. */
export function requestText({ token, workerId, leaseMs, limit, queues }: ClaimRequest): string {
  const demands = queues.map((demand) => [demand.name, demand.limit]);
  return JSON.stringify({ token, workerId, leaseMs, limit: Math.min(limit, limits.batchMax), queues: demands });
}

export function readClaimed([now, tasks]: ClaimReply, token: string): readonly ClaimedTask[] {
  return readTasks(tasks).map((task) => claimedTask(task, token, now));
}

function claimedTask(task: Task, token: string, now: number): ClaimedTask {
  // A repeated claim may come when the life is over already.
  const lifeMs = task.expiresAt === null ? null : Math.max(0, task.expiresAt - now);
  const boundByLife = lifeMs !== null && (task.timeoutMs === null || lifeMs < task.timeoutMs);
  const runMs = boundByLife ? lifeMs : task.timeoutMs;
  return { task, lease: { taskId: task.id, token, epoch: task.epoch }, runMs, boundByLife, parents: [] };
}

/** claimOverdue: hands whatever needs a verdict to one judge at a time (lua/claim-overdue.lua). */

import { limits } from '../../core/limits.ts';
import type { OverdueReason, OverdueTask } from '../../core/task.ts';
import type { OverdueRequest } from '../broker.ts';
import type { Connection } from './connection.ts';
import { type Described, readTasks } from './rows.ts';

export async function claimOverdue(
  connection: Connection,
  { token, limit, leaseMs, deadWorkers }: OverdueRequest,
): Promise<readonly OverdueTask[]> {
  const args = [token, Math.min(limit, limits.batchMax), leaseMs, JSON.stringify(deadWorkers)];
  const [described, reasons] = await connection.run<[Described, Buffer[]]>('claim-overdue', args);
  return readTasks(described).map((task, place) => ({
    task,
    lease: { taskId: task.id, token, epoch: task.epoch },
    reason: String(reasons[place]) as OverdueReason,
    failedParents: [],
  }));
}

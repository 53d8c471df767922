/** claimOverdue: hands whatever needs a verdict to one judge at a time (lua/claim-overdue.lua). */

import { limits } from '../../core/limits.ts';
import type { TaskState } from '../../core/states.ts';
import type { FailedParent, OnFailure, OverdueReason, OverdueTask } from '../../core/task.ts';
import type { OverdueRequest } from '../broker.ts';
import type { Connection } from './connection.ts';
import { type Described, readTasks } from './rows.ts';

type Reply = readonly [tasks: Described, reasons: readonly Buffer[], failed: readonly (readonly Buffer[])[]];

export async function claimOverdue(
  connection: Connection,
  { token, limit, leaseMs, deadWorkers }: OverdueRequest,
): Promise<readonly OverdueTask[]> {
  const args = [token, Math.min(limit, limits.batchMax), leaseMs, JSON.stringify(deadWorkers)];
  const reply = await connection.run<Reply>('claim-overdue', args);
  const [described, reasons, failed] = reply;
  return readTasks(described).map((task, place) => ({
    task,
    lease: { taskId: task.id, token, epoch: task.epoch },
    reason: String(reasons[place]) as OverdueReason,
    failedParents: readParents(failed[place] ?? []),
  }));
}

function readParents(list: readonly Buffer[]): readonly FailedParent[] {
  const parents: FailedParent[] = [];
  for (let at = 0; at < list.length; at += 4) {
    const [taskId = '', onFailure, name = '', state = ''] = list.slice(at, at + 4).map(String);
    const about = { taskId, onFailure: onFailure as OnFailure };
    parents.push({ ...about, name: name === '' ? null : name, state: state === '' ? null : (state as TaskState) });
  }
  return parents;
}

/** promote: scheduled → queued for what is due. */

import { limits } from '../../core/limits.ts';
import { changeTask, type Step } from './step.ts';

export function promote(step: Step, limit: number): number {
  const due = [...step.state.rows.values()]
    .filter(({ task }) => task.state === 'scheduled' && task.dueAt <= step.now)
    .sort((left, right) => left.task.dueAt - right.task.dueAt || (left.task.id < right.task.id ? -1 : 1))
    .slice(0, Math.min(limit, limits.batchMax));
  for (const row of due) changeTask(step, 'promote', row, { state: 'queued', reason: null });
  return due.length;
}

/** promote: scheduled → queued for what is due. */

import { limits } from '../../core/limits.ts';
import type { PromoteAnswer } from '../broker.ts';
import { changeTask, type Step } from './step.ts';

export function promote(step: Step, limit: number): PromoteAnswer {
  const scheduled = [...step.state.rows.values()]
    .filter(({ task }) => task.state === 'scheduled')
    .sort((left, right) => left.task.dueAt - right.task.dueAt || (left.task.id < right.task.id ? -1 : 1));
  const due = scheduled
    .slice(0, Math.max(0, Math.min(limit, limits.batchMax)))
    .filter(({ task }) => task.dueAt <= step.now);
  for (const row of due) changeTask(step, 'promote', row, { state: 'queued', reason: null });
  const next = scheduled[due.length];
  return { promoted: due.length, nextInMs: next === undefined ? null : Math.max(0, next.task.dueAt - step.now) };
}

/** remove, update, configure: what people ask for. */

import { checkLimitRules, queueLimitName } from '../../core/limit-rules.ts';
import { checkSettings } from '../../core/settings.ts';
import { isFinished, isWaiting, type TaskState } from '../../core/states.ts';
import type { Task, TaskPatch } from '../../core/task.ts';
import type { RemoveResult, Scope, Settings, TaskChange, UpdateResult } from '../broker.ts';
import { freeKey } from './keys.ts';
import { configureLimit, pauseOf } from './limits.ts';
import { refuseLargeBatch } from './refuse.ts';
import { changeTask, eraseTask, type Step } from './step.ts';
import { configureGroup } from './turns.ts';

export function remove(step: Step, taskIds: readonly string[]): readonly RemoveResult[] {
  refuseLargeBatch(taskIds);
  return taskIds.map((taskId) => removeOne(step, taskId));
}

function removeOne(step: Step, taskId: string): RemoveResult {
  const row = step.state.rows.get(taskId);
  if (row === undefined) return { outcome: 'unknown' };
  if (!isFinished(row.task.state)) return { outcome: 'already', state: row.task.state };
  freeKey(step, row.task);
  eraseTask(step, 'remove', row);
  return { outcome: 'removed' };
}

export function update(step: Step, changes: readonly TaskChange[]): readonly UpdateResult[] {
  refuseLargeBatch(changes);
  for (const { patch } of changes) if (patch.limits !== undefined) checkLimitRules(patch.limits);
  return changes.map((change) => updateOne(step, change));
}

function updateOne(step: Step, change: TaskChange): UpdateResult {
  const row = step.state.rows.get(change.taskId);
  if (row === undefined) return { outcome: 'unknown' };
  const { task } = row;
  if (!isWaiting(task.state)) return { outcome: 'already', state: task.state };
  if (change.version !== null && change.version !== task.version) return { outcome: 'changed', version: task.version };
  changeTask(step, 'update', row, patched(step, task, change.patch));
  return { outcome: 'updated', state: row.task.state };
}

function patched(step: Step, task: Task, patch: TaskPatch): Partial<Task> {
  const { delayMs, ...fields } = patch;
  if (delayMs === undefined) return fields;
  const dueAt = step.now + delayMs;
  const follows: TaskState = dueAt > step.now ? 'scheduled' : 'queued';
  return { ...fields, dueAt, state: task.state === 'blocked' ? 'blocked' : follows };
}

export function configure(step: Step, scope: Scope, name: string, settings: Settings): void {
  checkSettings(scope, name, settings);
  step.configured = true;
  if (scope === 'limit') configureLimit(step, name, settings);
  else if (scope === 'group') configureGroup(step, name, settings);
  else configureQueue(step, name, settings);
}

function configureQueue(step: Step, name: string, { pause, max, rate }: Settings): void {
  const known = step.state.queues.get(name)?.pause ?? null;
  const next = pauseOf(step, known, pause);
  if (max !== undefined || rate !== undefined)
    configureLimit(step, queueLimitName(name), {
      ...(max !== undefined && { max }),
      ...(rate !== undefined && { rate }),
    });
  step.state.queues.set(name, { pause: next });
  if (known !== null && next === null) step.work.add(name);
}

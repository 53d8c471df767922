/** cancel, retry, remove, update, configure: what people ask for. */

import { checkLimitRules, queueLimitName } from '../../core/limit-rules.ts';
import { checkSettings } from '../../core/settings.ts';
import { isFinished, isWaiting, type TaskState } from '../../core/states.ts';
import type { Task, TaskPatch } from '../../core/task.ts';
import type {
  CancelRequest,
  CancelResult,
  RemoveResult,
  RetryResult,
  Scope,
  Settings,
  TaskChange,
  UpdateResult,
} from '../broker.ts';
import { freeKey, holderOf, takeKey } from './keys.ts';
import { configureLimit, pauseOf } from './limits.ts';
import { refuseLargeBatch } from './refuse.ts';
import { changeTask, eraseTask, type Step } from './step.ts';
import { configureGroup } from './turns.ts';

export function cancel(step: Step, request: CancelRequest): readonly CancelResult[] {
  refuseLargeBatch(request.taskIds);
  return request.taskIds.map((taskId) => cancelOne(step, taskId, request.reason));
}

function cancelOne(step: Step, taskId: string, cancelReason: string | null): CancelResult {
  const row = step.state.rows.get(taskId);
  if (row === undefined) return { outcome: 'unknown' };
  const { task } = row;
  if (isFinished(task.state)) return { outcome: 'already', state: task.state };
  if (task.state !== 'running') {
    freeKey(step, task);
    changeTask(step, 'cancel', row, {
      state: 'cancelled',
      reason: 'user',
      cancelReason,
      finishedAt: step.now,
      pruneAt: step.now + task.keepMs,
    });
    return { outcome: 'cancelled' };
  }
  if (task.cancelRequestedAt === null) {
    changeTask(step, 'cancelRequest', row, { cancelRequestedAt: step.now, cancelReason });
    step.cancels.push(taskId);
  }
  return { outcome: 'requested' };
}

export function retry(step: Step, taskIds: readonly string[]): readonly RetryResult[] {
  refuseLargeBatch(taskIds);
  return taskIds.map((taskId) => retryOne(step, taskId));
}

function retryOne(step: Step, taskId: string): RetryResult {
  const row = step.state.rows.get(taskId);
  if (row === undefined) return { outcome: 'unknown' };
  const { task } = row;
  if (!isFinished(task.state)) return { outcome: 'already', state: task.state };
  const holder = holderOf(step, task.key);
  if (holder !== null && holder.taskId !== taskId) return { outcome: 'conflict', of: holder.taskId };
  const generation = task.generation + 1;
  changeTask(step, 'retry', row, {
    state: 'queued',
    reason: 'retry',
    generation,
    attempt: 0,
    crashes: 0,
    interruptions: 0,
    snoozes: 0,
    dueAt: step.now,
    result: null,
    error: null,
    progress: null,
    checkpoints: [],
    workerId: null,
    leaseUntil: null,
    startBy: null,
    expiresAt: null,
    cancelRequestedAt: null,
    cancelReason: null,
    claimedAt: null,
    startedAt: null,
    finishedAt: null,
    pruneAt: null,
  });
  // Neither a late repetition nor a judge of the former generation may speak about this one.
  Object.assign(row, { settledToken: null, judgeToken: null, judgeUntil: null });
  takeKey(step, task);
  return { outcome: 'queued', generation };
}

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

/** restore: inserts tasks with their state as they are. */

import { edgeState } from '../../core/dependencies.ts';
import { isFinished } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import { setEdge } from './edges.ts';
import { holderOf, takeKey } from './keys.ts';
import { refuseFullOutbox } from './outbox.ts';
import { refuseGroup, refuseLargeBatch } from './refuse.ts';
import { closeEdges } from './release.ts';
import { insertTask, type Step } from './step.ts';

export function restore(step: Step, tasks: readonly Task[]): number {
  refuseLargeBatch(
    tasks,
    tasks.map((task) => task.payload),
  );
  tasks.forEach(refuseGroup);
  if (tasks.length > 0) refuseFullOutbox(step.state);
  return tasks.filter((task) => restoreOne(step, task)).length;
}

function restoreOne(step: Step, task: Task): boolean {
  if (step.state.rows.has(task.id)) return false;
  insertTask(step, 'restore', { ...task });
  restoreEdges(step, task);
  restoreKey(step, task);
  return true;
}

/** A parent that is not here may come by a later call: it is waited for. Who runs, or has, holds nothing back any more. */
function restoreEdges(step: Step, task: Task): void {
  const { state } = step;
  for (const { taskId, onFailure } of task.dependsOn) {
    const parent = state.rows.get(taskId)?.task.state;
    const edge = task.state !== 'blocked' ? 'done' : parent === undefined ? 'open' : edgeState(parent, onFailure);
    setEdge(state, task.id, taskId, edge);
  }
  if (isFinished(task.state)) closeEdges(step, task.id);
}

/** The task takes its key when it would hold it and nobody else does; a task never comes back without its row. */
function restoreKey(step: Step, task: Task): void {
  if (task.key === null || holderOf(step, task.key) !== null) return;
  if (!isFinished(task.state)) {
    if (!hasLetGo(task)) takeKey(step, task);
    return;
  }
  if (task.state !== 'succeeded' || task.keyForMs === null || task.finishedAt === null) return;
  const until = task.finishedAt + task.keyForMs;
  if (until > step.now) step.state.keys.set(task.key, { taskId: task.id, until });
}

/** Whether the task was claimed in this generation and gave up its key then. */
function hasLetGo(task: Task): boolean {
  if (task.ifExists !== 'replace' && task.ifExists !== 'debounce') return false;
  return task.state === 'running' || task.attempt + task.crashes + task.interruptions + task.snoozes > 0;
}

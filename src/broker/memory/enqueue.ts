/** enqueue: stores new tasks, each once, one at a time under its key. */

import { inOrder, isLinked } from '../../core/dependencies.ts';
import { checkLimitRules } from '../../core/limit-rules.ts';
import type { NewTask } from '../../core/task.ts';
import type { EnqueueResult } from '../broker.ts';
import { enqueueOne } from './arrive.ts';
import { enqueueLinked } from './link.ts';
import { refuseFullOutbox } from './outbox.ts';
import { refuseGroup, refuseLargeBatch } from './refuse.ts';
import type { Step } from './step.ts';
import { atomically } from './undo.ts';

export function enqueue(step: Step, tasks: readonly NewTask[]): readonly EnqueueResult[] {
  refuseLargeBatch(
    tasks,
    tasks.map((task) => task.payload),
  );
  tasks.forEach(refuseGroup);
  for (const task of tasks) checkLimitRules(task.limits);
  if (tasks.length > 0) refuseFullOutbox(step.state);
  return tasks.some(isLinked)
    ? atomically(step, () => enqueueLinked(step, tasks, 'refuse'))
    : tasks.map((task) => enqueueOne(step, task));
}

/** Throws for tasks that wait for each other: before the settlements that spawn them have taken effect. */
export function checkSpawned(tasks: readonly NewTask[]): void {
  refuseLargeBatch(
    tasks,
    tasks.map((task) => task.payload),
  );
  tasks.forEach(refuseGroup);
  for (const task of tasks) checkLimitRules(task.limits);
  inOrder(tasks);
}

/** Stores what settlements spawned. An unknown parent is one that failed: a settlement is not refused for it. */
export function spawn(step: Step, tasks: readonly NewTask[]): void {
  if (tasks.length > 0) enqueueLinked(step, tasks, 'fail');
}

/** Who holds which key, and until when. */

import type { Task } from '../../core/task.ts';
import type { HeldKey, Row } from './state.ts';
import type { Step } from './step.ts';

/** The holder of a key now, or `null` when it is free. */
export function holderOf(step: Step, key: string | null): HeldKey | null {
  if (key === null) return null;
  const held = step.state.keys.get(key);
  if (held === undefined || (held.until !== null && held.until <= step.now)) return null;
  return held;
}

/** Takes the key for an unfinished task. */
export function takeKey(step: Step, task: Task): void {
  if (task.key !== null) step.state.keys.set(task.key, { taskId: task.id, until: null });
}

/** Lets go of the key when this task is its holder. */
export function freeKey(step: Step, task: Task): void {
  if (holds(step, task)) step.state.keys.delete(task.key);
}

/** Ends the unfinished task's hold: a success may keep the key for a while. */
export function endKey(step: Step, row: Row): void {
  const { task } = row;
  if (!holds(step, task)) return;
  if (task.state === 'succeeded' && task.keyForMs !== null) {
    step.state.keys.set(task.key, { taskId: task.id, until: step.now + task.keyForMs });
  } else {
    step.state.keys.delete(task.key);
  }
}

function holds(step: Step, task: Task): task is Task & { readonly key: string } {
  return task.key !== null && step.state.keys.get(task.key)?.taskId === task.id;
}

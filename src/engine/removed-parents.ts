/**
 * A parent that had ended and was removed holds nothing back any more. But a task that is restored waits for what it names and is not
 * there, as it may yet come: so it comes without the names of these.
 */

import { limits } from '../core/limits.ts';
import type { Task } from '../core/task.ts';
import type { Recording } from '../history/recording.ts';

/** The same tasks, where the recording has all tasks but those that were removed. */
export async function withoutRemovedParents(
  tasks: readonly Task[],
  recording: Pick<Recording, 'tasks'>,
): Promise<readonly Task[]> {
  const blocked = tasks.filter(({ state }) => state === 'blocked');
  const named = [...new Set(blocked.flatMap(({ dependsOn }) => dependsOn.map(({ taskId }) => taskId)))];
  const removed = new Set<string>();
  for (let from = 0; from < named.length; from += limits.batchMax) {
    const part = named.slice(from, from + limits.batchMax);
    const found = await recording.tasks(part);
    part.filter((_taskId, index) => found[index] === null).forEach((taskId) => void removed.add(taskId));
  }
  return removed.size === 0 ? tasks : tasks.map((task) => without(task, removed));
}

/** With no other parent it stays as it is: that its failed one is gone has yet to be judged. */
function without(task: Task, removed: ReadonlySet<string>): Task {
  if (task.state !== 'blocked') return task;
  const dependsOn = task.dependsOn.filter(({ taskId }) => !removed.has(taskId));
  return dependsOn.length === 0 ? task : { ...task, dependsOn };
}

/** What the witness knows of tasks that wait for others: none runs before those it was told to wait for are done. */

import type { Tell } from '../../src/checker/verdict.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import { isFinished } from '../../src/core/states.ts';
import type { NewTask } from '../../src/core/task.ts';

export interface DependencyBook {
  take(event: BatchEvent): void;
  /** Looks at tasks that were handed out. Answers how many of them had parents. */
  claim(taskIds: readonly string[]): number;
}

export function createDependencyBook(asked: ReadonlyMap<string, NewTask>, tell: Tell): DependencyBook {
  const ended = new Set<string>();
  const succeeded = new Set<string>();
  const gone = new Set<string>();
  /** Their edges were asked again: then a parent that is gone counts as done. */
  const retried = new Set<string>();

  function isDone(childId: string, { taskId, onFailure }: NewTask['dependsOn'][number]): boolean {
    if (gone.has(taskId) && retried.has(childId)) return true;
    return (onFailure === 'ignore' ? ended : succeeded).has(taskId);
  }

  return {
    take({ kind, items }) {
      for (const { taskId, to } of items) {
        if (kind === 'retry') retried.add(taskId);
        if (to === null) gone.add(taskId);
        if (to === null || isFinished(to)) ended.add(taskId);
        if (to === 'succeeded') succeeded.add(taskId);
      }
    },
    claim(taskIds) {
      let children = 0;
      for (const childId of taskIds) {
        const dependsOn = asked.get(childId)?.dependsOn ?? [];
        if (dependsOn.length > 0) children += 1;
        for (const parent of dependsOn)
          if (!isDone(childId, parent)) tell('S14', childId, `runs, and its parent ${parent.taskId} is not done`);
      }
      return children;
    },
  };
}

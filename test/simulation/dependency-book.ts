/** What the witness knows of tasks that wait for others: none runs before its parents are done, and none waits after that. */

import type { Tell } from '../../src/checker/verdict.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import { isFinished, isWaiting, type TaskState } from '../../src/core/states.ts';
import type { Dependency, NewTask } from '../../src/core/task.ts';
import { storedBy } from './flow-book.ts';

export interface DependencyBook {
  take(event: BatchEvent): void;
  /** Looks at what a call did, when all its events were taken: whom stored tasks block, and who may wait no more. */
  rest(fresh: readonly BatchEvent[]): void;
  /** Looks at tasks that were handed out. Answers how many of them had parents. */
  claim(taskIds: readonly string[]): number;
}

export function createDependencyBook(asked: ReadonlyMap<string, NewTask>, tell: Tell): DependencyBook {
  const states = new Map<string, TaskState>();
  const ended = new Set<string>();
  const succeeded = new Set<string>();
  /** They ended otherwise at least once. */
  const spoiled = new Set<string>();
  const gone = new Set<string>();
  /** Their edges were asked again: then a parent that is gone counts as done. */
  const retried = new Set<string>();
  /** By child: the parents that others gave it. */
  const gained = new Map<string, Dependency[]>();
  const blockedOnes = new Set<string>();

  const parentsOf = (childId: string): readonly Dependency[] => {
    const dependsOn = asked.get(childId)?.dependsOn ?? [];
    const more = gained.get(childId);
    return more === undefined ? dependsOn : [...dependsOn, ...more];
  };

  function isDone(childId: string, { taskId, onFailure }: Dependency): boolean {
    if (gone.has(taskId) && retried.has(childId)) return true;
    return (onFailure === 'ignore' ? ended : succeeded).has(taskId);
  }

  /**
   * Certainly done, and not only once: it ended well, always, and has not begun anew. A parent that failed before may have
   * left a failed edge, which is for a judge to end, whatever became of the parent after that.
   */
  function isDoneForGood({ taskId, onFailure }: Dependency): boolean {
    const state = states.get(taskId);
    if (state === undefined ? !gone.has(taskId) : !isFinished(state)) return false;
    return onFailure === 'ignore' || (succeeded.has(taskId) && !spoiled.has(taskId));
  }

  /** A task that waits is held back by a new one that blocks it; one that runs or has ended is not. */
  function block(blocker: NewTask, held: ReadonlySet<string>, claimed: ReadonlySet<string>): void {
    for (const { taskId, onFailure } of blocker.blocks) {
      if (parentsOf(taskId).some((parent) => parent.taskId === blocker.id)) continue;
      const more = gained.get(taskId) ?? [];
      if (held.has(taskId)) gained.set(taskId, [...more, { taskId: blocker.id, onFailure }]);
      else if (claimed.has(taskId) || isWaiting(states.get(taskId) ?? 'failed'))
        tell('S14', taskId, `is not held back by ${blocker.id}, which blocks it`);
    }
  }

  return {
    take({ kind, items }) {
      for (const { taskId, to } of items) {
        if (kind === 'retry') retried.add(taskId);
        if (to === null) {
          gone.add(taskId);
          gained.delete(taskId);
          states.delete(taskId);
        } else states.set(taskId, to);
        if (to === 'blocked') blockedOnes.add(taskId);
        else blockedOnes.delete(taskId);
        if (to === null || isFinished(to)) ended.add(taskId);
        if (to === 'succeeded') succeeded.add(taskId);
        else if (to !== null && isFinished(to)) spoiled.add(taskId);
      }
    },
    rest(fresh) {
      const of = (kind: BatchEvent['kind']): ReadonlySet<string> =>
        new Set(fresh.flatMap((event) => (event.kind === kind ? event.items.map(({ taskId }) => taskId) : [])));
      for (const taskId of storedBy(fresh)) {
        const blocker = asked.get(taskId);
        if (blocker !== undefined && blocker.blocks.length > 0) block(blocker, of('block'), of('claim'));
      }
      if (fresh.length === 0) return;
      for (const childId of blockedOnes)
        if (parentsOf(childId).every(isDoneForGood)) tell('S14', childId, 'is blocked, and no parent holds it back');
    },
    claim(taskIds) {
      let children = 0;
      for (const childId of taskIds) {
        const parents = parentsOf(childId);
        if (parents.length > 0) children += 1;
        for (const parent of parents)
          if (!isDone(childId, parent)) tell('S14', childId, `runs, and its parent ${parent.taskId} is not done`);
      }
      return children;
    },
  };
}

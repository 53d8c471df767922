/** S14: tasks that wait for others, and tasks that a run brings along, told by the events and by what handlers said. */

import { isFinished, type TaskState } from '../core/states.ts';
import type { Effect } from './evidence.ts';
import type { Run, Says, TaskStory } from './story.ts';

/** What has become of a task so far, as far as its children may rely on it. */
export interface Ends {
  succeeded: boolean;
  other: boolean;
}

export function noteEnd(ends: Ends, to: TaskState | null): void {
  if (to === 'succeeded') ends.succeeded = true;
  else if (to !== null && isFinished(to)) ends.other = true;
}

/**
 * A claimed task waits for nobody any more: each parent has ended, and as the task wants it. `parentOf` answers `undefined`
 * for a parent that is gone by now, which it can only be after its end.
 */
export function checkParents(
  { asked, generation }: TaskStory,
  parentOf: (taskId: string) => TaskStory | undefined,
  says: Says,
): void {
  for (const { taskId, onFailure } of asked?.dependsOn ?? []) {
    const parent = parentOf(taskId);
    if (parent === undefined) continue;
    // A retry asks the edges again, and a parent that was gone by then held nobody back, whatever has its id now.
    if (generation > 1 && (parent.state === null || parent.enqueues > 1)) continue;
    const ends = parent.ended;
    if (!ends.succeeded && !ends.other) says('S14', `claimed before the end of ${taskId}, which it waits for`);
    else if (!ends.succeeded && onFailure !== 'ignore') says('S14', `claimed although ${taskId} has not succeeded`);
  }
}

/** What a run brought along is there exactly when that run succeeded. `isStored` is about the numbers of requests. */
export function checkSpawned(
  spawned: readonly Effect[],
  runs: readonly Run[],
  isStored: (n: number) => boolean,
  says: Says,
): void {
  for (const { epoch, child } of spawned) {
    if (child === undefined) continue;
    const hasSucceeded = runs[epoch - 1]?.ended?.to === 'succeeded';
    if (hasSucceeded && !isStored(child.n))
      says('S14', `epoch ${epoch} succeeded without ${child.taskId}, which it spawned`);
    if (!hasSucceeded && isStored(child.n))
      says('S14', `epoch ${epoch} brought ${child.taskId} along and did not succeed`);
  }
}

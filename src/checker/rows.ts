/** What a store says of a task at the end, against what its events said. */

import { isFinished } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import type { TaskStory } from './story.ts';
import type { Rule, Tell } from './verdict.ts';

/** The row says what the events say, and nothing final holds anything. */
export function checkRow(task: Task, story: TaskStory | undefined, tell: Tell): void {
  const says = (rule: Rule, sentence: string): void => tell(rule, task.id, sentence);
  if (isFinished(task.state) && task.leaseUntil !== null) says('S11', `it is ${task.state} and has a lease`);
  if (story === undefined || story.version === 0) {
    says('S18', 'it has no event');
    return;
  }
  if (story.state !== task.state) says('S18', `its events end in ${story.state}, the row says ${task.state}`);
  if (story.version !== task.version)
    says('S18', `its events end with version ${story.version}, the row says ${task.version}`);
  if (story.attempt !== task.attempt)
    says('S8', `its events end with attempt ${story.attempt}, the row says ${task.attempt}`);
  if (story.claims !== task.epoch) says('S6', `it has epoch ${task.epoch} after ${story.claims} claims`);
  const epoch = task.result === null ? task.epoch : epochOf(task.result);
  if (epoch !== task.epoch) says('S4', `its result is of epoch ${epoch}, its last claim was ${task.epoch}`);
}

/** Handlers under watch return the epoch they ran in. */
function epochOf(result: string): number {
  return (JSON.parse(result) as { readonly epoch: number }).epoch;
}

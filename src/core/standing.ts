/** How tasks stand: what changes of them on their way, without what they came with. */

import type { Task } from './task.ts';

/** How a task stands, without what never changes of it. */
export type Standing = Pick<
  Task,
  | 'state'
  | 'reason'
  | 'version'
  | 'epoch'
  | 'attempt'
  | 'crashes'
  | 'interruptions'
  | 'snoozes'
  | 'dueAt'
  | 'claimedAt'
  | 'startedAt'
  | 'finishedAt'
  | 'pruneAt'
  | 'leaseUntil'
  | 'workerId'
>;

/** `standing` may be one object for all that stand alike. */
export interface Stand {
  readonly standing: Standing;
  readonly result: string | null;
}

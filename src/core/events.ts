/** Durable facts about what happened: one event row per call of the seam, many items in it. */

import type { Reason, TaskState, TransitionName } from './states.ts';
import type { TaskError } from './task.ts';

/** One task's part in an event. */
export interface EventItem {
  readonly taskId: string;
  readonly name: string;
  readonly queue: string;
  /** The task's version after the change. */
  readonly version: number;
  readonly from: TaskState | null;
  readonly to: TaskState | null;
  readonly reason: Reason | null;
  readonly attempt: number;
}

/** What one call changed. `seq` grows by commit order within a store. */
export interface BatchEvent {
  readonly seq: number;
  readonly at: number;
  /** The last three carry no items: settings, commands and schedules are no tasks. */
  readonly kind: TransitionName | 'cancelRequest' | 'configure' | 'control' | 'fire';
  readonly items: readonly EventItem[];
}

/** Tells an event from any other that gets its number, in a store that went back and on from there: that one is of a later time. */
export function markOf({ at, kind, items }: BatchEvent): string {
  return `${at} ${kind} ${items.length} ${items[0]?.taskId ?? ''}`;
}

/** One line of a task's timeline: a fact beyond what its row tells. */
export interface TimelineEntry {
  readonly at: number;
  readonly kind: string;
  /** A sentence for people. */
  readonly text: string;
}

/** One ended run that did not simply succeed at once. */
export interface Attempt {
  readonly epoch: number;
  readonly attempt: number;
  readonly workerId: string | null;
  readonly claimedAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number;
  /** Where the task went, and why. */
  readonly to: TaskState;
  readonly reason: Reason | null;
  readonly error: TaskError | null;
}

/** The part of the seam about schedules. */

import type { Pause } from '../core/facts.ts';
import type { Firing, NewSchedule, ScheduleRecord, SkipReason } from '../core/schedule.ts';

export type PutResult = 'created' | 'changed' | 'unchanged';

/** What became of one firing. */
export type FireResult =
  /** Its task is in the store. `created` is false when it was there before: another one of the same time. */
  | { readonly outcome: 'fired'; readonly taskId: string; readonly created: boolean }
  /** Somebody else did it, or the schedule has changed: nothing was done. */
  | { readonly outcome: 'moved' }
  /** The last task, `of`, is unfinished: the time was skipped. */
  | { readonly outcome: 'overlapping'; readonly of: string }
  /** The time, or all of them, were skipped. */
  | { readonly outcome: 'skipped'; readonly reason: Exclude<SkipReason, 'overlap'> }
  | { readonly outcome: 'unknown' };

/** The schedules that are due at `now`, the earliest first, and when the next one after them is. */
export interface DueSchedules {
  readonly now: number;
  readonly schedules: readonly ScheduleRecord[];
  readonly nextDueAt: number | null;
}

/** Schedules of the store. Which firings are due, and what is skipped, is said by core/schedule.ts. */
export interface Schedules {
  /** An equal definition changes nothing, not even the next time. */
  put(schedules: readonly NewSchedule[]): Promise<readonly PutResult[]>;
  /** Inserts schedules as they are (move, repair); names that are known are left alone. Answers how many were new. */
  restore(schedules: readonly ScheduleRecord[]): Promise<number>;
  /** Answers which of the names were there. Their tasks stay. */
  delete(names: readonly string[]): Promise<readonly boolean[]>;
  /** Pauses, or resumes with `null`; answers which of the names are there. */
  pause(names: readonly string[], pause: Omit<Pause, 'at'> | null): Promise<readonly boolean[]>;
  /** Fires and skips, one after the other, each at most once. */
  fire(firings: readonly Firing[]): Promise<readonly FireResult[]>;
  due(limit: number): Promise<DueSchedules>;
  get(names: readonly string[]): Promise<readonly (ScheduleRecord | null)[]>;
  /** By name, those behind `after`. */
  list(after: string | null, limit: number): Promise<readonly ScheduleRecord[]>;
}

/** A schedule in a process that has its code: what its task's `schedule()` made. */

import type { TaskDefinition } from './definition.ts';
import type { ScheduleDefinition } from './schedule.ts';

/** Where a value made by `task.schedule()` carries its {@link CodeSchedule}; registered like the brand of tasks. */
export const scheduleBrand = Symbol.for('taskflow.schedule');

/** The time a schedule was due, for functions that make an input of it. */
export interface ScheduleFiring {
  /** The time of the schedule, not when the task runs: the same for every attempt. */
  readonly at: Date;
}

export interface CodeSchedule {
  readonly name: string;
  readonly task: TaskDefinition;
  /** Makes the input of a firing, in the worker; `null` where it is stored. */
  readonly makeInput: ((firing: ScheduleFiring) => unknown) | null;
  /**
   * What is stored of it. Takes the project's defaults of this moment, and rejects with INVALID_INPUT where only waiting for
   * the schema shows that the input is wrong.
   */
  define(): Promise<ScheduleDefinition>;
}

/** The schedule a value carries, or `null` when it is none. */
export function scheduleOf(value: unknown): CodeSchedule | null {
  if (value === null || typeof value !== 'object' || !(scheduleBrand in value)) return null;
  return value[scheduleBrand] as CodeSchedule;
}

/** The schedules among the exports of modules, objects of schedules, or schedules themselves. */
export function schedulesIn(sources: unknown): readonly CodeSchedule[] {
  const found = new Set<CodeSchedule>();
  for (const source of Array.isArray(sources) ? sources : [sources]) {
    const values = typeof source === 'object' && source !== null ? Object.values(source) : [];
    for (const value of [source, ...values]) {
      const schedule = scheduleOf(value);
      if (schedule !== null) found.add(schedule);
    }
  }
  return [...found];
}

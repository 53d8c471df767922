/** How a schedule is written in its row, and read back. */

import type { FiringRecord, ScheduleRecord } from '../../core/schedule.ts';

/** The columns of a schedule in the order of {@link ScheduleRow}. */
export const scheduleColumns =
  'name, version, next_at, due_at, paused_at, paused_by, pause_reason, last_task_id, created_at, changed_at, definition, recent';

export type ScheduleRow = readonly [
  name: string,
  version: number,
  nextAt: number | null,
  dueAt: number | null,
  pausedAt: number | null,
  pausedBy: string | null,
  pauseReason: string | null,
  lastTaskId: string | null,
  createdAt: number,
  changedAt: number,
  definition: string,
  recent: string,
];

export function toSchedule(row: ScheduleRow): ScheduleRecord {
  const [
    name,
    version,
    nextAt,
    dueAt,
    pausedAt,
    pausedBy,
    reason,
    lastTaskId,
    createdAt,
    changedAt,
    definition,
    recent,
  ] = row;
  return {
    name,
    definition,
    version,
    next: nextAt === null || dueAt === null ? null : { at: nextAt, dueAt },
    pause: pausedAt === null ? null : { by: pausedBy ?? '', reason, at: pausedAt },
    lastTaskId,
    createdAt,
    changedAt,
    recent: JSON.parse(recent) as readonly FiringRecord[],
  };
}

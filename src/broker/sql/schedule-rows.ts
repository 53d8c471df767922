/** How a schedule is written in its row, and read back. */

import type { FiringRecord, ScheduleRecord } from '../../core/schedule.ts';

/** The columns of a schedule in the order of {@link ScheduleRow}. */
export const scheduleTypes = {
  name: 'text',
  version: 'bigint',
  next_at: 'bigint',
  due_at: 'bigint',
  paused_at: 'bigint',
  paused_by: 'text',
  pause_reason: 'text',
  last_task_id: 'text',
  created_at: 'bigint',
  changed_at: 'bigint',
  definition: 'text',
  recent: 'text',
} as const;

export const scheduleColumns = Object.keys(scheduleTypes).join(', ');

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

export function toScheduleRow(schedule: ScheduleRecord): ScheduleRow {
  const { name, version, next, pause, lastTaskId, createdAt, changedAt, definition, recent } = schedule;
  return [
    name,
    version,
    next?.at ?? null,
    next?.dueAt ?? null,
    pause?.at ?? null,
    pause?.by ?? null,
    pause?.reason ?? null,
    lastTaskId,
    createdAt,
    changedAt,
    definition,
    JSON.stringify(recent),
  ];
}

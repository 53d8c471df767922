/** The schemas of what operations on schedules answer. */

import { z } from 'zod';
import { overlaps } from '../core/schedule.ts';
import { count, documentSchema, durationMs, next, pause, time } from './output.ts';
import type {
  AskedFiringDocument,
  BackfillDocument,
  DeletedScheduleDocument,
  SchedulePage,
  ScheduleTimesDocument,
} from './schedule.ts';
import type { FiringDocument, ScheduleDocument, ScheduleTimeDocument } from './schedule-document.ts';

const firing = documentSchema<FiringDocument>()(
  'Firing',
  z.strictObject({
    at: time,
    until: time.nullable(),
    count: count.nullable(),
    outcome: z.enum(['fired', 'skipped']),
    reason: z.enum(['missed', 'paused', 'overlap', 'key']).nullable(),
    taskId: z.string().nullable(),
    asked: z.boolean(),
    recordedAt: time,
  }),
);

export const scheduleOutput = documentSchema<ScheduleDocument>()(
  'Schedule',
  z.strictObject({
    name: z.string(),
    task: z.string(),
    queue: z.string(),
    state: z.enum(['active', 'paused', 'ended', 'unreadable']),
    words: z.string(),
    cron: z.string().nullable(),
    timezone: z.string().nullable(),
    everyMs: durationMs.nullable(),
    jitterMs: durationMs,
    overlap: z.enum(overlaps),
    catchUp: z.string(),
    input: z.unknown(),
    madeInWorker: z.boolean(),
    pause: pause.nullable(),
    next: z.array(time),
    dueAt: time.nullable(),
    clockNote: z.string().nullable(),
    recent: z.array(firing),
    orphaned: z.boolean(),
    file: z.string().nullable(),
    version: count,
    createdAt: time,
    changedAt: time,
  }),
);

export const schedulePageOutput = documentSchema<SchedulePage>()(
  'ScheduleList',
  z.strictObject({ schedules: z.array(scheduleOutput), next }),
);

const scheduleTime = documentSchema<ScheduleTimeDocument>()(
  'ScheduleTime',
  z.strictObject({ at: time, local: z.string(), note: z.string().nullable() }),
);

export const scheduleTimesOutput = documentSchema<ScheduleTimesDocument>()(
  'ScheduleTimes',
  z.strictObject({ times: z.array(scheduleTime) }),
);

export const askedFiringOutput = documentSchema<AskedFiringDocument>()(
  'AskedFiring',
  z.strictObject({
    schedule: z.string(),
    at: time,
    outcome: z.enum(['created', 'existing', 'skipped']),
    taskId: z.string().nullable(),
  }),
);

export const deletedScheduleOutput = documentSchema<DeletedScheduleDocument>()(
  'DeletedSchedule',
  z.strictObject({ name: z.string(), deleted: z.boolean() }),
);

export const backfillOutput = documentSchema<BackfillDocument>()(
  'Backfill',
  z.strictObject({
    schedule: z.string(),
    from: time,
    until: time,
    times: count,
    created: count,
    existing: count,
    skipped: count,
    dryRun: z.boolean(),
  }),
);

/** The schemas of what operations on the whole answer. */

import { z } from 'zod';
import { count, documentSchema, durationMs, time, viewCounts } from './output.ts';
import { relayStatus } from './relay-output.ts';
import type { ActivityDocument, CountsDocument, HealthDocument, MinuteDocument, RecordDocument } from './system.ts';

const kept = { durability: z.enum(['strict', 'standard', 'volatile', 'unverified']), detail: z.string() };

const record = documentSchema<RecordDocument>()(
  'Record',
  z.strictObject({
    problem: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
    database: z.strictObject(kept).nullable(),
    gap: z.strictObject({ from: time.nullable(), to: time, restored: count }).nullable(),
    unrecorded: count,
    refused: z.strictObject({ id: z.string(), problem: z.string() }).nullable(),
  }),
);

export const healthOutput = documentSchema<HealthDocument>()(
  'Health',
  z.strictObject({
    status: z.literal('ok'),
    store: z.strictObject({
      kind: z.enum(['memory', 'sqlite', 'postgres', 'redis', 'http']),
      ...kept,
      protocol: z.int(),
    }),
    workers: count,
    slots: count,
    running: count,
    stalled: count,
    lagMs: durationMs,
    record: record.nullable(),
    relay: z.strictObject(relayStatus).nullable(),
    disk: z.strictObject({ freeBytes: count, totalBytes: count }).nullable(),
    now: time,
  }),
);

export const countsOutput = documentSchema<CountsDocument>()(
  'Counts',
  z.strictObject({
    counts: viewCounts,
    queues: z.record(z.string(), count),
    names: z.record(z.string(), count),
    waiting: z.record(z.string(), count),
    now: time,
  }),
);

const minute = documentSchema<MinuteDocument>()(
  'Minute',
  z.strictObject({ at: time, succeeded: count, failed: count, cancelled: count, retried: count }),
);

export const activityOutput = documentSchema<ActivityDocument>()(
  'Activity',
  z.strictObject({
    minutes: z.array(minute),
    stepMinutes: count,
    queues: z.record(z.string(), z.strictObject({ finished: z.array(count), perMinute: z.number().min(0) })),
    names: z.record(z.string(), z.strictObject({ succeeded: count, failed: count, meanRunMs: durationMs.nullable() })),
  }),
);

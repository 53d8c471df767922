/** The schemas of what operations on queues answer. */

import { z } from 'zod';
import { count, documentSchema, durationMs, pause, rate, viewCounts } from './output.ts';
import type { QueueDocument, QueueListDocument } from './queue.ts';
import type { QueueScaleDocument } from './queue-scale.ts';

export const queueOutput = documentSchema<QueueDocument>()(
  'Queue',
  z.strictObject({
    name: z.string(),
    state: z.enum(['active', 'paused']),
    pause: pause.nullable(),
    max: z.int().nullable(),
    rate: rate.nullable(),
    counts: viewCounts,
    waiting: count,
    running: count,
    oldestWaitMs: durationMs.nullable(),
    workers: count,
    slots: count,
  }),
);

export const queueListOutput = documentSchema<QueueListDocument>()(
  'QueueList',
  z.strictObject({ queues: z.array(queueOutput) }),
);

export const queueScaleOutput = documentSchema<QueueScaleDocument>()(
  'QueueScale',
  z.strictObject({
    name: z.string(),
    waiting: count,
    running: count,
    slots: count,
    workers: count,
    oldestWaitMs: durationMs.nullable(),
    wantedWorkers: count,
  }),
);

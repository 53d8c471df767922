/** The schemas of what operations on queues answer. */

import { z } from 'zod';
import { count, documentSchema, durationMs, pause, rate, time, view, viewCounts } from './output.ts';
import type { QueueDocument, QueueListDocument } from './queue.ts';
import type { PeekedTaskDocument, QueuePeekDocument } from './queue-peek.ts';
import type { QueueScaleDocument } from './queue-scale.ts';
import { gateOutput } from './task-output.ts';

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

const peekedTaskOutput = documentSchema<PeekedTaskDocument>()(
  'PeekedTask',
  z.strictObject({
    position: z.int().min(1),
    id: z.string(),
    name: z.string(),
    view,
    stands: z.enum(['next', 'held', 'scheduled']),
    priority: z.int(),
    group: z.string().nullable(),
    dueAt: time,
    why: gateOutput.nullable(),
  }),
);

export const queuePeekOutput = documentSchema<QueuePeekDocument>()(
  'QueuePeek',
  z.strictObject({ name: z.string(), tasks: z.array(peekedTaskOutput) }),
);

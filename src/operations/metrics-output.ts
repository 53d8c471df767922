/** The schemas of what operations for machines answer. */

import { z } from 'zod';
import type { EndedFigures, MetricsDocument, QueueFigures } from './metrics.ts';
import { count, documentSchema, durationMs, time, viewCounts } from './output.ts';
import type { ReadinessDocument } from './readiness.ts';
import { relayStatus } from './relay-output.ts';

export const readinessOutput = documentSchema<ReadinessDocument>()(
  'Readiness',
  z.strictObject({ ready: z.boolean(), services: count }),
);

const queueFigures = documentSchema<QueueFigures>()(
  'QueueFigures',
  z.strictObject({
    name: z.string(),
    paused: z.boolean(),
    counts: viewCounts,
    oldestWaitMs: durationMs.nullable(),
    workers: count,
    slots: count,
  }),
);

const endedFigures = documentSchema<EndedFigures>()(
  'EndedFigures',
  z.strictObject({
    at: time,
    queue: z.string(),
    succeeded: count,
    failed: count,
    cancelled: count,
    retried: count,
    waitMs: durationMs,
    runMs: durationMs,
    waited: z.array(count),
    ran: z.array(count),
  }),
);

export const metricsOutput = documentSchema<MetricsDocument>()(
  'Metrics',
  z.strictObject({
    now: time,
    queues: z.array(queueFigures),
    ended: z.array(endedFigures).nullable(),
    endedFrom: time.nullable(),
    boundsMs: z.array(durationMs),
    workers: z.strictObject({ ready: count, draining: count, silent: count }),
    servers: count,
    slots: count,
    running: count,
    blocked: count,
    stalled: count,
    loopLagMs: durationMs,
    lagMs: durationMs,
    relay: z.strictObject(relayStatus).nullable(),
  }),
);

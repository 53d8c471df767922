/** The schemas of what operations that look back answer. */

import { z } from 'zod';
import { count, documentSchema, durationMs, next, time } from './output.ts';
import type { DepthStatsDocument, TimelineStatsDocument } from './stats.ts';

const page = { from: time, to: time, next };

export const timelineStatsOutput = documentSchema<TimelineStatsDocument>()(
  'TimelineStats',
  z.strictObject({
    ...page,
    rows: z.array(
      z.strictObject({
        at: time,
        queue: z.string(),
        name: z.string(),
        succeeded: count,
        failed: count,
        cancelled: count,
        retried: count,
        meanWaitMs: durationMs.nullable(),
        meanRunMs: durationMs.nullable(),
      }),
    ),
  }),
);

export const depthStatsOutput = documentSchema<DepthStatsDocument>()(
  'DepthStats',
  z.strictObject({
    ...page,
    rows: z.array(
      z.strictObject({ at: time, queue: z.string(), waiting: count, running: count, slots: count, workers: count }),
    ),
  }),
);

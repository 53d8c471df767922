/** The schemas of what operations on limits answer. */

import { z } from 'zod';
import type { LimitDocument, LimitListDocument } from './limit.ts';
import { count, documentSchema, next, pause, rate } from './output.ts';

export const limitOutput = documentSchema<LimitDocument>()(
  'Limit',
  z.strictObject({
    name: z.string(),
    state: z.enum(['active', 'paused']),
    max: z.int().nullable(),
    rate: rate.nullable(),
    pause: pause.nullable(),
    running: count,
  }),
);

export const limitListOutput = documentSchema<LimitListDocument>()(
  'LimitList',
  z.strictObject({ limits: z.array(limitOutput), next }),
);

/** The schema of what the operation on signs answers. */

import { z } from 'zod';
import { errorGroupFields } from './error-output.ts';
import { count, documentSchema, time } from './output.ts';
import type { SignsDocument } from './signs.ts';

export const signsOutput = documentSchema<SignsDocument>()(
  'Signs',
  z.strictObject({
    asOf: time.nullable(),
    growing: z.array(z.strictObject({ queue: z.string(), perMinute: z.number(), minutes: count })),
    errors: z.array(
      z.strictObject({
        ...errorGroupFields,
        sign: z.enum(['new', 'regressed', 'faster']),
        times: z.number().nullable(),
      }),
    ),
    quiet: z.array(z.string()),
    schedules: z.array(
      z.strictObject({ name: z.string(), sign: z.enum(['missed', 'late']), at: time, count: count.nullable() }),
    ),
  }),
);

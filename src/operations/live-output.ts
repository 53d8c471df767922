/** The schema of what following answers before its messages come. */

import { z } from 'zod';
import type { LivePlan } from './live.ts';
import { documentSchema } from './output.ts';

export const livePlanOutput = documentSchema<LivePlan>()(
  'LivePlan',
  z.strictObject({ topics: z.array(z.string()), after: z.string().nullable() }),
);

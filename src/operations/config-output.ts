/** The schema of what the operation on settings answers. */

import { z } from 'zod';
import type { ConfigDocument } from './config.ts';
import { documentSchema } from './output.ts';

export const configOutput = documentSchema<ConfigDocument>()(
  'Config',
  z.strictObject({
    settings: z.array(z.strictObject({ key: z.string(), value: z.unknown(), origin: z.string() })),
  }),
);

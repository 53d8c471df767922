/** The schemas of what operations on flows answer. */

import { z } from 'zod';
import type { FlowDocument, FlowListDocument } from './flow.ts';
import { documentSchema, next, view, viewCounts } from './output.ts';
import { listedTask } from './task-output.ts';

export const flowListOutput = documentSchema<FlowListDocument>()(
  'FlowList',
  z.strictObject({ flows: z.array(listedTask), next }),
);

export const flowOutput = documentSchema<FlowDocument>()(
  'Flow',
  z.strictObject({
    flow: listedTask,
    counts: viewCounts,
    tasks: z.array(z.strictObject({ id: z.string(), name: z.string(), view, waitsFor: z.string().nullable() })),
    more: z.boolean(),
  }),
);

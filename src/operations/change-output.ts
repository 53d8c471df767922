/** The schemas of what changes of tasks answer. */

import { z } from 'zod';
import { type ManyDocument, manyOutcomes } from './many-document.ts';
import { count, documentSchema, state } from './output.ts';
import type { UpdateDocument } from './task-change.ts';

const id = z.string().describe('Id of a task');

export const updateOutput = documentSchema<UpdateDocument>()(
  'Updated',
  z.strictObject({ id, outcome: z.literal('updated'), state }),
);

export const manyOutput = documentSchema<ManyDocument>()(
  'ManyTasks',
  z.strictObject({
    tasks: z.array(z.strictObject({ id, outcome: z.enum(manyOutcomes), state: state.nullable() })),
    done: count,
  }),
);

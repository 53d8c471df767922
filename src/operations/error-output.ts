/** The schemas of what operations on errors answer. */

import { z } from 'zod';
import type { ErrorDocument, ErrorGroupDocument, ErrorListDocument } from './error.ts';
import type { ErrorMarkedDocument } from './error-mark.ts';
import { count, documentSchema, time } from './output.ts';
import { listedTask } from './task-output.ts';

export const errorMarkFields = {
  as: z.enum(['muted', 'resolved']),
  by: z.string(),
  reason: z.string().nullable(),
  at: time,
  until: time.nullable(),
};

export const errorGroupFields = {
  fingerprint: z.string(),
  task: z.string(),
  errorName: z.string(),
  message: z.string(),
  lastHour: count,
  lastDay: count,
  count,
  firstSeenAt: time,
  lastSeenAt: time,
  newestId: z.string(),
  mark: z.strictObject(errorMarkFields).nullable(),
};

const group = documentSchema<ErrorGroupDocument>()('ErrorGroup', z.strictObject(errorGroupFields));

export const errorListOutput = documentSchema<ErrorListDocument>()(
  'ErrorList',
  z.strictObject({ errors: z.array(group), looked: count, exact: z.boolean() }),
);

export const errorOutput = documentSchema<ErrorDocument>()(
  'ErrorRecord',
  z.strictObject({ ...errorGroupFields, stack: z.string().nullable(), exact: z.boolean(), tasks: z.array(listedTask) }),
);

export const errorMarkOutput = documentSchema<ErrorMarkedDocument>()(
  'ErrorMark',
  z.strictObject({ fingerprint: z.string(), mark: z.strictObject(errorMarkFields).nullable() }),
);

/** The schemas of what operations on errors answer. */

import { z } from 'zod';
import type { ErrorDocument, ErrorGroupDocument, ErrorListDocument } from './error.ts';
import { count, documentSchema, time } from './output.ts';
import { listedTask } from './task-output.ts';

const fields = {
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
};

const group = documentSchema<ErrorGroupDocument>()('ErrorGroup', z.strictObject(fields));

export const errorListOutput = documentSchema<ErrorListDocument>()(
  'ErrorList',
  z.strictObject({ errors: z.array(group), looked: count, exact: z.boolean() }),
);

export const errorOutput = documentSchema<ErrorDocument>()(
  'ErrorRecord',
  z.strictObject({ ...fields, stack: z.string().nullable(), exact: z.boolean(), tasks: z.array(listedTask) }),
);

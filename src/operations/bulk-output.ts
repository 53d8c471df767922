/** The schemas of what bulk operations answer. */

import { z } from 'zod';
import { bulkVerbs } from '../core/bulk.ts';
import type { BulkCreatedDocument, BulkDocument, BulkListDocument } from './bulk.ts';
import { count, documentSchema, next, rate, state, time, view } from './output.ts';
import { listedTask } from './task-output.ts';

const text = z.string().nullable();
const queues = z.array(z.string()).nullable();

export const bulkOutput = documentSchema<BulkDocument>()(
  'BulkOperation',
  z.strictObject({
    id: z.string(),
    verb: z.enum(bulkVerbs),
    q: z.string(),
    ids: z.array(z.string()).nullable(),
    queue: text,
    priority: z.int().nullable(),
    queues,
    by: z.string(),
    reason: text,
    rate: rate.nullable(),
    state,
    view,
    matched: count,
    exact: z.boolean(),
    done: count,
    refused: count,
    failures: z.array(z.strictObject({ id: z.string(), outcome: z.string() })),
    createdAt: time,
    startsAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
    error: text,
  }),
);

export const bulkCreatedOutput = documentSchema<BulkCreatedDocument>()(
  'BulkCreated',
  z.strictObject({
    matched: count,
    exact: z.boolean(),
    queues,
    sample: z.array(listedTask),
    operation: bulkOutput.nullable(),
  }),
);

export const bulkListOutput = documentSchema<BulkListDocument>()(
  'BulkList',
  z.strictObject({ operations: z.array(bulkOutput), next }),
);

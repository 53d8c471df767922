/** The schemas of what operations on the audit answer. */

import { z } from 'zod';
import type { AuditDocument, AuditListDocument } from './audit.ts';
import { documentSchema, next, time } from './output.ts';

export const auditOutput = documentSchema<AuditDocument>()(
  'Audit',
  z.strictObject({
    id: z.string(),
    at: time,
    actor: z.string(),
    key: z.string().nullable(),
    address: z.string().nullable(),
    requestId: z.string().nullable(),
    operation: z.string(),
    text: z.string(),
    outcome: z.string().nullable().describe('done, or the code of the error; null for what was begun and not ended'),
    input: z.unknown(),
    before: z.unknown(),
    after: z.unknown(),
  }),
);

export const auditListOutput = documentSchema<AuditListDocument>()(
  'AuditList',
  z.strictObject({ rows: z.array(auditOutput), next }),
);

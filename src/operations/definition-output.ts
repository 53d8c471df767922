/** The schemas of what operations on definitions answer. */

import { z } from 'zod';
import type { DefinitionDocument, DefinitionListDocument, DefinitionRecordDocument } from './definition.ts';
import { count, documentSchema, durationMs, next, rate } from './output.ts';

const text = z.string().nullable();

const policy = z
  .strictObject({
    attempts: count,
    backoff: z.enum(['fixed', 'exponential']),
    delayMs: durationMs,
    factor: z.number(),
    maxMs: durationMs,
    jitter: z.enum(['equal', 'full', 'none']),
    keepSucceededMs: durationMs,
    keepFailedMs: durationMs,
    strictCancel: z.boolean(),
    isolate: z.enum(['none', 'process']),
    redact: z.array(z.string()).nullable(),
  })
  .meta({ id: 'Policy' });

const fields = {
  name: z.string(),
  description: text,
  queue: z.string(),
  timeoutMs: durationMs.nullable(),
  policy,
  key: text,
  keyForMs: durationMs.nullable(),
  ifExists: z.enum(['return', 'replace', 'debounce', 'error']),
  group: text,
  limits: z.array(z.strictObject({ key: text, max: z.int().nullable(), rate: rate.nullable() })),
  isFlow: z.boolean(),
  schedules: z.array(z.string()),
  file: text,
  schemaVersion: text,
  workers: count,
  versions: z.array(z.strictObject({ version: text, workers: z.array(z.string()) })),
  mismatch: z.boolean(),
};

const definition = documentSchema<DefinitionDocument>()('Definition', z.strictObject(fields));

export const definitionListOutput = documentSchema<DefinitionListDocument>()(
  'DefinitionList',
  z.strictObject({ definitions: z.array(definition), next }),
);

export const definitionRecordOutput = documentSchema<DefinitionRecordDocument>()(
  'DefinitionRecord',
  z.strictObject({ ...fields, inputSchema: z.unknown() }),
);

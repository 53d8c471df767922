/** The schemas of the inputs of bulk operations. Loaded lazily, as schemas.ts is. */

import { z } from 'zod';
import { bulkVerbs } from '../core/bulk.ts';
import { formatDuration } from '../core/duration.ts';
import { limits } from '../core/limits.ts';
import { isMuteLength } from './error-marks.ts';
import { duration, listInput, priority, rate, text } from './schemas.ts';

const asked = {
  q: z.string().min(1).max(limits.filterMax).optional().describe('A filter: state:failed err:7f3a since:6h'),
  ids: z
    .array(text(40))
    .min(1)
    .max(limits.bulkIdsMax)
    .optional()
    .describe('The tasks themselves, in the place of a filter'),
  reason: z.string().max(limits.errorMessageMax).optional(),
  rate: rate.optional().describe('Tasks in a time; as fast as the store takes it when left out'),
  delay: duration.optional().describe('Time to undo it before anything happens; 10s when left out'),
  dryRun: z.boolean().optional().describe('Count the tasks and do nothing'),
};

export const bulkInput = z.strictObject({
  verb: z.enum(bulkVerbs).exclude(['remove']),
  ...asked,
  queue: text(limits.nameMax).optional().describe('Where they move to, with move'),
  priority: priority.optional(),
});
export const bulkRemoveInput = z.strictObject(asked);
export const purgeInput = bulkRemoveInput.omit({ q: true, ids: true }).extend({ name: text(limits.nameMax) });
const fingerprint = z.string().regex(/^\w{1,64}$/, 'it is not the fingerprint of an error');
export const errorInput = z.strictObject({ fingerprint });
export const errorMarkInput = z.strictObject({
  fingerprint,
  as: z.enum(['muted', 'resolved', 'open']).describe('`resolved` counts from then on, `open` takes back what was said'),
  // Here and not in the operation: the row of the audit is the mark.
  for: duration
    .refine(isMuteLength, `must be a duration of at most ${formatDuration(limits.errorMuteMsMax)}, such as 7d`)
    .optional()
    .describe('How long it is muted; 7d when left out'),
  reason: z.string().max(limits.errorMessageMax).optional(),
});
export const errorRetryInput = bulkRemoveInput.omit({ q: true, ids: true }).extend({ fingerprint });
export const errorListInput = z.strictObject({ limit: z.coerce.number().int().min(1).max(limits.pageMax).optional() });
/** Each of them is read whole, with up to 100 of its failures. */
export const bulkListInput = listInput
  .omit({ q: true })
  .extend({ limit: z.coerce.number().int().min(1).max(100).optional() });

export type BulkInput = z.output<typeof bulkInput>;
export type BulkRemoveInput = z.output<typeof bulkRemoveInput>;
export type BulkListInput = z.output<typeof bulkListInput>;
export type PurgeInput = z.output<typeof purgeInput>;
export type ErrorInput = z.output<typeof errorInput>;
export type ErrorMarkInput = z.output<typeof errorMarkInput>;
export type ErrorRetryInput = z.output<typeof errorRetryInput>;
export type ErrorListInput = z.output<typeof errorListInput>;

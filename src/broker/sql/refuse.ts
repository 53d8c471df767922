/** What is refused before anything is done: calls that are too large, and groups that are no names. */

import { taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { checkKey } from '../../core/names.ts';

/** Throws BATCH_TOO_LARGE for more items than one call may carry. */
export function refuseLargeBatch(items: readonly unknown[]): void {
  if (items.length > limits.batchMax)
    throw taskFlowError('BATCH_TOO_LARGE', { max: `${limits.batchMax} tasks`, actual: items.length });
}

/** Throws BATCH_TOO_LARGE for more bytes of payload than one call may carry. */
export function refuseLargePayloads(tasks: readonly { readonly payload: string }[]): void {
  let units = 0;
  for (const { payload } of tasks) units += payload.length;
  // A UTF-16 unit is at most three bytes of UTF-8: most batches need no second look.
  if (units * 3 <= limits.batchBytesMax) return;
  let bytes = 0;
  for (const { payload } of tasks) bytes += Buffer.byteLength(payload);
  if (bytes > limits.batchBytesMax)
    throw taskFlowError('BATCH_TOO_LARGE', { max: `${limits.batchBytesMax} bytes of payload`, actual: bytes });
}

/** Throws INVALID_OPTION for a group that is no name. */
export function refuseGroup(task: { readonly group: string | null }): void {
  if (task.group !== null) checkKey(task.group, 'group');
}

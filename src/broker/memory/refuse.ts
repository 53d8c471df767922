/** What is refused before anything is done: calls that are too large, and groups that are no names. */

import { taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { checkKey } from '../../core/names.ts';

/** Throws BATCH_TOO_LARGE for more tasks, or more bytes of payload, than one call may carry. */
export function refuseLargeBatch(items: readonly unknown[], payloads: readonly string[] = []): void {
  if (items.length > limits.batchMax) {
    throw taskFlowError('BATCH_TOO_LARGE', { max: `${limits.batchMax} tasks`, actual: items.length });
  }
  const bytes = payloads.reduce((sum, payload) => sum + Buffer.byteLength(payload), 0);
  if (bytes > limits.batchBytesMax) {
    throw taskFlowError('BATCH_TOO_LARGE', { max: `${limits.batchBytesMax} bytes of payload`, actual: bytes });
  }
}

/** Throws INVALID_OPTION for a group that is no name. */
export function refuseGroup(task: { readonly group: string | null }): void {
  if (task.group !== null) checkKey(task.group, 'group');
}

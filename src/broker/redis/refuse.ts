/** What is refused before anything is sent: calls that are too large, and tasks that cannot be stored. */

import { taskFlowError } from '../../core/errors.ts';
import { checkLimitRules } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import { checkKey } from '../../core/names.ts';
import type { NewTask, Task } from '../../core/task.ts';

/** Throws BATCH_TOO_LARGE for more items than one call may carry. */
export function refuseLargeBatch(items: readonly unknown[]): void {
  if (items.length > limits.batchMax)
    throw taskFlowError('BATCH_TOO_LARGE', { max: `${limits.batchMax} tasks`, actual: items.length });
}

/** Throws BATCH_TOO_LARGE for more bytes of payload than one call may carry. */
export function refuseLargePayloads(payloads: readonly string[]): void {
  let bytes = 0;
  for (const payload of payloads) bytes += payload.length;
  // At most three bytes a UTF-16 unit: to count them costs as much as to send them.
  if (bytes * 3 <= limits.batchBytesMax) return;
  bytes = 0;
  for (const payload of payloads) bytes += Buffer.byteLength(payload);
  if (bytes > limits.batchBytesMax)
    throw taskFlowError('BATCH_TOO_LARGE', { max: `${limits.batchBytesMax} bytes of payload`, actual: bytes });
}

/** Throws BATCH_TOO_LARGE and INVALID_OPTION for tasks that cannot be stored. */
export function refuseTasks(tasks: readonly (NewTask | Task)[]): void {
  refuseLargeBatch(tasks);
  for (const task of tasks) {
    if (task.group !== null) checkKey(task.group, 'group');
    if (task.limits.length > 0) checkLimitRules(task.limits);
  }
  refuseLargePayloads(tasks.map(({ payload }) => payload));
}

/** What is refused before anything is done: calls that are too large, and what this version cannot do yet. */

import { taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { checkKey } from '../../core/names.ts';
import type { Firing } from '../../core/schedule.ts';

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

/** The fields of a task that need what is not built yet. */
interface Unsupported {
  readonly group: string | null;
}

/** Throws INVALID_OPTION for a group that is no name. */
export function refuseUnsupported(task: Unsupported): void {
  if (task.group !== null) checkKey(task.group, 'group');
}

/** Throws INVALID_OPTION for a firing that would not move its schedule on: it would be fired for ever. */
export function refuseFirings(firings: readonly Firing[]): void {
  for (const [index, firing] of firings.entries()) {
    // A time comes for itself: what has to come after something else is spawned by the task that was fired.
    if (firing.kind !== 'skip' && firing.task.dependsOn.length + firing.task.blocks.length > 0)
      refuse('a firing of a task with parents or children');
    if (firing.kind === 'ask' || firing.next === null || firing.next.at > firing.at) continue;
    throw taskFlowError('INVALID_OPTION', {
      what: `firings[${index}].next`,
      problem: `${firing.next.at} is not after ${firing.at}`,
    });
  }
}

/** Throws NOT_SUPPORTED. */
export function refuse(what: string): never {
  throw taskFlowError('NOT_SUPPORTED', { what });
}

/** What is refused before anything is done: calls that are too large, and what this version cannot do yet. */

import { taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { checkKey } from '../../core/names.ts';
import type { Firing } from '../../core/schedule.ts';

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

/** What every slot of a worker does now, as far as it can tell without being asked before. */

import type { SlotStack } from '../core/commands.ts';
import { limits } from '../core/limits.ts';
import type { Attempt } from './attempt.ts';

/** The handlers that run, longest first. Plain JavaScript cannot see where an awaiting handler stands: its last words tell. */
export function slotStacks(attempts: Iterable<Attempt>, elapsed: number): SlotStack[] {
  return [...attempts]
    .filter((attempt) => attempt.phase === 'running')
    .map((attempt) => ({
      taskId: attempt.task.id,
      name: attempt.task.name,
      ranMs: attempt.startedAt === null ? 0 : Math.max(0, Math.round(elapsed - attempt.startedAt)),
      doing: attempt.lastWords,
    }))
    .sort((left, right) => right.ranMs - left.ranMs)
    .slice(0, limits.stackSlotsMax);
}

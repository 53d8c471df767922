/** What every slot of a worker does now, as far as it can tell without being asked before. */

import type { SlotStack } from '../core/commands.ts';
import { limits } from '../core/limits.ts';
import type { Attempt } from './attempt.ts';

/** A slot with what the guard must know to speak for it. */
export interface RunningSlot extends SlotStack {
  readonly epoch: number;
  /** `false` while its input is checked or its process starts. */
  readonly hasBegun: boolean;
}

/** What runs, longest first. Plain JavaScript cannot see where an awaiting handler stands: its last words tell. */
export function runningSlots(attempts: Iterable<Attempt>, elapsed: number): RunningSlot[] {
  return [...attempts]
    .filter((attempt) => attempt.phase === 'running')
    .map((attempt) => ({
      taskId: attempt.task.id,
      name: attempt.task.name,
      epoch: attempt.task.epoch,
      hasBegun: attempt.startedAt !== null,
      ranMs: attempt.startedAt === null ? 0 : Math.max(0, Math.round(elapsed - attempt.startedAt)),
      doing: attempt.lastWords,
    }))
    .sort((left, right) => right.ranMs - left.ranMs)
    .slice(0, limits.stackSlotsMax);
}

/** The same as people are told of it. */
export function slotStacks(slots: readonly RunningSlot[]): SlotStack[] {
  return slots.map(({ taskId, name, ranMs, doing }) => ({ taskId, name, ranMs, doing }));
}

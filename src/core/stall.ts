/** When a worker has to doubt its own way to the store: it is connected, has free slots, and is given nothing although tasks wait. */

import type { Pause } from './facts.ts';
import { limits } from './limits.ts';

/** How a worker with free slots has fared. */
export interface Idleness {
  /** How long no claim has brought a task, or since it last looked why. */
  readonly idleMs: number;
  /** New connections in a row that changed nothing: then something holds the tasks back, and another one is not worth much. */
  readonly doubts: number;
}

/** As much of a queue as tells whether tasks wait in it. */
export interface WaitingQueue {
  readonly name: string;
  readonly pause: Pause | null;
  readonly counts: { readonly queued?: number };
  readonly oldestDueAt: number | null;
}

const doubtsMax = 6;

/** Whether to look if tasks wait: after `limits.stallMs`, and twice as late after each doubt in vain, up to half an hour. */
export function shouldDoubt({ idleMs, doubts }: Idleness): boolean {
  return idleMs >= limits.stallMs * 2 ** Math.min(doubts, doubtsMax);
}

/**
 * Tasks in queues of which the oldest should have been claimed long ago, at `now` of the store's clock. Full limits, paused groups and
 * names that nobody knows hold tasks back as well: whether anything is wrong is told by the next claim, on a new connection.
 */
export function overdueIn(queues: readonly WaitingQueue[], serves: (queue: string) => boolean, now: number): number {
  return queues
    .filter(
      ({ name, pause, oldestDueAt }) => serves(name) && pause === null && now - (oldestDueAt ?? now) >= limits.stallMs,
    )
    .reduce((sum, { counts }) => sum + (counts.queued ?? 0), 0);
}

/** Whose turn it is: the arithmetic of fair queueing between the groups of a queue, in whole numbers so that all stores agree. */

import { checkWhole } from './limit-rules.ts';
import { limits } from './limits.ts';

/**
 * The price of one task of a group of weight 1. It divides by most small weights without a rest, and a queue that is never
 * empty can pay it 890,000,000,000 times before the sum is no safe integer any more: at 10,000 tasks a second, in 2.8 years.
 */
export const turnPrice = 10_080;

/** Where a group stands. The smallest `turn` is next; of equal ones the one that waits longer, then by name. */
export interface Turn {
  /** Virtual time: what it was served so far, in shares of its weight. */
  readonly turn: number;
  /** Since when it stands there, ms of the store's clock. */
  readonly since: number;
}

/** A group as it stands in its queue; `null` are the tasks without one. */
export interface StandingGroup extends Turn {
  readonly group: string | null;
}

/** Whether the left one is served before the right one. */
export function isServedBefore(left: StandingGroup, right: StandingGroup): boolean {
  if (left.turn !== right.turn) return left.turn < right.turn;
  if (left.since !== right.since) return left.since < right.since;
  // Nothing comes before a name.
  return (left.group ?? '') < (right.group ?? '');
}

/** The virtual times of the queue and of the group once one task of it was claimed: who was away or held back has saved up nothing. */
export function takeTurn(queueTurn: number, groupTurn: number, weight: number): { queue: number; group: number } {
  const start = Math.max(queueTurn, groupTurn);
  return { queue: start, group: start + Math.max(1, Math.round(turnPrice / weight)) };
}

/** Returns the weight when a group may have it. Throws INVALID_OPTION. */
export function checkWeight(weight: unknown, path: string): number {
  return checkWhole(weight, path, limits.groupWeightMax);
}

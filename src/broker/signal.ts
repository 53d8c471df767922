/** What a store tells whoever listens. */

import type { ClaimedTask } from '../core/task.ts';

/** A droppable hint: with every one of them lost the system is slower, never wrong. */
export type Signal =
  /** Tasks may be claimable now; `null` is "in some queue". */
  | { readonly kind: 'work'; readonly queues: readonly string[] | null }
  /** Tasks were scheduled, of which the first is due in so many ms. */
  | { readonly kind: 'due'; readonly inMs: number }
  | { readonly kind: 'cancel'; readonly taskIds: readonly string[] }
  /** Tasks wait for a verdict now: `claimOverdue` has them. */
  | { readonly kind: 'overdue' }
  /** Tasks finished; `null` is "some". */
  | { readonly kind: 'finished'; readonly taskIds: readonly string[] | null }
  | { readonly kind: 'settings' }
  /** Workers have commands to hear; `null` is "some". */
  | { readonly kind: 'command'; readonly workerIds: readonly string[] | null }
  /** A claim that was kept has been made: the same claim sent again answers the same. */
  | { readonly kind: 'handed'; readonly token: string; readonly claimed: readonly ClaimedTask[] };

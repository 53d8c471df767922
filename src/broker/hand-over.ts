/** Enqueue and claim in one step: what is stored goes straight to a worker of this process that waits for work. */

import type { ClaimedTask } from '../core/task.ts';
import { onNextTurn } from '../core/time.ts';
import type { ClaimRequest, Offer, Taker } from './broker.ts';

/** An offer during one call. */
export interface HandOver {
  /** What to claim in the step, given the queues in which tasks became claimable. */
  claim(queues: ReadonlySet<string>): ClaimRequest | null;
  /** The step is stored. */
  done(claimed: readonly ClaimedTask[]): void;
  /** Nobody knows whether it is. */
  failed(): void;
}

/** The first of the takers who wants something; `null` when nobody does. */
export function openHandOver(takers: Iterable<Taker>): HandOver | null {
  for (const taker of takers) {
    const offer = taker();
    if (offer !== null) return createHandOver(offer);
  }
  return null;
}

function createHandOver(offer: Offer): HandOver {
  let isAsked = false;
  return {
    claim(queues) {
      const request = queues.size === 0 ? null : offer.claim([...queues]);
      isAsked ||= request !== null;
      return request;
    },
    done(claimed) {
      if (isAsked) onNextTurn(() => offer.taken(claimed));
    },
    failed() {
      if (isAsked) offer.failed();
    },
  };
}

/** The queues in which a claim has left nothing claimable behind: it might have taken more. */
export function emptiedBy({ queues, limit }: ClaimRequest, claimed: readonly ClaimedTask[]): readonly string[] {
  if (claimed.length >= limit) return [];
  const taken = Map.groupBy(claimed, ({ task }) => task.queue);
  return queues.flatMap(({ name, limit: most }) => ((taken.get(name)?.length ?? 0) < most ? [name] : []));
}

/** The claims of a worker, one after the other: none is made anew while the last one may still bring something. */

import type { ClaimRequest } from '../broker/broker.ts';
import { type Chance, createToken } from '../core/chance.ts';
import { limits } from '../core/limits.ts';
import type { ClaimedTask } from '../core/task.ts';
import type { Demand } from './pools.ts';

/** A claim that was sent; until it is answered, only the same one may be sent again. */
export interface SentClaim {
  readonly request: ClaimRequest;
  readonly firstSentAt: number;
}

export interface ClaimsOptions {
  readonly chance: Chance;
  readonly workerId: string;
  readonly leaseMs: number;
  /** Whether the store keeps claims that found nothing; see `ClaimRequest.standMs`. */
  readonly keepsClaims: boolean;
}

export interface Claims {
  /** Sent, and not answered. */
  readonly unanswered: SentClaim | null;
  /** Whether one that found nothing may still be made. */
  readonly isStanding: boolean;
  /** Under the token of the one that stands: what that was given comes with the answer, with a lease from its own time. */
  make(demand: Demand, sentAt: number): SentClaim;
  send(claim: SentClaim): void;
  /** Answers what the claim has brought, by its answer or before. One that brought nothing stands. */
  conclude(claim: SentClaim, answered: readonly ClaimedTask[], sentAt: number): readonly ClaimedTask[];
  /** Nothing was done: an earlier one under its token stands as it stood. Answers what that was handed meanwhile. */
  renounce(): Handed | null;
  /** Since when the lease of what was handed may count; `null` for what is none of its business, or comes with an answer. */
  hear(handed: Handed): number | null;
}

/** What a claim that stood was given. */
export interface Handed {
  readonly token: string;
  readonly claimed: readonly ClaimedTask[];
}

export function createClaims({ chance, workerId, leaseMs, keepsClaims }: ClaimsOptions): Claims {
  let unanswered: SentClaim | null = null;
  let standing: SentClaim | null = null;
  /** Came before the answer of the claim that is on its way under this token. */
  let early: Handed | null = null;
  const mayStand = keepsClaims && leaseMs >= limits.standMs * limits.standLeasesMin;

  function conclude(claim: SentClaim, answered: readonly ClaimedTask[], sentAt: number): readonly ClaimedTask[] {
    const { token, limit } = claim.request;
    const claimed = answered.length === 0 && early?.token === token ? early.claimed : answered;
    early = null;
    unanswered = null;
    standing = claimed.length === 0 && mayStand && limit > 0 ? { ...claim, firstSentAt: sentAt } : null;
    return claimed;
  }

  function renounce(): Handed | null {
    const handed = early;
    early = null;
    unanswered = null;
    return handed;
  }

  function hear(handed: Handed): number | null {
    if (unanswered?.request.token === handed.token) early = handed;
    if (unanswered !== null || standing?.request.token !== handed.token) return null;
    const { firstSentAt } = standing;
    standing = null;
    return firstSentAt;
  }

  return {
    get unanswered() {
      return unanswered;
    },
    get isStanding() {
      return standing !== null;
    },
    make({ queues, limit }, sentAt) {
      const token = standing?.request.token ?? createToken(chance);
      const request = { workerId, token, queues, limit, leaseMs, ...(mayStand && { standMs: limits.standMs }) };
      return { request, firstSentAt: standing?.firstSentAt ?? sentAt };
    },
    send(claim) {
      unanswered = claim;
    },
    conclude,
    renounce,
    hear,
  };
}

/** Ends a run in a transaction of its handler's: the task has succeeded when that is committed, and else it has not ended. */

import type { SettleResult, Transactions } from '../broker/broker.ts';
import type { Chance } from '../core/chance.ts';
import { decide } from '../core/decide.ts';
import { toTaskError } from '../core/error-facts.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Outcome, Verdict } from '../core/task.ts';
import type { Clock } from '../core/time.ts';
import type { Attempt } from './attempt.ts';

export { transactionsOf } from '../client/transaction.ts';

export interface CompletionOptions {
  readonly clock: Pick<Clock, 'elapsed'>;
  /** Rejects with TX_NOT_JOINABLE. */
  readonly transactions: () => Promise<Transactions>;
  /** The run is about to end in this way, or is not after all (`null`). */
  readonly onCompleting?: ((verdict: Verdict | null) => void) | undefined;
}

/** A success waits for no chance. */
const noChance = { float: () => 0 };

/**
 * Settles the run with its result, on the connection `tx`. Rejects with LEASE_LOST, TASK_CANCELLED or what the store refuses
 * when the run no longer speaks for the task; then whoever began the transaction must roll it back. It may be tried again
 * after a rollback. From the first try on nobody renews the lease: the row may be the transaction's, and who waited for it
 * would hold up the renewals of all others.
 */
export async function completeWithin(
  attempt: Attempt,
  result: string | null,
  tx: unknown,
  { clock, transactions, onCompleting = () => {} }: CompletionOptions,
): Promise<void> {
  const { task, startedAt } = attempt;
  const joined = await transactions();
  const ranMs = Math.max(0, Math.round(clock.elapsed() - (startedAt ?? clock.elapsed())));
  const verdict = decide(task, { outcome: { kind: 'done', result }, ranMs }, noChance);
  const before = attempt.completed;
  attempt.completed = verdict;
  onCompleting(verdict);
  try {
    const [answer] = await joined.settle(tx, [{ ...attempt.settlement(verdict), ranMs }]);
    if (answer?.outcome === 'applied') return;
    // A repetition, too: an earlier transaction has ended the task, and this one must not have its effects again.
    if (answer?.outcome !== 'diverted') throw taskFlowError('LEASE_LOST', { id: task.id });
    throw taskFlowError('TASK_CANCELLED', { name: task.name, id: task.id, reason: 'user' });
  } catch (error) {
    attempt.completed = before;
    onCompleting(before);
    throw error;
  }
}

/** Keeps what a run came to, and where that leads as far as its worker knows. */
export function conclude(attempt: Attempt, given: Outcome, chance: Pick<Chance, 'float'>): void {
  const outcome = honestOutcome(attempt, given);
  attempt.outcome = outcome;
  attempt.verdict = decide(attempt.task, { outcome, ranMs: attempt.ranMs }, chance);
}

/** The end that the store has: where the settlement came too late, that of the transaction. */
export function appliedVerdict({ verdict, completed }: Attempt, { outcome }: SettleResult): Verdict | null {
  return outcome === 'alreadyApplied' ? (completed ?? verdict) : verdict;
}

/**
 * What a run amounts to that has completed and returned. Whether its transaction was committed only the store knows: where it
 * was, the task has ended, and this outcome finds that; else the run has failed.
 */
function honestOutcome({ task, completed }: Attempt, outcome: Outcome): Outcome {
  if (completed === null || outcome.kind !== 'done') return outcome;
  const error = toTaskError(task.name, taskFlowError('TX_NOT_COMMITTED', { id: task.id }));
  return { kind: 'error', error, retryable: true, retryAfterMs: null };
}

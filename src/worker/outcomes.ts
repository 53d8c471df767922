/** What a run amounts to, by what it threw and why it was told to end. */

import type { TaskDefinition } from '../core/definition.ts';
import { parseDuration } from '../core/duration.ts';
import { toTaskError } from '../core/error-facts.ts';
import { TaskFlowError } from '../core/errors.ts';
import type { Outcome } from '../core/task.ts';
import { isFatal, isSnooze } from '../core/verdicts.ts';
import type { Attempt } from './attempt.ts';

/** Its input could not be made, or read. */
export function inputOutcome(attempt: Attempt, thrown: unknown): Outcome {
  const error = toTaskError(attempt.task.name, thrown);
  if (thrown instanceof TaskFlowError && undecodable.has(thrown.code)) return { kind: 'undecodable', error };
  // The schema itself failed, perhaps because something it asks was away.
  return { kind: 'error', error, retryable: true, retryAfterMs: null };
}

const undecodable: ReadonlySet<string> = new Set([
  'INVALID_INPUT',
  'INVALID_JSON',
  'PAYLOAD_NOT_JSON',
  'PAYLOAD_TOO_DEEP',
  'PAYLOAD_TOO_LARGE',
]);
/** The same handler would do the same again, and its effects a second time. */
const hopeless: ReadonlySet<string> = new Set([
  'RESULT_TOO_LARGE',
  'PARENTS_TOO_LARGE',
  'PAYLOAD_NOT_JSON',
  'PAYLOAD_TOO_DEEP',
  'STEP_TOO_LARGE',
  'STEP_NAME_TAKEN',
  'BATCH_TOO_LARGE',
  'INVALID_FLOW',
]);

/** Its handler threw. */
export function errorOutcome(attempt: Attempt, definition: TaskDefinition, thrown: unknown): Outcome {
  if (isFatal(thrown)) return { kind: 'giveUp', error: toTaskError(attempt.task.name, thrown) };
  if (attempt.abortKind !== null) return abortedOutcome(attempt, definition, thrown);
  if (isSnooze(thrown)) return { kind: 'snooze', delayMs: thrown.delayMs };
  return failedOutcome(attempt, definition, thrown);
}

function failedOutcome({ task }: Attempt, definition: TaskDefinition | undefined, thrown: unknown): Outcome {
  const { retryable, retryAfterMs } = retryOf(definition?.retryOn ?? null, thrown, task.attempt);
  return { kind: 'error', error: toTaskError(task.name, thrown), retryable, retryAfterMs };
}

/** Whether the run has failed, whatever its handler returns: work that nobody waited for went wrong. */
export const isFailed = ({ abortKind }: Attempt): boolean => abortKind === 'stray' || abortKind === 'exit';

/** What was thrown is a revoked proxy, or has fields that throw: all there is to tell is that it failed. */
export function unreadableOutcome(attempt: Attempt, thrown: unknown): Outcome {
  return { kind: 'error', error: toTaskError(attempt.task.name, thrown), retryable: true, retryAfterMs: null };
}

/** What a run that was told to end amounts to. */
export function abortedOutcome(attempt: Attempt, definition: TaskDefinition | undefined, thrown: unknown): Outcome {
  const { name } = attempt.task;
  switch (attempt.abortKind) {
    case 'timeout':
    case 'life':
      return { kind: 'timedOut', error: toTaskError(name, attempt.abortReason), byLife: attempt.abortKind === 'life' };
    case 'cancel':
      // Another error than the wish itself is worth keeping; the store cancels the task all the same.
      return isAbort(attempt, thrown)
        ? { kind: 'aborted' }
        : { kind: 'error', error: toTaskError(name, thrown), retryable: true, retryAfterMs: null };
    case 'stray':
      if (isFatal(attempt.abortReason)) return { kind: 'giveUp', error: toTaskError(name, attempt.abortReason) };
      return failedOutcome(attempt, definition, attempt.abortReason);
    case 'exit':
      return { kind: 'crashed', error: toTaskError(name, attempt.abortReason) };
    default:
      return { kind: 'released' };
  }
}

function isAbort(attempt: Attempt, thrown: unknown): boolean {
  return (
    thrown === attempt.abortReason ||
    (thrown instanceof Error && (thrown.name === 'AbortError' || thrown.cause === attempt.abortReason))
  );
}

function retryOf(
  retryOn: TaskDefinition['retryOn'],
  thrown: unknown,
  attempt: number,
): { readonly retryable: boolean; readonly retryAfterMs: number | null } {
  if (thrown instanceof TaskFlowError && hopeless.has(thrown.code)) return { retryable: false, retryAfterMs: null };
  const retryAfterMs = askedDelayMs(thrown);
  if (retryOn === null) return { retryable: true, retryAfterMs };
  try {
    const answer = retryOn(thrown, attempt);
    if (typeof answer === 'boolean') return { retryable: answer, retryAfterMs };
    return { retryable: true, retryAfterMs: parseDuration(answer, 'retry.on') };
  } catch {
    // A rule that fails must not decide: the policy does.
    return { retryable: true, retryAfterMs };
  }
}

/** `retryAfterMs` of the error, as clients of services with Retry-After set it. */
function askedDelayMs(thrown: unknown): number | null {
  if (!(thrown instanceof Error)) return null;
  const { retryAfterMs } = thrown as { readonly retryAfterMs?: unknown };
  return typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs) && retryAfterMs >= 0 ? retryAfterMs : null;
}

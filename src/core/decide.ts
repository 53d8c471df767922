/** The one place that judges: what the end of a run, or an overdue task, means for where the task goes. */
import { unreachable } from './assert.ts';
import { backoffMs } from './backoff.ts';
import type { Chance } from './chance.ts';
import { formatDuration } from './duration.ts';
import { toTaskError } from './error-facts.ts';
import { limits } from './limits.ts';
import { type Policy, parsePolicy } from './policy.ts';
import type { FinishedState, Reason, WaitingState } from './states.ts';
import type { Charge, FailedParent, Outcome, OverdueReason, Task, TaskError, Verdict } from './task.ts';

/** What there is to judge: a run that ended as its worker reports it, or a task that `claimOverdue` handed out. */
export type Ending =
  /** `ranMs`: how long the handler ran, null when it never began; the settlement carries the same number. */
  | { readonly outcome: Outcome; readonly ranMs: number | null }
  | {
      readonly overdue: OverdueReason;
      /** As `OverdueTask` has them; without them every parent counts as failed. */
      readonly failedParents?: readonly FailedParent[];
      /** The run had a process of its own. Its death the worker would have told; so the end of the worker is not its fault. */
      readonly wasIsolated?: boolean;
    };

type OverdueEnding = Extract<Ending, { readonly overdue: OverdueReason }>;

/** What of a task a verdict depends on: nothing that only a clock or a store could tell. */
export type JudgedTask = Pick<
  Task,
  | 'name'
  | 'state'
  | 'policy'
  | 'attempt'
  | 'crashes'
  | 'interruptions'
  | 'snoozes'
  | 'startedAt'
  | 'timeoutMs'
  | 'dependsOn'
>;

/** What the rules look at. */
interface Case {
  readonly task: JudgedTask;
  readonly policy: Policy;
  readonly chance: Pick<Chance, 'float'>;
}

/**
 * Decides where the task goes. Pure and total: every ending of every task gets a verdict, never an error; the only
 * chance in it is the jitter of a retry. `task` is the task as claimed, so `attempt` counts the run that ended. A verdict
 * never asks for a charged run beyond the policy's attempts. That a requested cancellation beats a verdict, and that the
 * first final transition wins, are the store's rules, since only there they are atomic.
 */
export function decide(task: JudgedTask, ending: Ending, chance: Pick<Chance, 'float'>): Verdict {
  const judged = { task, policy: parsePolicy(task.policy), chance };
  return 'overdue' in ending ? ofOverdue(judged, ending) : ofOutcome(judged, ending.outcome, ending.ranMs);
}

function ofOutcome(judged: Case, outcome: Outcome, ranMs: number | null): Verdict {
  switch (outcome.kind) {
    case 'done':
      return { ...finished(judged, 'succeeded', null, 'attempt'), result: outcome.result };
    case 'error':
      if (!outcome.retryable) return finished(judged, 'failed', 'error', 'attempt', outcome.error);
      return retryOrFail(judged, 'error', outcome.error, outcome.retryAfterMs);
    case 'undecodable':
      // Charged and tried again: the next deploy may read what this one could not.
      return retryOrFail(judged, 'error', outcome.error, null);
    case 'giveUp':
      return finished(judged, 'failed', 'error', 'attempt', outcome.error);
    case 'timedOut':
      if (outcome.byLife) return finished(judged, 'cancelled', 'expired', 'attempt', outcome.error);
      return retryOrFail(judged, 'timeout', outcome.error, null);
    case 'snooze':
      return snoozed(judged, outcome.delayMs);
    case 'aborted':
      return finished(judged, 'cancelled', 'user', 'attempt');
    case 'released':
      return released(judged, ranMs !== null);
    case 'crashed':
      return crashed(judged, 'crashed', outcome.error);
    case 'waits':
      return waiting('blocked', null, 'nothing', 0, null);
    case 'unknownTask':
      return waiting('scheduled', 'unknown_task', 'nothing', limits.unknownTaskDelayMs, null);
    default:
      return unreachable(outcome);
  }
}

function ofOverdue(judged: Case, { overdue: reason, failedParents, wasIsolated }: OverdueEnding): Verdict {
  const { task } = judged;
  const ran: Charge = task.state === 'running' ? 'attempt' : 'nothing';
  switch (reason) {
    case 'cancel_requested':
      return finished(judged, 'cancelled', 'user', ran);
    case 'expired':
    case 'start_deadline':
      return finished(judged, 'cancelled', 'expired', ran);
    case 'timeout':
      return retryOrFail(judged, 'timeout', errorOf(judged, 'TimeoutError', timeoutMessage(task.timeoutMs)), null);
    case 'lease_expired':
      return leaseExpired(judged, wasIsolated);
    case 'dependency_failed':
      return dependencyFailed(judged, ran, failedParents ?? allParents(task));
    default:
      return unreachable(reason);
  }
}

/** A charged failure: again after the backoff while attempts are left, else failed. */
function retryOrFail(judged: Case, reason: Reason, error: TaskError, retryAfterMs: number | null): Verdict {
  const { task, policy, chance } = judged;
  if (task.attempt >= policy.attempts) return finished(judged, 'failed', reason, 'attempt', error);
  const delayMs = backoffMs(policy, task.attempt, chance.float(), retryAfterMs ?? undefined);
  return waiting('scheduled', reason, 'attempt', delayMs, error);
}

function snoozed(judged: Case, delayMs: number): Verdict {
  if (judged.task.snoozes < limits.snoozesMax)
    return waiting('scheduled', 'snooze', 'snooze', boundedDelay(delayMs), null);
  const error = errorOf(judged, 'SnoozeError', `It snoozed ${limits.snoozesMax} times, which is the most a task may.`);
  return finished(judged, 'failed', 'error', 'attempt', error);
}

/** Handed back by a stopping worker: free before it began. */
function released(judged: Case, began: boolean): Verdict {
  return began ? interrupted(judged, 'released') : waiting('queued', 'released', 'nothing', 0, null);
}

/** Its worker ended, and it is not to blame. It may happen so often, then each time is a charged run. */
function interrupted(judged: Case, reason: 'released' | 'lease_lost'): Verdict {
  const { task, policy } = judged;
  if (task.interruptions < limits.interruptionsMax) return waiting('queued', reason, 'interruption', 0, null);
  const error = errorOf(
    judged,
    'InterruptedError',
    `It was interrupted more than ${limits.interruptionsMax} times by workers that ended.`,
  );
  if (task.attempt < policy.attempts) return waiting('queued', reason, 'attempt', 0, error);
  return finished(judged, 'failed', 'error', 'attempt', error);
}

/**
 * The worker is gone. When the start was never reported it most likely had not begun, and is not to blame. It may have been
 * too fast for the first heartbeat; so the worker that has it next reports its start before it begins, and a loss after
 * that is a crash. A run in a process of its own cannot have ended its worker.
 */
function leaseExpired(judged: Case, wasIsolated = false): Verdict {
  const { task } = judged;
  if (task.startedAt === null || wasIsolated) return interrupted(judged, 'lease_lost');
  return crashed(
    judged,
    'lease_lost',
    errorOf(judged, 'WorkerLostError', 'The worker stopped sending heartbeats while it ran the task.'),
  );
}

/**
 * Its process died: the worker under it, or its own. Again at once, in a process of its own; with a budget of its own, since
 * it may be the task's fault, and who ends three processes ends the next one too.
 */
function crashed(judged: Case, reason: 'crashed' | 'lease_lost', error: TaskError): Verdict {
  if (judged.task.crashes + 1 >= limits.crashesMax) return finished(judged, 'failed', 'crash_loop', 'crash', error);
  return waiting('queued', reason, 'crash', 0, error);
}

/** Of several failed parents the strictest decides. */
function dependencyFailed(judged: Case, charge: Charge, failed: readonly FailedParent[]): Verdict {
  const fatal = failed.find(({ onFailure }) => onFailure === 'fail');
  if (fatal !== undefined) {
    const error = errorOf(judged, 'DependencyError', `It depends on ${parentWords(fatal)}.`);
    return finished(judged, 'failed', 'dependency', charge, error);
  }
  if (failed.some(({ onFailure }) => onFailure === 'cancel'))
    return finished(judged, 'cancelled', 'dependency', charge);
  return waiting('queued', null, 'nothing', 0, null);
}

function allParents(task: JudgedTask): readonly FailedParent[] {
  return task.dependsOn.map((dependency) => ({ ...dependency, name: null, state: null }));
}

function parentWords({ taskId, name, state }: FailedParent): string {
  const ended = state === 'failed' ? 'failed' : state === 'cancelled' ? 'was cancelled' : 'did not succeed';
  return `${name === null ? taskId : `${name} ${taskId}`}, which ${ended}`;
}

type FinishedVerdict = Extract<Verdict, { readonly to: FinishedState }>;

function finished(
  { policy }: Case,
  to: FinishedState,
  reason: Reason | null,
  charge: Charge,
  error: TaskError | null = null,
): FinishedVerdict {
  const keepMs = to === 'succeeded' ? policy.keepSucceededMs : policy.keepFailedMs;
  return { to, reason, charge, keepMs, result: null, error };
}

function waiting(
  to: WaitingState,
  reason: Reason | null,
  charge: Charge,
  delayMs: number,
  error: TaskError | null,
): Verdict {
  return { to, reason, charge, delayMs, error };
}

function boundedDelay(delayMs: number): number {
  return Number.isNaN(delayMs) ? 0 : Math.round(Math.min(limits.durationMaxMs, Math.max(0, delayMs)));
}

function errorOf({ task }: Case, name: string, message: string): TaskError {
  return toTaskError(task.name, { name, message });
}

function timeoutMessage(timeoutMs: number | null): string {
  const limit = timeoutMs === null ? 'its timeout' : formatDuration(timeoutMs);
  return `The run took longer than ${limit} and did not end when it was told to.`;
}

/** One wait for the end of a task through a server, and how the server is asked. */

import { TaskFlowError } from '../core/errors.ts';
import { isFinished } from '../core/states.ts';
import type { Clock } from '../core/time.ts';
import type { ResultMessage, ResultsMessage } from '../core/worker-protocol.ts';
import type { FollowLiveOptions } from './follow-live.ts';

/** How the server is asked. */
export interface ResultAsks {
  /** Rejects with the signal's reason when that aborts. */
  many(taskIds: readonly string[], waitMs: number, signal: AbortSignal): Promise<ResultsMessage>;
  follow(options: Pick<FollowLiveOptions, 'topics' | 'after' | 'signal' | 'onMessage' | 'onLost'>): Promise<void>;
  readonly clock: Clock;
}

/** One who waits for a task. */
export interface ResultWait {
  readonly taskId: string;
  resolve(task: ResultMessage): void;
  reject(error: unknown): void;
  /** What was last known, for the words of a timeout. */
  state: string;
  error: unknown;
}

/** Tells those who wait for it how a task stands. */
export function tell(waits: Iterable<ResultWait>, task: ResultMessage): void {
  for (const wait of waits) {
    if (isFinished(task.state)) wait.resolve(task);
    else Object.assign(wait, { state: task.state, error: undefined });
  }
}

/** Whether it may pass: then it is kept for the words of a timeout. What will not pass ends the waits. */
export function mayPass(waits: Iterable<ResultWait>, error: unknown): boolean {
  const isPassing = error instanceof TaskFlowError && error.retryable;
  for (const wait of waits) {
    if (isPassing) wait.error = error;
    else wait.reject(error);
  }
  return isPassing;
}

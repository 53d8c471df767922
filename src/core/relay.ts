/** The relay as the rest sees it: what it does, and what it tells of tasks on their way. */

/** A task of a committed transaction that the broker does not take. */
export interface SetAsideTask {
  readonly taskId: string;
  /** `null` where its row cannot be read. */
  readonly name: string | null;
  /** When it was enqueued. */
  readonly at: number;
  readonly problem: string;
}

export interface RelayStatus {
  /** Tasks that are about to be pushed, and those set aside, each counted up to `limits.relayAsideMax`. */
  readonly waiting: number;
  readonly setAside: number;
  /** For how long the oldest of them has waited; 0 when none does. */
  readonly lagMs: number;
}

/** What became of a task that was set aside. */
export type RelayRetry =
  | { readonly outcome: 'pushed' }
  | { readonly outcome: 'refused'; readonly problem: string }
  | { readonly outcome: 'unknown' };

/**
 * Brings tasks of users' transactions from the database of the record to a broker that is in none. Any number of them may do so
 * at once, and die at any time: each task is dispatched once.
 */
export interface Relay {
  /** Pushes at most one call's worth of what is committed. Rejects with STORE_*; then nothing is lost. */
  push(): Promise<'full' | 'done'>;
  status(): Promise<RelayStatus>;
  /** Those that wait for a person, by age. */
  setAside(limit: number): Promise<readonly SetAsideTask[]>;
  /** Pushes those set aside once more, in order. Rejects with STORE_*. */
  retry(taskIds: readonly string[]): Promise<readonly RelayRetry[]>;
  /** Forgets those set aside; answers for each whether it was. */
  drop(taskIds: readonly string[]): Promise<readonly boolean[]>;
}

/** What a torture stands on: a store, this process's own way to it, and what can be done to it. */

import type { Judge, JudgeOptions } from '../checker/judge.ts';
import type { Store } from '../history/history.ts';
import type { FaultKind } from './plan.ts';

export interface Address {
  readonly broker: string;
  readonly record: string | null;
  /** `null` is the usual one. */
  readonly namespace: string | null;
}

export interface Ground {
  /** Where the processes under torture find it, and its record when that is elsewhere. */
  readonly address: Address;
  /** Open, and on a way of its own that no fault lies in. */
  readonly store: Store;
  /** In words. */
  readonly durability: string;
  /** What the judge must know of its events. */
  readonly events: Pick<JudgeOptions, 'overlapMs' | 'isRecord'>;
  /** No other process is in the middle of a write while `work` goes on, where one could hold up everybody. */
  alone(work: () => Promise<void>): Promise<void>;
  /** Does it to the store, or to the way there, and takes it back after `ms`. Answers whether anything was hit. */
  strike(kind: FaultKind, ms: number, roll: number): Promise<boolean>;
  /** Takes back at once whatever is still done to it. */
  heal(): Promise<void>;
  /** Whether the judge hears of everything by now: nothing waits to be recorded. */
  isRecorded(): Promise<boolean>;
  /** Records what is left, where that is another's task, when no other process is there any more. */
  recordRest(): Promise<void>;
  /** Shows every task to the judge. Answers how many there are. To be called when nothing changes any more. */
  showRows(judge: Judge): Promise<number>;
  heldKeys(): Promise<readonly { readonly key: string; readonly taskId: string }[]>;
  /** Counts again what is kept beside the tasks, while the store is in use or after. Answers how many rows were looked at. */
  checkIndexes(judge: Judge): Promise<number>;
  /** Whether the store is whole in itself. To be called when nothing changes any more. */
  checkWhole(judge: Judge): Promise<void>;
  close(): Promise<void>;
}

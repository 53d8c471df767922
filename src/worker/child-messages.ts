/** What a worker and the processes of its isolated tasks say to each other. Plain JSON, one run at a time. */

import type { ErrorCode } from '../core/error-table.ts';
import type {
  Checkpoint,
  Lease,
  LogLine,
  NewTask,
  Outcome,
  ParentResult,
  Progress,
  Task,
  TaskError,
  Verdict,
} from '../core/task.ts';
import type { StoreAddress } from '../history/history.ts';
import type { AbortKind } from './attempt.ts';

/** What of a task its handler, or the rules about its end, look at. */
export type ChildTask = Pick<
  Task,
  | 'id'
  | 'name'
  | 'queue'
  | 'attempt'
  | 'generation'
  | 'epoch'
  | 'payload'
  | 'checkpoints'
  | 'claimedAt'
  | 'flowId'
  | 'traceparent'
  | 'policy'
>;

/** What a process is told when it is made, in its environment. */
export interface Birth {
  readonly parentPid: number;
  /** More memory than this ends it. */
  readonly rssMaxMb: number;
  /** How long a handler may take to end after its abort. */
  readonly graceMs: number;
}

/** To the child. `run` numbers its runs: what comes late for an earlier one is dropped. */
export type ToChild =
  /** Loads a file before somebody waits for it. */
  | { readonly kind: 'load'; readonly file: string }
  | {
      readonly kind: 'run';
      readonly run: number;
      readonly file: string;
      readonly task: ChildTask;
      readonly lease: Lease;
      /** Where its handler may end it in a transaction. */
      readonly store: StoreAddress | null;
      readonly parents: readonly ParentResult[];
    }
  | {
      readonly kind: 'abort';
      readonly run: number;
      readonly abort: AbortKind;
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** The store has these steps. */
  | { readonly kind: 'kept'; readonly run: number; readonly names: readonly string[] };

/** From the child. */
export type FromChild =
  /** The input is checked and the handler begins. */
  | { readonly kind: 'started'; readonly run: number }
  | {
      readonly kind: 'news';
      readonly run: number;
      readonly progress: Progress | null;
      readonly logs: readonly LogLine[];
      readonly checkpoints: readonly Checkpoint[];
      readonly lastWords: string | null;
    }
  /** Its handler is about to end it in a transaction, or is not after all. */
  | { readonly kind: 'completing'; readonly run: number; readonly verdict: Verdict | null }
  /** `wrote`: something was printed, so that a line with {@link endMark} follows on both streams. */
  | {
      readonly kind: 'ended';
      readonly run: number;
      readonly outcome: Outcome;
      /** What its handler brings along. */
      readonly spawned: readonly NewTask[];
      readonly wrote: boolean;
      /** Something of a run goes on, or went wrong behind its back: no other run should meet it. */
      readonly isSpent: boolean;
    }
  /** An error that nobody caught, of a run that has ended. */
  | { readonly kind: 'stray'; readonly run: number; readonly error: TaskError };

/** What its watching thread says on a pipe of its own, a line each, whatever the handler does. */
export interface Vitals {
  readonly rssMb: number;
}

/** The line that ends the output of a run. */
export const endMark = (run: number | ''): string => `\u001etaskflow end of run ${run}`;

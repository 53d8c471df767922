/** What a run leaves behind for the checker, whether its processes were real or simulated. */

import type { CountRecord } from '../../src/broker/sql/counts.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import type { NewTask, Task } from '../../src/core/task.ts';

/**
 * One step of one call of a client. `invoke` comes before the call; `ok` means accepted; `fail` means refused for
 * certain; a call that ends in `info`, or in nothing, has an unknown outcome.
 */
export interface ClientEntry {
  readonly at: number;
  readonly pid: number;
  readonly step: 'invoke' | 'ok' | 'fail' | 'info';
  readonly taskId: string;
  /** Marks the payload: what a handler is given must carry the same. */
  readonly n: number;
  readonly delayMs: number;
  /** Code of the error of `fail` and `info`. */
  readonly code?: string;
}

/** One moment of one run of a handler. `step`: a step's function began; `kept`: its promise resolved. */
export interface Effect {
  readonly at: number;
  readonly pid: number;
  readonly what: 'begin' | 'abort' | 'end' | 'step' | 'kept';
  readonly taskId: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly n: number;
  /** How a run ended, where its handler tells. */
  readonly how?: 'returned' | 'threw';
  /** Which step, and of which generation; of `step` and `kept` only. */
  readonly step?: string;
  readonly generation?: number;
}

/** An enqueue that stored nothing because a key was held, after event `seq`. */
export interface KeyRefusal {
  readonly seq: number;
  readonly key: string;
  /** The task that held it. */
  readonly of: string;
  /** The store's time of the refusal. */
  readonly at: number;
}

/** What only an observer beside the store can tell; a run of real processes has none. */
export interface Insight {
  /** Every task as its client sent it. */
  readonly asked: ReadonlyMap<string, NewTask>;
  /** New delay of an update, by `id version`; `null` when it left the time alone. */
  readonly patchedDelays: ReadonlyMap<string, number | null>;
  /** Queues paused and resumed, by the event that says so. */
  readonly pauses: readonly { readonly seq: number; readonly queue: string; readonly paused: boolean }[];
  readonly refusals: readonly KeyRefusal[];
  /** The keys that the store holds at the end for unfinished tasks. */
  readonly heldKeys: readonly { readonly key: string; readonly taskId: string }[];
  /** Whether a process was there and could act at that time. */
  readonly couldAct: (pid: number, at: number) => boolean;
}

/** What the checker judges. */
export interface RunHistory {
  readonly events: readonly BatchEvent[];
  readonly tasks: readonly Task[];
  /** As the store keeps them. */
  readonly counts: readonly CountRecord[];
  /** Tasks that the store still counts as held by some claim. */
  readonly held: number;
  readonly client: readonly ClientEntry[];
  readonly effects: readonly Effect[];
  readonly insight?: Insight;
}

/** What a run leaves behind for its judge beside the events of the store, whether its processes were real or simulated. */

import type { LimitRule, NewTask } from '../core/task.ts';

/** What a client asked for, as far as a rule looks at it. What is left out is the seam's default. */
export type Asked = Partial<
  Pick<
    NewTask,
    | 'policy'
    | 'delayMs'
    | 'at'
    | 'startWithinMs'
    | 'expiresInMs'
    | 'timeoutMs'
    | 'strictCancel'
    | 'limits'
    | 'group'
    | 'keepMs'
    | 'dependsOn'
    | 'key'
    | 'keyForMs'
    | 'ifExists'
  >
>;

/**
 * One step of one call of a client. `invoke` comes before the call; `ok` means accepted; `fail` means refused for
 * certain; a call that ends in `info`, or in nothing, has an unknown outcome.
 */
export interface ClientEntry {
  /** Milliseconds of a clock that all processes share. */
  readonly at: number;
  readonly pid: number;
  readonly step: 'invoke' | 'ok' | 'fail' | 'info';
  readonly taskId: string;
  /** Marks the request: what a handler is given must carry the same, and at most one task is stored for it. */
  readonly n: number;
  /** Of `invoke`. */
  readonly asked?: Asked | undefined;
  /** Code of the error of `fail` and `info`. */
  readonly code?: string | undefined;
}

/** One moment of one run of a handler. `numb`: from here on it hears and says nothing until it ends or its process does. `step`: a step's function began; `kept`: its promise resolved; `spawn`: it asked for a child. */
export interface Effect {
  readonly at: number;
  readonly pid: number;
  readonly what: 'begin' | 'abort' | 'numb' | 'end' | 'step' | 'kept' | 'spawn';
  readonly taskId: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly n: number;
  /** Of `begin`: it runs in a process of its own, which a worker may end with the run. */
  readonly own?: boolean | undefined;
  /** How a run ended. */
  readonly how?: 'returned' | 'threw' | undefined;
  /** Which step, and of which generation; of `step` and `kept` only. */
  readonly step?: string;
  readonly generation?: number;
  /** Of `spawn`. */
  readonly child?: { readonly taskId: string; readonly n: number; readonly asked: Asked };
}

/** What became of a process, seen from outside. A `frozen` one may go on. */
export interface ProcessEntry {
  readonly at: number;
  readonly pid: number;
  readonly what: 'frozen' | 'thawed' | 'gone';
}

/** What a person changed of a queue, group or limit, in force from the event with this number on. Absent means unchanged. */
export interface SettingEntry {
  readonly seq: number;
  readonly scope: 'queue' | 'group' | 'limit';
  readonly name: string;
  readonly paused?: boolean | undefined;
  readonly max?: number | null | undefined;
  readonly rate?: LimitRule['rate'] | undefined;
  readonly weight?: number | null | undefined;
}

/** What an update did to a task. `version` is the task's after it. */
export interface PatchEntry {
  readonly taskId: string;
  readonly version: number;
  /** `null` when it left the time alone. */
  readonly delayMs: number | null;
  readonly limits?: readonly LimitRule[] | undefined;
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

/**
 * Judges the history of a run from outside, of real processes or simulated ones: what clients were promised and handlers
 * did, against what the store says happened. It takes everything as it comes, looks at each thing once, and forgets a task
 * once it is gone: its memory is that of the tasks there are, not of those there were.
 */

import type { BatchEvent } from '../core/events.ts';
import type { Task } from '../core/task.ts';
import type { ClientEntry, Effect, KeyRefusal, PatchEntry, ProcessEntry, SettingEntry } from './evidence.ts';
import { HistoryJudge } from './history-judge.ts';
import type { Tell, Verdict } from './verdict.ts';

export interface JudgeOptions {
  /** Whether what is gone from the store is forgotten; a name that comes again later is a stranger then. `true` when left out. */
  readonly forgets?: boolean;
  /** How long a handler may go on after its lease was lost before it is told, ms; 0 when left out. */
  readonly toldWithinMs?: number;
  /**
   * How long steps may overlap, ms; 0 when left out. One that has waited for another read the clock before it and is numbered behind it;
   * and one that saw nothing of another may be numbered behind it too.
   */
  readonly overlapMs?: number;
  /**
   * Whether the events are those of a record apart from its live store; `false` when left out. It prunes by its own time, ahead of
   * what it has yet to hear of; and what it has pruned may come to life again.
   */
  readonly isRecord?: boolean;
}

/** What is there once everything is over. */
export interface Remains {
  /** The keys that the store holds for unfinished tasks. */
  readonly heldKeys?: readonly { readonly key: string; readonly taskId: string }[];
  /** Why the run proves nothing although nothing is wrong. */
  readonly doubts?: readonly string[];
}

/**
 * Each source must be handed over in its own order. Between them one thing matters: what a process wrote down before it
 * made a change must come before the event of that change.
 */
export interface Judge {
  event(event: BatchEvent): void;
  client(entry: ClientEntry): void;
  effect(effect: Effect): void;
  process(entry: ProcessEntry): void;
  setting(entry: SettingEntry): void;
  patch(entry: PatchEntry): void;
  refusal(entry: KeyRefusal): void;
  /** A promise that somebody else saw broken. */
  readonly tell: Tell;
  /** Takes note that nothing more is there right now, and forgets what nobody will speak of again. */
  sweep(): void;
  /** A task as the store has it at the end. */
  row(task: Task): void;
  /** Called once, after every row. */
  finish(remains?: Remains): Verdict;
  readonly counts: Readonly<Record<string, number>>;
  /** Tasks that are remembered, and those of them that are not final. */
  readonly remembered: number;
  readonly open: number;
  /** Ids of some that are not final. */
  openIds(limit: number): readonly string[];
  readonly broken: number;
}

export function createJudge(options: JudgeOptions = {}): Judge {
  return new HistoryJudge(options);
}

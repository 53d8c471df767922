/** What people tell workers, how wishes replace each other until they are heard, and what a worker answers about itself. */

import { limits } from './limits.ts';
import { invalidOption } from './option-names.ts';

/**
 * A wish of a person for a worker, delivered with its next heartbeat. `drain` stops claiming, what runs goes on; `resume`
 * takes it back. `scale` changes the number of its slots. `stack` asks what every slot does now. `restart` drains, ends
 * the process and begins anew.
 */
export type WorkerCommand =
  | { readonly kind: 'drain' | 'resume' | 'stack' | 'restart' }
  | { readonly kind: 'scale'; readonly concurrency: number };

/** A command on its way: its id grows with every command for the worker, so that a repeated delivery is known as one. */
export interface SentCommand {
  readonly id: number;
  readonly command: WorkerCommand;
}

/** What one slot of a worker does. */
export interface SlotStack {
  readonly taskId: string;
  readonly name: string;
  /** How long its handler has run. */
  readonly ranMs: number;
  /** The last thing it said: a step, its progress, a line of its log; `null` when it said nothing. */
  readonly doing: string | null;
}

/** A worker's answer to `stack`. */
export interface WorkerStack {
  /** The id of the command it answers. */
  readonly answers: number;
  /** Those that run, longest first; at most `limits.stackSlotsMax`. */
  readonly slots: readonly SlotStack[];
  /** Where the event loop stands when it does not turn; `null` when it turns. */
  readonly loop: LoopStack | null;
}

/** Where a blocked event loop stands. */
export interface LoopStack {
  readonly blockedMs: number;
  /** `name (file:line:column)`, innermost first, at most `limits.errorFramesMax`; empty when they could not be read. */
  readonly frames: readonly string[];
}

/** An answer as the store keeps it, until the next one. */
export interface StoredStack extends WorkerStack {
  readonly at: number;
}

/** Throws INVALID_OPTION for a number of slots that no worker may have. */
export function checkCommand(command: WorkerCommand): void {
  if (command.kind !== 'scale') return;
  const { concurrency } = command;
  if (Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= limits.concurrencyMax) return;
  throw invalidOption(
    'concurrency',
    `it must be a whole number from 1 to ${limits.concurrencyMax}, not ${concurrency}`,
  );
}

/** The commands that wait once this one is sent: it replaces an earlier one of its kind, and `resume` and `drain` each other. */
export function withCommand(waiting: readonly SentCommand[], sent: SentCommand): readonly SentCommand[] {
  return [...waiting.filter(({ command }) => subjectOf(command) !== subjectOf(sent.command)), sent];
}

/** Whether an answer is small enough to be kept. */
export function fitsStore(stackText: string): boolean {
  return stackText.length <= limits.stackTextMax;
}

/** What a command is about: of two about the same only the newer one waits. */
export function subjectOf({ kind }: WorkerCommand): string {
  return kind === 'resume' ? 'drain' : kind;
}

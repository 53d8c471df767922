/** What processes under torture write down for the judge: short lines, each in the system's memory before the call returns. */

import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { ClientEntry, Effect } from '../checker/evidence.ts';

/** Who writes: handlers of a worker, or a client. */
export type Author = 'handlers' | 'client';

/** Milliseconds of the machine's monotonic clock: comparable between its processes, unlike `performance.now()`. */
export function machineMs(): number {
  return Math.round(Number(process.hrtime.bigint()) / 1e3) / 1e3;
}

export function notesPath(folder: string, author: Author, number: number): string {
  return join(folder, 'notes', `${number}.${author}`);
}

/** What the harness saw and did itself: the ends of processes, and the settings it changed. */
export const fatesPath = (folder: string): string => join(folder, 'notes', 'fates');
export const settingsPath = (folder: string): string => join(folder, 'notes', 'settings');

/** Opens the notes of the process with this number: they survive whatever becomes of it. */
export function openNotes(folder: string, author: Author, number: number): (lines: readonly unknown[]) => void {
  const file = openSync(notesPath(folder, author, number), 'a');
  return (lines) => {
    if (lines.length > 0) writeSync(file, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
  };
}

/**
 * One moment of a run; `block` and `free`: the event loop stands still from here to there; `bomb` and `exit`: the process is
 * about to die of it.
 */
export type HandlerNote =
  | [at: number, what: Effect['what'], taskId: string, epoch: number, attempt: number, n: number, more?: HandlerMore]
  | [at: number, what: Doing, own: boolean];
/** What a handler does to its process. */
export type Doing = 'block' | 'free' | 'bomb' | 'exit';
type HandlerMore = Pick<Effect, 'own' | 'how' | 'step' | 'generation'> & {
  /** Id and number of a child. */
  readonly child?: readonly [taskId: string, n: number];
};

/** One step of a call. Of `invoke`: the name of the task and what differs from its definition; of others an error code. */
export type ClientNote = [
  at: number,
  step: ClientEntry['step'],
  taskId: string,
  n: number,
  name?: string | undefined,
  more?: object | undefined,
];

/** What processes of a scenario write down for the checker: calls of clients, and the effects of handlers. */

import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { ClientEntry, Effect, ProcessEntry } from '../../src/checker/evidence.ts';

/** Milliseconds of the machine's monotonic clock: comparable between its processes, unlike `performance.now()`. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Appends one line with one write: it is in the system's memory when this returns, so no kill of the process takes it back. */
export function note(
  folder: string,
  kind: 'client' | 'effects',
  entry: Omit<ClientEntry, 'at' | 'pid'> | Omit<Effect, 'at' | 'pid'>,
): void {
  const line = JSON.stringify({ at: machineMs(), pid: process.pid, ...entry });
  appendFileSync(join(folder, `${process.pid}.${kind}`), `${line}\n`);
}

/** What the test did to a process, or saw of its end. */
export function noteProcess(folder: string, pid: number, what: ProcessEntry['what']): void {
  appendFileSync(join(folder, 'all.processes'), `${JSON.stringify({ at: machineMs(), pid, what })}\n`);
}

export function readProcesses(folder: string): readonly ProcessEntry[] {
  return readLines(folder, '.processes') as ProcessEntry[];
}

export function readClientLog(folder: string): readonly ClientEntry[] {
  return readLines(folder, '.client') as ClientEntry[];
}

export function readEffects(folder: string): readonly Effect[] {
  return readLines(folder, '.effects') as Effect[];
}

/** The lines of every process in the order of the machine's clock; what a kill has cut in two is left out. */
function readLines(folder: string, suffix: string): { readonly at: number }[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(suffix));
  const lines = files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1));
  return lines.map((line) => JSON.parse(line) as { readonly at: number }).sort((left, right) => left.at - right.at);
}

/** Reads what processes under torture wrote down, for the judge. */

import type { ClientEntry, Effect } from '../checker/evidence.ts';
import type { ClientNote, Doing, HandlerNote } from './notes.ts';
import { askedOf } from './requests.ts';

export function readHandlerNote(pid: number, line: string): Effect | { readonly at: number; readonly doing: Doing } {
  const note = JSON.parse(line) as HandlerNote;
  const [at, what] = note;
  if (what === 'block' || what === 'free' || what === 'bomb' || what === 'exit') return { at, doing: what };
  const [, , taskId, epoch, attempt, n, { child, ...more } = {}] = note;
  const effect = { at, pid, what, taskId: taskId ?? '', epoch: epoch ?? 0, attempt: attempt ?? 0, n: n ?? 0, ...more };
  if (child === undefined) return effect;
  // Children are plain tasks.
  return { ...effect, child: { taskId: child[0], n: child[1], asked: askedOf('torture.plain', {}) } };
}

export function readClientNote(pid: number, line: string): ClientEntry {
  const [at, step, taskId, n, name, more] = JSON.parse(line) as ClientNote;
  if (step === 'invoke') return { at, pid, step, taskId, n, asked: askedOf(name ?? '', more) };
  return { at, pid, step, taskId, n, code: name };
}

/** Reads what processes under torture wrote down, for the judge. */

import type { ClientEntry, Effect } from '../checker/evidence.ts';
import type { ClientNote, Doing, HandlerNote } from './notes.ts';
import { askedOf } from './requests.ts';

/** What a handler did to its process; `own`: one that it had for itself. */
export interface Deed {
  readonly at: number;
  readonly doing: Doing;
  readonly own: boolean;
}

export function readHandlerNote(pid: number, line: string): Effect | Deed {
  const note = JSON.parse(line) as HandlerNote;
  if (isDeed(note)) return { at: note[0], doing: note[1], own: note[2] };
  const [at, what, taskId, epoch, attempt, n, { child, ...more } = {}] = note;
  const effect = { at, pid, what, taskId, epoch, attempt, n, ...more };
  if (child === undefined) return effect;
  // Children are plain tasks.
  return { ...effect, child: { taskId: child[0], n: child[1], asked: askedOf('torture.plain', {}) } };
}

const isDeed = (note: HandlerNote): note is [at: number, what: Doing, own: boolean] => note.length === 3;

export function readClientNote(pid: number, line: string): ClientEntry {
  const [at, step, taskId, n, name, more] = JSON.parse(line) as ClientNote;
  if (step === 'invoke') return { at, pid, step, taskId, n, asked: askedOf(name ?? '', more) };
  return { at, pid, step, taskId, n, code: name };
}

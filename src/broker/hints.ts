/** Signals as the payload of a notification, and back. */

import type { Signal } from './broker.ts';

/** Postgres takes less than 8,000 bytes. */
const payloadMax = 7_900;
/** Ids told by name; beyond, whoever waits for one looks for itself. */
const idsMax = 100;

/** What many signals come to together. `null` is "some". */
interface Hints {
  /** Whose they are: nobody needs to hear them back. */
  readonly from: string;
  readonly work?: readonly string[] | null;
  readonly due?: number;
  readonly cancel?: readonly string[];
  readonly finished?: readonly string[] | null;
  readonly command?: readonly string[] | null;
  readonly overdue?: true;
  readonly settings?: true;
}

/** One payload for all of them. */
export function encodeHints(from: string, signals: readonly Signal[]): string {
  const named = JSON.stringify(hintsOf(from, signals));
  if (Buffer.byteLength(named) <= payloadMax) return named;
  // Names may be long. A request to cancel that is not told is in the answer to the next heartbeat.
  return JSON.stringify({ from, work: null, finished: null, command: null, overdue: true, settings: true });
}

function hintsOf(from: string, signals: readonly Signal[]): Hints {
  const dues = signals.flatMap((signal) => (signal.kind === 'due' ? signal.inMs : []));
  const cancels = signals.flatMap((signal) => (signal.kind === 'cancel' ? signal.taskIds : []));
  const has = (kind: Signal['kind']): boolean => signals.some((signal) => signal.kind === kind);
  const namesOf = (kind: 'work' | 'finished' | 'command') => {
    const lists = signals.flatMap((signal) => (signal.kind === kind ? [listOf(signal)] : []));
    const names = lists.includes(null) ? null : [...new Set(lists.flatMap((list) => list ?? []))];
    return names === null || names.length > idsMax ? null : names;
  };
  return {
    from,
    ...(has('work') && { work: namesOf('work') }),
    ...(dues.length > 0 && { due: Math.min(...dues) }),
    ...(cancels.length > 0 && { cancel: cancels.slice(0, idsMax) }),
    ...(has('finished') && { finished: namesOf('finished') }),
    ...(has('command') && { command: namesOf('command') }),
    ...(has('overdue') && { overdue: true as const }),
    ...(has('settings') && { settings: true as const }),
  };
}

function listOf(signal: Signal): readonly string[] | null {
  if (signal.kind === 'work') return signal.queues;
  if (signal.kind === 'finished') return signal.taskIds;
  return signal.kind === 'command' ? signal.workerIds : null;
}

/** The signals of a payload; none of one that is one's own, or that somebody else wrote. */
export function decodeHints(payload: string, own: string): readonly Signal[] {
  const hints = parse(payload);
  if (hints === null || hints.from === own) return [];
  const { work, due, cancel, finished, command, overdue, settings } = hints;
  const signals: Signal[] = [];
  if (work !== undefined) signals.push({ kind: 'work', queues: work });
  if (due !== undefined) signals.push({ kind: 'due', inMs: due });
  if (cancel !== undefined) signals.push({ kind: 'cancel', taskIds: cancel });
  if (finished !== undefined) signals.push({ kind: 'finished', taskIds: finished });
  if (command !== undefined) signals.push({ kind: 'command', workerIds: command });
  if (overdue) signals.push({ kind: 'overdue' });
  if (settings) signals.push({ kind: 'settings' });
  return signals;
}

function parse(payload: string): Hints | null {
  try {
    const read: unknown = JSON.parse(payload);
    return typeof read === 'object' && read !== null && 'from' in read ? (read as Hints) : null;
  } catch {
    return null;
  }
}

/** What may have happened while nobody listened. */
export const anything: readonly Signal[] = [
  { kind: 'work', queues: null },
  { kind: 'finished', taskIds: null },
  { kind: 'command', workerIds: null },
  { kind: 'overdue' },
  { kind: 'settings' },
];

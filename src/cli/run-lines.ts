/** One line for each run that ended, as `up` and `worker start` show them; under load they are summed up. */

import { formatDuration } from '../core/duration.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';
import { isoTime } from '../core/time.ts';
import type { RunEvent } from '../worker/events.ts';
import { firstFrame } from './frames.ts';
import type { Output } from './output.ts';
import { oneLine } from './table.ts';
import { shortIdLength } from './task-view.ts';
import { cut, glyphOf, paint, type Terminal } from './terminal.ts';
import { clockTime } from './times.ts';

/** How a run ended. */
export type RunEnd = 'succeeded' | 'failed' | 'retrying' | 'cancelled';

export const runEnds: readonly RunEnd[] = ['succeeded', 'failed', 'retrying', 'cancelled'];

/** What can be looked up about a run that is tried again. */
export interface Retry {
  readonly attempts: number;
  readonly inMs: number;
}

export interface RunLines {
  /** `retry` is told for runs that are tried again, when it is known. */
  add(end: RunEnd, event: RunEvent, retry: Retry | null): void;
  /** Whether the next line would be shown: what only a shown line needs is then worth looking up. */
  readonly hasRoom: boolean;
  /** Shows what is summed up. */
  close(): void;
}

/** Nobody reads more in a second, and printing must not slow the work down. */
const linesPerSecondMax = 20;

export function createRunLines(output: Output, clock: Clock): RunLines {
  let shown = 0;
  let hidden: Partial<Record<RunEnd, number>> = {};
  let cancel: (() => void) | null = null;

  function endOfSecond(): void {
    cancel = null;
    shown = 0;
    const counts = runEnds
      .filter((end) => hidden[end] !== undefined)
      .map((end) => `${(hidden[end] ?? 0).toLocaleString('en-US')} ${end}`);
    hidden = {};
    if (counts.length === 0) return;
    output.event({ at: isoTime(clock.now()), event: 'more', summary: counts.join(', ') }, () => [
      paint(output.terminal, `  ${clockTime(clock.now())}  and ${counts.join(', ')}`, 'muted'),
    ]);
  }

  return {
    get hasRoom() {
      return shown < linesPerSecondMax;
    },
    add(end, event, retry) {
      cancel ??= clock.schedule(1_000, endOfSecond);
      if (shown >= linesPerSecondMax) {
        hidden[end] = (hidden[end] ?? 0) + 1;
        return;
      }
      shown += 1;
      const { id, name, queue, attempt, ms, reason, error } = event;
      const document = {
        at: isoTime(clock.now()),
        event: end,
        id,
        name,
        queue,
        attempt,
        tookMs: Math.round(ms),
        reason,
        error: error === null ? null : { name: error.name, message: error.message },
      };
      output.event(document, () => runLines(output.terminal, clock.now(), end, event, retry));
    },
    close() {
      cancel?.();
      endOfSecond();
    },
  };
}

function runLines(terminal: Terminal, at: number, end: RunEnd, event: RunEvent, retry: Retry | null): string[] {
  const head = `  ${paint(terminal, clockTime(at), 'muted')}  ${paint(terminal, glyphOf(terminal, end), end)} `;
  const words = wordsOf(end, event, retry);
  const room = Math.max(12, terminal.width - 12 - shortIdLength - words.length - 8);
  const line = `${head}${cut(terminal, oneLine(event.name), room)}  ${paint(terminal, event.id.slice(0, shortIdLength), 'muted')}  ${words}`;
  if (event.error === null) return [line];
  const place = firstFrame(event.error.stack);
  const problem = `${event.error.name}: ${oneLine(event.error.message)}`;
  const shownPlace = place === null ? '' : `  ${place}`;
  const problemRoom = Math.max(20, terminal.width - 13 - shownPlace.length);
  return [line, `            ${cut(terminal, problem, problemRoom)}${paint(terminal, shownPlace, 'muted')}`];
}

function wordsOf(end: RunEnd, { ms, attempt, reason }: RunEvent, retry: Retry | null): string {
  if (end === 'succeeded') return formatDuration(ms);
  if (end === 'cancelled') return `cancelled after ${formatDuration(ms)}`;
  if (reason === 'crash_loop') return `quarantined: it ended its process ${limits.crashesMax} times`;
  if (reason === 'crashed') return `attempt ${attempt} ended its process, and begins again`;
  if (end === 'failed')
    return `failed for good after ${attempt} ${attempt === 1 ? 'attempt' : 'attempts'}${reason === null || reason === 'error' ? '' : ` (${reason})`}`;
  return retry === null
    ? `attempt ${attempt} failed, tried again later`
    : `attempt ${attempt} of ${retry.attempts} failed, again in ${formatDuration(retry.inMs)}`;
}

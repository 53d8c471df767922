/** The line that moves while a command waits; only where a person looks at stderr. */

import { preview } from '../core/preview.ts';
import type { Clock } from '../core/time.ts';
import type { Call } from './command.ts';
import { cut, glyphOf, mark, paint, type Terminal } from './terminal.ts';
import { durationWords } from './times.ts';
import type { Look } from './wait.ts';

export interface ProgressLine {
  show(task: Look): void;
  /** Takes the line away. */
  clear(): void;
}

const barWidth = 30;

export function createProgressLine({ stderr, output }: Pick<Call, 'stderr' | 'output'>, clock: Clock): ProgressLine {
  const terminal = output.notes;
  const startedAt = clock.elapsed();
  let shown = false;
  return {
    show(task) {
      if (!terminal.isPerson) return;
      shown = true;
      stderr.write(`\r\u001b[K${progressText(terminal, task, clock.elapsed() - startedAt)}`);
    },
    clear() {
      if (shown) stderr.write('\r\u001b[K');
      shown = false;
    },
  };
}

function progressText(terminal: Terminal, task: Look, waitedMs: number): string {
  const { view } = task;
  const head = paint(terminal, `${glyphOf(terminal, view)} ${view}`, view);
  const { progress } = task;
  if (task.state !== 'running' || progress === null) return `${head}   ${durationWords(waitedMs)}`;
  const note = preview(progress.note ?? '');
  if (progress.total === null || progress.total <= 0)
    return `${head}   ${cut(terminal, `${progress.done} ${note}`, terminal.width - 30)}   ${durationWords(waitedMs)}`;
  const share = Math.min(1, progress.done / progress.total);
  const full = Math.floor(share * barWidth);
  const bar = mark(terminal, 'full').repeat(full) + (full < barWidth ? mark(terminal, 'half') : '');
  const rest = `${Math.floor(share * 100)} %  ${note}`;
  return `${head}  ${paint(terminal, bar.padEnd(barWidth), 'running')}  ${cut(terminal, rest, Math.max(10, terminal.width - barWidth - 28))}  ${durationWords(waitedMs)}`;
}

/** How failures of one kind are shown: what they say, how often they came, and the newest tasks. */

import { systemClock } from '../core/time.ts';
import type { ErrorDocument } from '../operations/error.ts';
import { type Field, fieldLines, oneLine } from './table.ts';
import { glyphOf, paint, type Terminal } from './terminal.ts';
import { relativeTime } from './times.ts';

export function errorLines(terminal: Terminal, error: ErrorDocument): string[] {
  const { fingerprint, task, errorName, message, lastHour, lastDay, count, mark, stack, tasks } = error;
  const time = (label: string, at: string): Field => ({
    label,
    text: relativeTime(Date.parse(at), systemClock.now()),
    raw: at,
  });
  const marked =
    mark === null ? 'open' : [mark.as, mark.until && `until ${mark.until}`, mark.reason].filter(Boolean).join(', ');
  const fields = fieldLines(terminal, [
    { label: 'Error', text: fingerprint },
    { label: 'Task', text: task, style: 'bold' },
    { label: 'Message', text: `${errorName}: ${message}`, style: 'error' },
    { label: 'State', text: marked },
    {
      label: 'Failed',
      text: `${lastHour} in the last hour, ${lastDay} in the last day, ${count} in all`,
      raw: String(count),
    },
    time('First', error.firstSeenAt),
    time('Last', error.lastSeenAt),
  ]);
  if (!terminal.isPerson)
    return [...fields, `stack\t${oneLine(stack ?? '')}`, ...tasks.map(({ id, name }) => `failed task\t${id}\t${name}`)];
  return [
    ...fields,
    ...(stack === null ? [] : stack.split('\n').map((line) => paint(terminal, `    ${oneLine(line)}`, 'muted'))),
    ...tasks.slice(0, shownMax).map(({ id, name, finishedAt }) => {
      const when = finishedAt === null ? '' : relativeTime(Date.parse(finishedAt), systemClock.now());
      return `  ${paint(terminal, glyphOf(terminal, 'failed'), 'failed')} ${name}   ${id}   ${paint(terminal, when, 'muted')}`;
    }),
    '',
    `  taskflow error retry ${fingerprint}   taskflow task get ${error.newestId}`,
  ];
}

/** Tasks a person reads; --json has all of them. */
const shownMax = 10;

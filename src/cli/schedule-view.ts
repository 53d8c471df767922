/** One schedule for people: when it is due, what becomes of its times, and what became of the last ones. */

import { durationText } from '../core/duration.ts';
import type { FiringDocument, ScheduleDocument } from '../operations/schedule-document.ts';
import { type Field, fieldLines } from './table.ts';
import { paint, type Terminal } from './terminal.ts';
import { relativeTime } from './times.ts';

const recentShown = 5;

export function scheduleLines(terminal: Terminal, schedule: ScheduleDocument, now: number): readonly string[] {
  const { name, state, words, next, recent } = schedule;
  const ago = (time: string): string => relativeTime(Date.parse(time), now);
  const fields: readonly Field[] = [
    { label: 'Task', text: `${schedule.task}, queue ${schedule.queue}`, raw: schedule.task },
    {
      label: 'When',
      text: `${words}${schedule.cron === null ? '' : ` (${schedule.cron})`}`,
      raw: schedule.cron ?? String(durationText(schedule.everyMs ?? 0)),
    },
    ...several(
      'Next',
      next.map((time) => `${short(time)} (${ago(time)})`),
      'never again',
    ),
    { label: 'Clocks', text: schedule.clockNote, style: 'warning' },
    { label: 'Jitter', text: schedule.jitterMs === 0 ? null : String(durationText(schedule.jitterMs)) },
    { label: 'Overlap', text: schedule.overlap },
    { label: 'Catch-up', text: schedule.catchUp },
    { label: 'Input', text: schedule.madeInWorker ? 'made in the worker' : JSON.stringify(schedule.input) },
    { label: 'Paused', text: pauseText(schedule), style: 'warning' },
    { label: 'File', text: schedule.file },
    ...several(
      'Last',
      recent.slice(0, recentShown).map((one) => recentText(one, ago)),
      'nothing yet',
    ),
  ];
  if (!terminal.isPerson) return [`name\t${name}`, `state\t${state}`, ...fieldLines(terminal, fields)];
  const orphan = schedule.orphaned ? `  No living worker has its code: taskflow schedule delete ${name}` : null;
  return [
    `${paint(terminal, name, 'bold')} is ${paint(terminal, state, state === 'active' ? 'ok' : 'warning')}`,
    ...fieldLines(terminal, fields),
    ...(orphan === null ? [] : [paint(terminal, orphan, 'warning')]),
  ];
}

/** One line each under one label. */
function several(label: string, lines: readonly string[], none: string): readonly Field[] {
  if (lines.length === 0) return [{ label, text: none, raw: '' }];
  return lines.map((text, index) => ({ label: index === 0 ? label : '', text }));
}

/** `2026-11-26 01:30:00Z` */
function short(time: string): string {
  return `${time.slice(0, 19).replace('T', ' ')}Z`;
}

function pauseText({ pause }: ScheduleDocument): string | null {
  if (pause === null) return null;
  return `by ${pause.by}${pause.reason === null ? '' : `: ${pause.reason}`}, since ${short(pause.at)}`;
}

function recentText(one: FiringDocument, ago: (time: string) => string): string {
  const when = `${short(one.at)} (${ago(one.at)})`;
  if (one.reason === null) return `${when} ${one.taskId ?? ''}${one.asked ? ' asked for' : ''}`;
  const many = one.count === null ? '1,000+ times' : one.count === 1 ? '' : `${one.count} times`;
  const words = {
    missed: 'missed: nothing ran',
    paused: 'left out: paused',
    overlap: 'left out: still running',
    key: 'left out: key held by',
  };
  const of = one.reason === 'overlap' || one.reason === 'key' ? ` ${one.taskId ?? ''}` : '';
  return `${when} ${words[one.reason]}${of}${many === '' ? '' : `, ${many} until ${short(one.until ?? one.at)}`}`;
}

/** How numbers, times and durations read on a page. */

import { formatDuration } from '../core/duration.ts';
import type { TaskView } from '../core/states.ts';

const wholeNumbers = new Intl.NumberFormat('en-US');

/** 10332 → "10,332". */
export function count(number: number): string {
  return wholeNumbers.format(number);
}

/** How long ago, in one unit: "3 m ago", "now". Times ahead read "in 3 m". */
export function ago(at: string, now: number): string {
  const ms = now - Date.parse(at);
  if (Math.abs(ms) < 1_000) return 'now';
  const text = largestUnit(formatDuration(Math.abs(ms)));
  return ms > 0 ? `${text} ago` : `in ${text}`;
}

/** "2026-11-23 09:41:07 UTC": the exact time, for titles and timelines. */
export function exactTime(at: string): string {
  return `${at.slice(0, 10)} ${at.slice(11, 19)} UTC`;
}

/** "09:41:07". */
export function clockTime(at: string): string {
  return at.slice(11, 19);
}

/** As much of a task as its times need. */
export interface TimedTask {
  readonly view: TaskView;
  readonly tookMs: number | null;
  readonly startedAt: string | null;
  readonly claimedAt: string | null;
  readonly dueAt: string;
}

/** What the number in a list's "took or waits" column says of a task. */
export function tookOrWaits(task: TimedTask, now: number): string {
  switch (task.view) {
    case 'running':
      return formatDuration(Math.max(0, now - Date.parse(task.startedAt ?? task.claimedAt ?? task.dueAt)));
    case 'queued':
    case 'blocked':
      return `waits ${largestUnit(formatDuration(Math.max(0, now - Date.parse(task.dueAt))))}`;
    case 'scheduled':
    case 'retrying': {
      const untilMs = Date.parse(task.dueAt) - now;
      return untilMs <= 0 ? 'due' : `in ${largestUnit(formatDuration(untilMs))}`;
    }
    default:
      return task.tookMs === null ? '–' : formatDuration(task.tookMs);
  }
}

/** How long something has been running, as a stopwatch shows it: "4:12", "1:04:12". */
export function stopwatch(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1_000);
  const two = (number: number) => String(number).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours === 0 ? `${minutes}:${two(seconds % 60)}` : `${hours}:${two(minutes)}:${two(seconds % 60)}`;
}

/** The time a list shows for a task: of the step it took last. */
export function lastTime(task: {
  readonly finishedAt: string | null;
  readonly startedAt: string | null;
  readonly createdAt: string;
}): string {
  return task.finishedAt ?? task.startedAt ?? task.createdAt;
}

/** "1 h 18 m" → "1 h". */
function largestUnit(text: string): string {
  return text.split(' ').slice(0, 2).join(' ');
}

/** Times and durations as a person reads them. */

import { formatDuration } from '../core/duration.ts';

/** `2 m ago`, `in 41 s`, `just now`; one unit is enough in a list. Both are milliseconds since the epoch. */
export function relativeTime(atMs: number, nowMs: number): string {
  const distance = Math.abs(nowMs - atMs);
  if (distance < 1_000) return 'now';
  const words = largestUnit(distance);
  return atMs > nowMs ? `in ${words}` : `${words} ago`;
}

/** `82 ms`, `1.2 s`, `1 h 18 m`; an en dash for `null`. */
export function durationWords(ms: number | null): string {
  return ms === null ? '–' : formatDuration(ms);
}

/** `09:41:07` in the local time zone. */
export function clockTime(atMs: number): string {
  return new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(atMs);
}

function largestUnit(ms: number): string {
  if (ms < 60_000) return `${Math.floor(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} m`;
  if (ms < 48 * 3_600_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}

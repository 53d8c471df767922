/** Time zones: what a clock on the wall shows at an instant, and the instant at which it shows a time. */

import { formatCivil } from './civil.ts';
import { taskFlowError } from './errors.ts';
import { limits } from './limits.ts';

const dayMs = 86_400_000;

/** What makes an instant of a local time that is not there exactly once. */
export type LocalTime =
  | { readonly at: number; readonly kind: 'once' }
  /** The clock was put forward over it: `at` is the first instant after the gap. */
  | { readonly at: number; readonly kind: 'gap' }
  /** The clock was put back over it: `at` is the first of the two. */
  | { readonly at: number; readonly kind: 'twice' };

/** Returns the zone when the time zone database knows it ("Europe/Berlin", "UTC"). `path` names it in INVALID_OPTION. */
export function checkZone(zone: unknown, path: string): string {
  if (typeof zone === 'string' && zone.length <= limits.nameMax && formatterOf(zone) !== null) return zone;
  const problem =
    typeof zone === 'string'
      ? `there is no time zone ${JSON.stringify(zone.slice(0, 60))}`
      : `a ${typeof zone} is not a time zone`;
  throw taskFlowError('INVALID_OPTION', { what: path, problem }, { hint: "Such as 'Europe/Berlin' or 'UTC'." });
}

/** What the clocks of the zone show at `at`, as milliseconds of a calendar without zones. */
export function wallTime(zone: string, at: number): number {
  return at + offsetMs(zone, at);
}

/**
 * When the clocks of the zone show `wallMs`. Never decreases as `wallMs` grows: a time in a gap is the end of the gap, a
 * doubled one its first occurrence.
 */
export function localTime(zone: string, wallMs: number): LocalTime {
  // No zone is a day away from UTC, so these two look at the instant from both sides.
  const before = offsetMs(zone, wallMs - dayMs);
  const after = offsetMs(zone, wallMs + dayMs);
  const early = wallMs - before;
  if (before === after) return { at: early, kind: 'once' };
  const late = wallMs - after;
  const isEarly = offsetMs(zone, early) === before;
  const isLate = offsetMs(zone, late) === after;
  if (isEarly && isLate) return { at: Math.min(early, late), kind: early === late ? 'once' : 'twice' };
  if (isEarly) return { at: early, kind: 'once' };
  if (isLate) return { at: late, kind: 'once' };
  return { at: changeBetween(zone, Math.min(early, late), Math.max(early, late)), kind: 'gap' };
}

/** Whether a change of clocks is at work at an instant: it is the first one after a gap, or its local time comes again. */
export function clockChange(zone: string, at: number): 'forward' | 'twice' | null {
  if (offsetMs(zone, at) > offsetMs(zone, at - 1)) return 'forward';
  return localTime(zone, wallTime(zone, at)).kind === 'twice' ? 'twice' : null;
}

/** "Sun 2026-03-29 03:00" on the clocks of the zone, with seconds where there are any. */
export function localTimeText(zone: string, at: number): string {
  const wallMs = wallTime(zone, at);
  const weekday = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'][((Math.floor(wallMs / dayMs) % 7) + 7) % 7];
  const text = formatCivil({ ms: wallMs, lengthMs: wallMs % 60_000 === 0 ? 60_000 : 1_000 });
  return `${weekday} ${text.replace('T', ' ').replace('Z', '')}`;
}

/** The instant after `low`, up to `high`, from which the offset is no longer that of `low`. */
function changeBetween(zone: string, low: number, high: number): number {
  const offset = offsetMs(zone, low);
  let [same, changed] = [low, high];
  while (changed - same > 1) {
    const middle = Math.floor((same + changed) / 2);
    if (offsetMs(zone, middle) === offset) same = middle;
    else changed = middle;
  }
  return changed;
}

/** How far the clocks of the zone are ahead of UTC at `at`. */
export function offsetMs(zone: string, at: number): number {
  if (zone === 'UTC') return 0;
  const formatter = formatterOf(zone);
  if (formatter === null)
    throw taskFlowError('INVALID_OPTION', { what: 'timezone', problem: `this machine knows no ${zone}` });
  const match = offsetPattern.exec(formatter.format(at));
  if (match === null || match[2] === undefined) return 0;
  const [, sign, hours, minutes, seconds] = match;
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds ?? 0)) * 1000;
  return sign === '-' ? -ms : ms;
}

/** "1/1/2026, GMT+01:00"; without digits it is UTC. */
const offsetPattern = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/;

/** A formatter costs a hundred times one formatting. Bounded by the number of zones. */
const formatters = new Map<string, Intl.DateTimeFormat>();
const formattersMax = 1_000;

function formatterOf(zone: string): Intl.DateTimeFormat | null {
  const known = formatters.get(zone);
  if (known !== undefined) return known;
  try {
    const made = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    // The spelling of a zone is free in its case: without a bound every caller could add to this.
    if (formatters.size >= formattersMax) formatters.clear();
    formatters.set(zone, made);
    return made;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

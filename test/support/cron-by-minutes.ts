/**
 * The second implementation of cron times: it looks at every minute of the real time and at what the clocks of the zone
 * show then. It shares no line and no library with the first one.
 */

const minuteMs = 60_000;

/** What a clock on the wall shows, as a number of minutes that can be counted through. */
interface Wall {
  readonly minutes: number;
}

/** What it shows at a time. */
type Clock = (at: number) => Wall;

type Matcher = (wallMinutes: number) => boolean;

/** All times of the expression from `from` (inclusive, a whole minute) to `to` (exclusive). `*`, lists, ranges and steps. */
export function cronTimesByMinutes(cron: string, zone: string, from: number, to: number): readonly number[] {
  const matches = matcherOf(cron);
  const clock = clockOf(zone);
  const times: number[] = [];
  // What was shown before does not count again; what is jumped over comes with the first minute behind it.
  let shown = latestBefore(clock, from);
  for (let at = from; at < to; at += minuteMs) {
    const now = clock(at).minutes;
    let isTime = false;
    for (let minute = shown + 1; minute <= now; minute += 1) isTime ||= matches(minute);
    if (isTime) times.push(at);
    shown = Math.max(shown, now);
  }
  return times;
}

/** The latest that was ever shown before `from`: clocks are put back by a day at most. */
function latestBefore(clock: Clock, from: number): number {
  let latest = Number.NEGATIVE_INFINITY;
  for (let at = from - 26 * 60 * minuteMs; at < from; at += minuteMs) latest = Math.max(latest, clock(at).minutes);
  return latest;
}

/** The same hours are looked at time and again: of so many zones so many minutes are remembered, which is some megabytes. */
const zonesMax = 8;
const minutesMax = 50_000;
const clocks = new Map<string, Clock>();

function clockOf(zone: string): Clock {
  const known = clocks.get(zone);
  if (known !== undefined) return known;
  if (clocks.size >= zonesMax) clocks.clear();
  const clock = remembering(readClock(zone));
  clocks.set(zone, clock);
  return clock;
}

function remembering(clock: Clock): Clock {
  const shown = new Map<number, Wall>();
  return (at) => {
    const known = shown.get(at);
    if (known !== undefined) return known;
    if (shown.size >= minutesMax) shown.clear();
    const wall = clock(at);
    shown.set(at, wall);
    return wall;
  };
}

function readClock(zone: string): Clock {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  return (at) => {
    const match = /(\d+)\/(\d+)\/(\d+), (\d+):(\d+)/.exec(format.format(at));
    const [, month, day, year, hour, minute] = (match ?? []).map(Number);
    return { minutes: Date.UTC(year!, month! - 1, day, hour, minute) / minuteMs };
  };
}

function matcherOf(cron: string): Matcher {
  const [minutes, hours, days, months, weekdays] = cron.split(' ') as [string, string, string, string, string];
  const minuteSet = numbersOf(minutes, 0, 59);
  const hourSet = numbersOf(hours, 0, 23);
  const daySet = numbersOf(days, 1, 31);
  const monthSet = numbersOf(months, 1, 12);
  const weekdaySet = numbersOf(weekdays, 0, 7);
  const isDay = (date: Date): boolean => {
    const byDay = daySet.has(date.getUTCDate());
    const byWeekday = weekdaySet.has(date.getUTCDay()) || (date.getUTCDay() === 0 && weekdaySet.has(7));
    // The old rule of cron: of two that are given, one is enough.
    return days !== '*' && weekdays !== '*' ? byDay || byWeekday : byDay && byWeekday;
  };
  return (wallMinutes) => {
    const date = new Date(wallMinutes * minuteMs);
    return (
      minuteSet.has(date.getUTCMinutes()) &&
      hourSet.has(date.getUTCHours()) &&
      monthSet.has(date.getUTCMonth() + 1) &&
      isDay(date)
    );
  };
}

function numbersOf(field: string, min: number, max: number): Set<number> {
  const numbers = new Set<number>();
  for (const part of field.split(',')) {
    const [range, step = '1'] = part.split('/') as [string, string?];
    const [low, high] =
      range === '*' ? [min, max] : range.includes('-') ? range.split('-').map(Number) : [Number(range)];
    for (let value = low!; value <= (high ?? low!); value += Number(step)) numbers.add(value);
  }
  return numbers;
}

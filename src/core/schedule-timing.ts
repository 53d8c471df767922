/** When a schedule is due: a cron expression in a zone, or an interval; and how it is spread. */

import { type CronTiming, checkCron, lastCronTime, nextCronTime } from './cron.ts';
import { durationText, parseDuration } from './duration.ts';
import { taskFlowError } from './errors.ts';
import { sha256 } from './hash.ts';
import { limits } from './limits.ts';
import { checkZone } from './zone.ts';

/** Every so many milliseconds of elapsed time, counted from the epoch: so everybody computes the same times. */
export interface EveryTiming {
  readonly everyMs: number;
}

export type Timing = CronTiming | EveryTiming;

/** What a definition says, unread. */
export interface TimingOptions {
  readonly cron?: unknown;
  readonly every?: unknown;
  readonly timezone?: unknown;
  readonly jitter?: unknown;
}

/** Gaps between the next times that are compared with the jitter: a year of weeks, or a day and a half of half-hours. */
const gapsMax = 60;

/**
 * Reads when a schedule is due and how far its firings are spread. `now` is where the search for its first time begins.
 * Throws INVALID_OPTION with the path: no timing or two, a zone that nobody knows, a cron expression that never comes, a
 * jitter that reaches the next time.
 */
export function readTiming(
  options: TimingOptions,
  now: number,
): { readonly timing: Timing; readonly jitterMs: number } {
  const timing = readKind(options);
  const first = nextTime(timing, now);
  if (first === null) throw invalid('cron', `${JSON.stringify(options.cron)} names no time in the next five years`);
  const jitterMs = options.jitter === undefined ? 0 : parseDuration(options.jitter, 'jitter');
  const gap = jitterMs === 0 ? Number.POSITIVE_INFINITY : shortestGap(timing, first);
  if (jitterMs >= gap)
    throw invalid('jitter', `${durationText(jitterMs)} is not shorter than the ${durationText(gap)} between two runs`);
  return { timing, jitterMs };
}

/** The first time after `after`; `null` when there is none any more. */
export function nextTime(timing: Timing, after: number): number | null {
  if ('cron' in timing) return nextCronTime(timing, after);
  return (Math.floor(after / timing.everyMs) + 1) * timing.everyMs;
}

/** The last time at or before `at`. */
export function lastTime(timing: Timing, at: number): number | null {
  if ('cron' in timing) return lastCronTime(timing, at);
  return Math.floor(at / timing.everyMs) * timing.everyMs;
}

/** The next `count` times after `after`. */
export function nextTimes(timing: Timing, after: number, count: number): readonly number[] {
  const times: number[] = [];
  let time = nextTime(timing, after);
  while (time !== null && times.length < count) {
    times.push(time);
    time = nextTime(timing, time);
  }
  return times;
}

/** How many times there are from `from` up to, without, `until`; `null` when they are more than `limits.missedMax`. */
export function countTimes(timing: Timing, from: number, until: number): number | null {
  if ('everyMs' in timing) {
    const count = Math.ceil((until - from) / timing.everyMs);
    return count > limits.missedMax ? null : count;
  }
  let count = 0;
  for (let time: number | null = from; time !== null && time < until; time = nextTime(timing, time)) {
    count += 1;
    if (count > limits.missedMax) return null;
  }
  return count;
}

/** How much later than its times a schedule fires: the same for all of them, so that their distances stay as they are. */
export function offsetOf(name: string, jitterMs: number): number {
  if (jitterMs === 0) return 0;
  const hash = new DataView(sha256(`jitter|${name}`).buffer).getUint32(0);
  return Math.floor((hash / 2 ** 32) * jitterMs);
}

function readKind({ cron, every, timezone }: TimingOptions): Timing {
  if (cron !== undefined && every !== undefined)
    throw invalid('every', 'a schedule has either a cron expression or an interval, not both');
  if (cron !== undefined)
    return {
      cron: checkCron(cron, 'cron'),
      timezone: timezone === undefined ? 'UTC' : checkZone(timezone, 'timezone'),
    };
  if (every === undefined) throw invalid('cron', "a schedule needs cron: '30 2 * * *' or every: '15m'");
  if (timezone !== undefined)
    throw invalid('timezone', 'an interval counts elapsed time, which is the same everywhere');
  return { everyMs: parseDuration(every, 'every', { min: limits.everyMinMs }) };
}

function shortestGap(timing: Timing, first: number): number {
  if ('everyMs' in timing) return timing.everyMs;
  let [gap, last] = [Number.POSITIVE_INFINITY, first];
  for (const time of nextTimes(timing, first, gapsMax)) {
    gap = Math.min(gap, time - last);
    last = time;
  }
  return gap;
}

function invalid(what: string, problem: string) {
  return taskFlowError('INVALID_OPTION', { what, problem });
}

/** When schedules are due, and which timings are refused. */

import { describe, expect, test } from 'vitest';
import { countTimes, lastTime, nextTime, nextTimes, offsetOf, readTiming } from './schedule-timing.ts';

const now = Date.parse('2026-11-25T09:41:07Z');
const minuteMs = 60_000;

describe('what is read', () => {
  test('a cron expression is in UTC when no zone is given', () => {
    expect(readTiming({ cron: '30 2 * * *' }, now)).toEqual({
      timing: { cron: '30 2 * * *', timezone: 'UTC' },
      jitterMs: 0,
    });
  });

  test('an interval with a jitter', () => {
    expect(readTiming({ every: '15m', jitter: '30s' }, now)).toEqual({
      timing: { everyMs: 15 * minuteMs },
      jitterMs: 30_000,
    });
  });
});

describe('what is refused, with the path and the reason', () => {
  test.each([
    [{}, 'cron is not valid: a schedule needs cron'],
    [{ cron: '* * * * *', every: '1m' }, 'every is not valid: a schedule has either'],
    [{ cron: '0 0 30 2 *' }, 'cron is not valid: "0 0 30 2 *" names no time in the next five years'],
    [
      { cron: '* * * * *', timezone: 'Europe/Atlantis' },
      'timezone is not valid: there is no time zone "Europe/Atlantis"',
    ],
    [{ cron: '* * * * *', timezone: 3 }, 'timezone is not valid: a number is not a time zone'],
    [{ every: '1m', timezone: 'UTC' }, 'timezone is not valid: an interval counts elapsed time'],
    [{ every: '10ms' }, 'every is not valid: "10ms" is shorter than 1s'],
    [{ every: 'daily' }, 'every is not valid: "daily" is not a duration'],
    [{ every: '1m', jitter: '1m' }, 'jitter is not valid: 1m is not shorter than the 1m between two runs'],
    [{ cron: '0,5 * * * *', jitter: '10m' }, 'jitter is not valid: 10m is not shorter than the 5m between two runs'],
  ])('%o', (options, words) => {
    expect(() => readTiming(options, now)).toThrow(words);
  });
});

describe('intervals', () => {
  test('count from the epoch, so that everybody computes the same times', () => {
    const times = nextTimes({ everyMs: 15 * minuteMs }, now, 2).map((time) => new Date(time).toISOString());
    expect(times).toEqual(['2026-11-25T09:45:00.000Z', '2026-11-25T10:00:00.000Z']);
  });

  test('the last and the next time enclose every instant', () => {
    const timing = { everyMs: 7_000 };
    const last = lastTime(timing, now)!;
    expect(nextTime(timing, last)).toBe(last + 7_000);
    expect(lastTime(timing, last)).toBe(last);
  });
});

describe('counting', () => {
  test.each([{ everyMs: minuteMs }, { cron: '* * * * *', timezone: 'UTC' }])('%o', (timing) => {
    const from = Date.parse('2026-11-25T09:42Z');
    expect(countTimes(timing, from, from + 3 * minuteMs)).toBe(3);
    expect(countTimes(timing, from, from + 3 * minuteMs + 1)).toBe(4);
    expect(countTimes(timing, from, from + 1_001 * minuteMs)).toBeNull();
  });
});

describe('the share of the jitter', () => {
  test('is the same for one name and spread over many', () => {
    const offsets = Array.from({ length: 1_000 }, (_, number) => offsetOf(`s${number}`, 60_000));
    expect(offsetOf('s7', 60_000)).toBe(offsets[7]);
    expect(Math.min(...offsets)).toBeLessThan(600);
    expect(Math.max(...offsets)).toBeGreaterThan(59_400);
    expect(offsets.filter((offset) => offset < 30_000).length).toBeGreaterThan(400);
  });

  test('is nothing without jitter', () => {
    expect(offsetOf('s', 0)).toBe(0);
  });
});

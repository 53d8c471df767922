/** Cron times against known dates, and against a second implementation that looks at every minute. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cronTimesByMinutes } from '../../test/support/cron-by-minutes.ts';
import { checkCron, lastCronTime, nextCronTime } from './cron.ts';
import { offsetMs } from './zone.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** The next times of an expression from a time on, in ISO 8601 without seconds. */
function times(cron: string, timezone: string, after: string, count: number): readonly string[] {
  const found: string[] = [];
  let at: number | null = Date.parse(after);
  while (found.length < count && at !== null) {
    at = nextCronTime({ cron, timezone }, at);
    if (at !== null) found.push(new Date(at).toISOString().slice(0, 16));
  }
  return found;
}

function allTimes(cron: string, timezone: string, from: number, to: number): readonly number[] {
  const found: number[] = [];
  for (let at = nextCronTime({ cron, timezone }, from - 1); at !== null && at < to; ) {
    found.push(at);
    at = nextCronTime({ cron, timezone }, at);
  }
  return found;
}

describe('clock changes', () => {
  test('a time in the gap comes at the first instant after it', () => {
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', 2)).toEqual([
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ]);
  });

  test('several times in one gap come once, together with the time of its end', () => {
    expect(times('*/20 * * * *', 'Europe/Berlin', '2026-03-29T00:30Z', 3)).toEqual([
      '2026-03-29T00:40',
      '2026-03-29T01:00',
      '2026-03-29T01:20',
    ]);
  });

  test('a doubled time comes at its first occurrence only', () => {
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
  });

  test('a search that begins in the second pass of a doubled hour goes on behind it', () => {
    expect(times('*/20 * * * *', 'Europe/Berlin', '2026-10-25T01:10Z', 2)).toEqual([
      '2026-10-25T02:00',
      '2026-10-25T02:20',
    ]);
  });

  test('a half-hour change is a change', () => {
    expect(times('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00Z', 2)).toEqual([
      '2026-10-03T15:30',
      '2026-10-04T15:15',
    ]);
  });

  test('a day that a zone leaves out comes at the end of the gap', () => {
    expect(times('0 12 * * *', 'Pacific/Apia', '2011-12-29T00:00Z', 3)).toEqual([
      '2011-12-29T22:00',
      '2011-12-30T10:00',
      '2011-12-30T22:00',
    ]);
  });
});

describe('the second implementation agrees', () => {
  /** Three changes of each kind in the years 2020 to 2040: by how much, and at which local time. */
  function changes(): readonly { readonly zone: string; readonly at: number }[] {
    const kinds = new Map<string, { zone: string; at: number }[]>();
    const from = Date.UTC(2020, 0, 1);
    const to = Date.UTC(2041, 0, 1);
    for (const zone of Intl.supportedValuesOf('timeZone')) {
      let before = offsetMs(zone, from);
      for (let at = from; at < to; at += 7 * dayMs) {
        const after = offsetMs(zone, at);
        if (after === before) continue;
        const change = changeBetween(zone, at - 7 * dayMs, at);
        const local = (change + before) % dayMs;
        const key = `${before} ${after} ${local}`;
        const known = kinds.get(key) ?? [];
        if (known.length < 3) kinds.set(key, [...known, { zone, at: change }]);
        before = after;
      }
    }
    return [...kinds.values()].flat();
  }

  function changeBetween(zone: string, low: number, high: number): number {
    const before = offsetMs(zone, low);
    let [same, changed] = [low, high];
    while (changed - same > 60_000) {
      const middle = Math.floor((same + changed) / 2 / 60_000) * 60_000;
      if (offsetMs(zone, middle) === before) same = middle;
      else changed = middle;
    }
    return changed;
  }

  // Every zone that the runtime knows: some seconds on a quiet machine, half a minute on a busy one.
  test('around every kind of change of every zone from 2020 to 2040', { timeout: 120_000 }, () => {
    const found = changes();
    expect(found.length).toBeGreaterThan(100);
    for (const { zone, at } of found) {
      const [from, to] = [at - 3 * hourMs, at + 3 * hourMs];
      for (const cron of ['*/15 * * * *', '30 2 * * *', '0 0,1,3 * * *'])
        expect([zone, cron, allTimes(cron, zone, from, to)]).toEqual([
          zone,
          cron,
          cronTimesByMinutes(cron, zone, from, to),
        ]);
    }
  });

  const field = (min: number, max: number) =>
    fc.oneof(
      fc.constant('*'),
      fc.constant('*'),
      fc.integer({ min, max }).map(String),
      fc.integer({ min: 2, max: 6 }).map((step) => `*/${step}`),
      fc
        .tuple(fc.integer({ min, max }), fc.integer({ min, max }))
        .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
      fc.tuple(fc.integer({ min, max }), fc.integer({ min, max })).map(([a, b]) => `${a},${b}`),
    );
  const crons = fc
    .tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6))
    .map((fields) => fields.join(' '));
  const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca');
  // Around a day on which three of the zones change.
  const starts = fc.integer({ min: 0, max: 400 }).map((hours) => Date.UTC(2026, 9, 20) + hours * hourMs);

  test('for any expression on any day', () => {
    fc.assert(
      fc.property(crons, zones, starts, (cron, zone, from) => {
        const expected = cronTimesByMinutes(cron, zone, from, from + dayMs);
        expect(allTimes(cron, zone, from, from + dayMs)).toEqual(expected);
        const last = lastCronTime({ cron, timezone: zone }, from + dayMs - 1);
        if (expected.length > 0) expect(last).toBe(expected.at(-1));
        else expect(last === null || last < from).toBe(true);
      }),
      { numRuns: 150, seed: 11 },
    );
  });
});

describe('what is refused', () => {
  test.each([
    ['61 * * * *', 'minute'],
    ['* * * *', '4 fields'],
    ['*/10 * * * * *', "every: '10s'"],
    ['0 0 ? * MON', 'write \\*'],
    ['@reboot', 'reboot'],
    ['', '0 fields'],
    ['0 0 * * 8', '8'],
    ['x'.repeat(201), '201 characters'],
  ])('%s', (cron, words) => {
    expect(() => checkCron(cron, 'cron')).toThrow(new RegExp(`^cron is not valid: .*${words}`));
  });

  test('what is not text', () => {
    expect(() => checkCron(5, 'cron')).toThrow('a number is not a cron expression');
  });

  test('blanks around and between fields are no difference', () => {
    expect(checkCron('  0  2 * *  MON-FRI ', 'cron')).toBe('0 2 * * MON-FRI');
  });
});

describe('the search ends', () => {
  test.each(['0 0 30 2 *', '0 0 31 4,6,9,11 *', '0 0 29 2 +1'])('%s has no time in five years', (cron) => {
    expect(nextCronTime({ cron, timezone: 'Europe/Berlin' }, Date.UTC(2026, 0, 1))).toBeNull();
  });

  test('a leap day is found', () => {
    expect(times('0 0 29 2 *', 'UTC', '2026-01-01', 1)).toEqual(['2028-02-29T00:00']);
  });

  test('the last and the next time enclose every instant', () => {
    const timing = { cron: '0 9 * * 1', timezone: 'America/New_York' };
    const at = Date.parse('2026-11-25T10:00Z');
    expect(new Date(lastCronTime(timing, at)!).toISOString()).toBe('2026-11-23T14:00:00.000Z');
    expect(lastCronTime(timing, Date.parse('2026-11-23T14:00Z'))).toBe(Date.parse('2026-11-23T14:00Z'));
  });
});

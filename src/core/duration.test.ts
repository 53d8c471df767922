/** Tests how durations are read, refused and printed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Duration, durationText, formatDuration, parseDuration } from './duration.ts';
import { limits } from './limits.ts';

describe('parseDuration', () => {
  test.each([
    ['82ms', 82],
    ['30s', 30_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['0s', 0],
    ['.5s', 500],
    ['0.0004s', 0],
    [250, 250],
    [0.6, 1],
  ])('reads %j as %i ms', (value, ms) => {
    expect(parseDuration(value, 'delay')).toBe(ms);
  });

  test.each([
    ['5 mins', "Did you mean '5m'?"],
    ['1h30m', "Did you mean '90m'?"],
    ['2 Hours', "Did you mean '2h'?"],
    ['1 week', "Did you mean '7d'?"],
    ['30', "Did you mean '30s' or '30ms'?"],
    ['30 sec', "Did you mean '30s'?"],
    ['soon', "Write a number and a unit: '500ms', '30s', '10m', '2h', '7d'."],
    ['', "Write a number and a unit: '500ms', '30s', '10m', '2h', '7d'."],
    ['1e3s', "Write a number and a unit: '500ms', '30s', '10m', '2h', '7d'."],
    ['-5s', "Write a number and a unit: '500ms', '30s', '10m', '2h', '7d'."],
  ])('refuses %j and suggests the nearest form', (value, hint) => {
    expect(() => parseDuration(value, 'delay')).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', hint }));
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, null, undefined, {}, true, 5n])('refuses %s', (value) => {
    expect(() => parseDuration(value, 'delay')).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  test('names the value and the bound it breaks', () => {
    expect(() => parseDuration('2s', 'lease', { min: 5000 })).toThrow('lease is not valid: "2s" is shorter than 5s');
    expect(() => parseDuration('2h', 'lease', { max: 3_600_000 })).toThrow(
      'lease is not valid: "2h" is longer than 1h',
    );
    expect(() => parseDuration(-1, 'delay')).toThrow('delay is not valid: -1 is shorter than 0ms');
    expect(() => parseDuration('999999d', 'delay')).toThrow('is longer than');
  });

  test('never takes long over a long text', () => {
    expect(() => parseDuration('1h'.repeat(100_000), 'delay')).toThrow();
  });
});

describe('durationText', () => {
  test('is read back exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: limits.durationMaxMs }), (ms) => {
        expect(parseDuration(durationText(ms), 'x')).toBe(ms);
      }),
    );
  });
});

describe('formatDuration', () => {
  test.each([
    [0, '0 ms'],
    [82, '82 ms'],
    [932, '932 ms'],
    [4200, '4.2 s'],
    [1000, '1.0 s'],
    [12_000, '12 s'],
    [59_999, '59 s'],
    [60_000, '1 m'],
    [90_000, '1 m 30 s'],
    [4_680_000, '1 h 18 m'],
    [3_600_000, '1 h'],
    [273_600_000, '3 d 4 h'],
    [-4200, '-4.2 s'],
    [Number.NaN, '–'],
  ])('prints %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

test('wrong durations do not compile', () => {
  const right: Duration[] = ['5m', '1.5h', 300];
  // @ts-expect-error a unit is not a word
  const wrong: Duration = '5 mins';
  expect(right).not.toContain(wrong);
});

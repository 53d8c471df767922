/** Compares calendar arithmetic with Date, over the years a filter can name. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatCivil, parseCivil } from './civil.ts';

const yearMax = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

test('agrees with Date on every millisecond', () => {
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(1000, 0, 1), max: yearMax }), (ms) => {
      const text = new Date(ms).toISOString();
      expect(parseCivil(text)).toEqual({ ms, lengthMs: 1 });
      expect(formatCivil({ ms, lengthMs: 1 })).toBe(text);
    }),
  );
});

test('accepts exactly the days Date accepts', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1000, max: 3000 }),
      fc.integer({ min: 0, max: 13 }),
      fc.integer({ min: 0, max: 32 }),
      (y, m, d) => {
        const text = `${y}-${String(m).padStart(2, '0')}-${String(d).padStart(2, '0')}`;
        const date = new Date(`${text}T00:00:00Z`);
        const real = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
        expect(parseCivil(text)).toEqual(real ? { ms: date.getTime(), lengthMs: 86_400_000 } : null);
      },
    ),
  );
});

test.each([
  ['2026-11-20T09:41', Date.UTC(2026, 10, 20, 9, 41), 60_000],
  ['2026-11-20T09:41:07Z', Date.UTC(2026, 10, 20, 9, 41, 7), 1000],
  ['2026-11-20T09:41:07.2Z', Date.UTC(2026, 10, 20, 9, 41, 7, 200), 1],
  ['2026-11-20T00:30+01:00', Date.UTC(2026, 10, 19, 23, 30), 60_000],
  ['2026-11-20T00:30-0930', Date.UTC(2026, 10, 20, 10, 0), 60_000],
])('reads %s', (text, ms, lengthMs) => {
  expect(parseCivil(text)).toEqual({ ms, lengthMs });
  expect(parseCivil(formatCivil({ ms, lengthMs }))).toEqual({ ms, lengthMs });
});

test.each([
  '',
  '2026',
  '2026-11',
  '20.11.2026',
  '2026-11-20T24:00',
  '2026-11-20T09:60',
  '2026-11-20T09:41+25:00',
  '2026-11-20 09:41',
])('refuses %j', (text) => {
  expect(parseCivil(text)).toBeNull();
});

/** Tests how rows of the audit are read as what is said of errors. */
import { expect, test } from 'vitest';
import type { AuditRow } from '../core/access.ts';
import { marksOf, muteMs } from './error-marks.ts';

const now = Date.UTC(2026, 10, 23, 12);
const row = (agoMs: number, input: object, outcome: string | null = 'done'): AuditRow => ({
  ...{ id: String(agoMs), at: now - agoMs, actor: 'ada', keyId: null, address: null, requestId: null, after: null },
  ...{ operation: 'error.mark', text: '', input, before: null, outcome },
});

test('the newest word on an error counts, and what is muted is so for its time', () => {
  const marks = marksOf(
    [
      row(1_000, { fingerprint: 'open', as: 'open' }),
      row(2_000, { fingerprint: 'open', as: 'muted' }),
      row(3_000, { fingerprint: 'refused', as: 'muted' }, 'ERROR_NOT_FOUND'),
      row(4_000, { fingerprint: 'muted', as: 'muted', for: '1h', reason: 'known' }, null),
      row(5_000, { fingerprint: 'resolved', as: 'resolved' }),
      row(7_200_000, { fingerprint: 'over', as: 'muted', for: '1h' }),
    ],
    now,
  );
  expect(Object.fromEntries(marks)).toEqual({
    muted: {
      as: 'muted',
      by: 'ada',
      reason: 'known',
      at: '2026-11-23T11:59:56.000Z',
      until: '2026-11-23T12:59:56.000Z',
    },
    resolved: { as: 'resolved', by: 'ada', reason: null, at: '2026-11-23T11:59:55.000Z', until: null },
  });
});

test('one is muted for a week where nobody says, and for a month at most', () => {
  expect(muteMs(undefined)).toBe(7 * 86_400_000);
  expect(() => muteMs('31d')).toThrow('at most');
});

test('a word that says no length that can be read is none', () => {
  const before = row(2_000, { fingerprint: 'a', as: 'resolved' });
  const said = ['junk', '60d', null, {}].map((length) =>
    row(1_000, { fingerprint: 'a', as: 'muted', for: length }, null),
  );
  expect(marksOf([...said, before], now).get('a')).toMatchObject({ as: 'resolved' });
});

/** Tests which signs of trouble are told: what grows, what fails anew or faster, what a schedule missed. */
import { describe, expect, test } from 'vitest';
import type { Sample } from '../history/history.ts';
import type { ErrorGroupDocument } from './error.ts';
import { errorSign, growingOf, quietOf } from './signs.ts';

const minute = 60_000;
const rows = (queue: string, ...waiting: readonly number[]): readonly Sample[] =>
  waiting.map((number, index) => ({ at: index * minute, queue, waiting: number, running: 0, slots: 1, workers: 1 }));

test.each([
  ['from minute to minute', [10, 20, 30, 40, 50], 10],
  ['and stands at times', [10, 10, 30, 30, 50], 10],
])('a queue that grows %s is told with its pace', (_words, waiting, perMinute) => {
  expect(growingOf(rows('media', ...waiting))).toEqual([{ queue: 'media', perMinute, minutes: 4 }]);
});

test.each([
  ['falls once', [10, 20, 15, 40, 50]],
  ['stands', [10, 10, 10, 10, 10]],
  ['was looked at for too short a time', [10, 90]],
])('one that %s is not', (_words, waiting) => {
  expect(growingOf(rows('media', ...waiting))).toEqual([]);
});

const now = Date.UTC(2026, 10, 23, 12);
const before = (minutes: number): string => new Date(now - minutes * minute).toISOString();
const group: ErrorGroupDocument = {
  fingerprint: 'f1',
  task: 'mail.send',
  errorName: 'Error',
  message: 'SMTP 451',
  lastHour: 12,
  lastDay: 12,
  count: 12,
  firstSeenAt: before(40),
  lastSeenAt: before(1),
  newestId: '01K8Q2M4ZJF0C9YF4V7Z0B2HNX',
  mark: null,
};
const old = { ...group, firstSeenAt: before(3_000), count: 500 };
const resolved = (minutes: number) =>
  ({ as: 'resolved', by: 'ada', reason: null, at: before(minutes), until: null }) as const;
const muted = { as: 'muted', by: 'ada', reason: null, at: before(5), until: before(-60) } as const;

describe('an error', () => {
  test.each([
    ['first seen within the hour is new', group, ['new', null]],
    ['three times as often as in the day before comes faster', { ...old, lastDay: 12 + 23 * 4 }, ['faster', 3]],
    ['as often as before is no sign', { ...old, lastDay: 12 + 23 * 12 }, null],
    ['of a few tasks is no sign', { ...group, lastHour: 2 }, null],
    ['that is muted is no sign', { ...group, mark: muted }, null],
    ['that is resolved and did not come back is no sign', { ...group, mark: resolved(0.5) }, null],
    ['that is resolved and came back has regressed', { ...group, mark: resolved(20) }, ['regressed', null]],
  ] as const)('%s', (_words, error, told) => {
    expect(errorSign(error, now).map(({ sign, times }) => [sign, times])).toEqual(told === null ? [] : [told]);
  });
});

describe('a task is quiet', () => {
  const other = { ...group, fingerprint: 'f2' };
  test.each([
    ['when its only failures are muted', [{ ...group, mark: muted }], true],
    [
      'when one kind is muted and one is resolved',
      [
        { ...group, mark: muted },
        { ...other, mark: resolved(0.5) },
      ],
      true,
    ],
    ['not while one kind has no mark', [{ ...group, mark: muted }, other], false],
    ['not when what was resolved came back', [{ ...group, mark: resolved(20) }], false],
    [
      'whatever failed before the last day',
      [
        { ...group, mark: muted },
        { ...other, lastHour: 0, lastDay: 0 },
      ],
      true,
    ],
    ['not for what failed before the last day alone', [{ ...group, mark: muted, lastHour: 0, lastDay: 0 }], false],
  ] as const)('%s', (_words, errors, quiet) => {
    expect(quietOf([...errors, { ...group, task: 'mail.read' }])).toEqual(quiet ? ['mail.send'] : []);
  });
});

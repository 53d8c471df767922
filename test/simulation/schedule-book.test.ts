/** The judge of schedules: it accepts a good history, and rejects each of these. */

import { expect, test } from 'vitest';
import type { ScheduleDefinition } from '../../src/core/schedule.ts';
import { scheduleDefinition } from '../support/schedule-samples.ts';
import { createScheduleBook, type ScheduleFact } from './schedule-book.ts';

const start = Date.UTC(2026, 9, 24, 12);
const minuteMs = 60_000;
const at = (minutes: number): number => start + minutes * minuteMs;

type Loose = { readonly did: ScheduleFact['did'] } & Record<string, unknown>;
const fact = (minutes: number, loose: Loose): ScheduleFact =>
  ({ schedule: 's', now: at(minutes), isBusy: false, ...loose }) as unknown as ScheduleFact;

const put = (given: Partial<ScheduleDefinition> = {}, minutes = 0, next: number | null = 1): ScheduleFact =>
  fact(minutes, { did: 'put', definition: scheduleDefinition(given), next: next === null ? null : at(next) });
const fire = (time: number, more: object = {}): ScheduleFact =>
  fact(time, { did: 'fire', at: at(time), dueAt: at(time), taskId: `T${time}`, next: at(time + 1), ...more });
const skip = (time: number, next: number, more: object = {}): ScheduleFact =>
  fact(time, { did: 'skip', at: at(time), next: at(next), reason: 'missed', ...more });
const pause = (paused: boolean): ScheduleFact => fact(1, { did: 'pause', paused });

function judge(facts: readonly ScheduleFact[], endAt = facts.at(-1)?.now ?? 0): readonly string[] {
  const sentences: string[] = [];
  const book = createScheduleBook(
    (_rule, _taskId, sentence) => sentences.push(sentence),
    () => 0,
  );
  for (const one of facts) book.take(one);
  book.end(endAt);
  return sentences;
}

/** A time of the schedule as it arrives after these steps of the store's clock, `beforeMs` before it by a clock that nobody steps. */
function judgeStepped(
  fired: ScheduleFact,
  steps: readonly { readonly ms: number; readonly beforeMs: number }[],
): string[] {
  const sentences: string[] = [];
  let elapsed = 0;
  const book = createScheduleBook(
    (_rule, _taskId, sentence) => sentences.push(sentence),
    () => elapsed,
  );
  book.take(put());
  for (const { ms, beforeMs } of steps) {
    elapsed = 100_000 - beforeMs;
    book.stepped(ms);
  }
  elapsed = 100_000;
  book.take(fired);
  return sentences;
}

const sixMinutesLate = fire(1, { now: at(7) });

test.each<readonly [string, ScheduleFact, readonly { readonly ms: number; readonly beforeMs: number }[]]>([
  ['one step', sixMinutesLate, [{ ms: 6 * minuteMs, beforeMs: 10 }]],
  // By the store's clock the first of them was four minutes ago.
  [
    'two steps, each of less than it is late',
    sixMinutesLate,
    [
      { ms: 2 * minuteMs, beforeMs: 20_000 },
      { ms: 4 * minuteMs, beforeMs: 10 },
    ],
  ],
])('a clock that is stepped while a call is on its way makes nobody late: %s', (_words, fired, steps) => {
  expect(judgeStepped(fired, steps)).toEqual([]);
});

test.each<readonly [string, ScheduleFact, readonly { readonly ms: number; readonly beforeMs: number }[]]>([
  ['of less than it is late', sixMinutesLate, [{ ms: 3 * minuteMs, beforeMs: 10 }]],
  ['before the call was on its way', sixMinutesLate, [{ ms: 6 * minuteMs, beforeMs: 41_000 }]],
  [
    'one before and one while it was on its way',
    sixMinutesLate,
    [
      { ms: 4 * minuteMs, beforeMs: 41_000 },
      { ms: 2 * minuteMs, beforeMs: 10 },
    ],
  ],
])('rejects: an old time after a step %s', (_words, fired, steps) => {
  expect(judgeStepped(fired, steps)).toEqual([expect.stringContaining('caught up on')]);
});

const berlin = { timing: { cron: '30 2 * * *', timezone: 'Europe/Berlin' } };

test.each<readonly [string, readonly ScheduleFact[]]>([
  ['fired and skipped, one after the other', [put(), fire(1), skip(2, 5), fire(5)]],
  ['paused and resumed', [put(), pause(true), skip(1, 2, { reason: 'paused' }), pause(false), fire(2)]],
  ['deleted and stored again', [put(), fire(1), fact(1, { did: 'delete' }), put({}, 1, 2), fire(2)]],
  [
    'the same time under the next version, as the same task',
    [put(), fire(1), put({ timing: { everyMs: 30_000 } }, 1, 1), fire(1, { next: at(1.5) })],
  ],
  [
    'skipped beside an unfinished one',
    [put({ overlap: 'skip' }), fire(1), skip(2, 3, { reason: 'overlap', isBusy: true })],
  ],
  ['once in the night in which the hour comes twice', [put(berlin, 0, 750), fire(750, { next: at(750 + 25 * 60) })]],
])('accepts: %s', (_words, facts) => {
  expect(judge(facts)).toEqual([]);
});

test.each<readonly [string, readonly ScheduleFact[]]>([
  [
    'a time fired as two tasks',
    [put(), fire(1), put({ timing: { everyMs: 30_000 } }, 1, 1), fire(1, { taskId: 'other', next: at(1.5) })],
  ],
  ['a time that is left out without a word', [put(), fire(1, { next: at(3) }), fire(3)]],
  ['a time counted from now', [put(), fire(1, { now: at(1) + 100, next: at(2) + 100 })]],
  ['a time that was not next', [put(), fire(2)]],
  ['a time of no schedule', [fire(1)]],
  ['a time of a deleted schedule', [put(), fact(0, { did: 'delete' }), fire(1)]],
  ['a time before it is due', [put(), fire(1, { now: at(0.9) })]],
  ['a skip before its time', [put(), skip(1, 2, { now: at(0.5) })]],
  ['a skip to what is no time', [put(), fact(1, { did: 'skip', at: at(1), next: at(2.5), reason: 'missed' })]],
  ['a paused schedule that fires', [put(), pause(true), fire(1)]],
  ['a pause that nobody asked for', [put(), skip(1, 2, { reason: 'paused' })]],
  ['one beside an unfinished one', [put({ overlap: 'skip' }), fire(1), fire(2, { isBusy: true })]],
  ['a skip for a task that had ended', [put({ overlap: 'skip' }), skip(1, 2, { reason: 'overlap' })]],
  ['an old time, where nothing is caught up on', [put(), fire(1, { now: at(9) })]],
  [
    'an older time than what is caught up on',
    [put({ catchUp: { kind: 'all', max: 9, withinMs: 5 * minuteMs } }), fire(1, { now: at(9) })],
  ],
  ['a beginning that is no time', [put({}, 0, 1.5)]],
  ['a change of something else that loses the next time', [put(), put({ overlap: 'queue' }, 0, 2)]],
  ['both passes of an hour that comes twice', [put(berlin, 0, 750), fire(750, { next: at(810) })]],
])('rejects: %s', (_words, facts) => {
  expect(judge(facts).length).toBeGreaterThan(0);
});

test('rejects: a schedule that stands still', () => {
  expect(judge([put(), fire(1)], at(5))).toEqual([expect.stringContaining('stands still')]);
});

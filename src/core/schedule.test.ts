/** Which firings are due, the task of each, and what is remembered of them. */

import { describe, expect, test } from 'vitest';
import { scheduleDefinition } from '../../test/support/schedule-samples.ts';
import { idTime, isId } from './ids.ts';
import { limits } from './limits.ts';
import {
  type CatchUp,
  encodeSchedule,
  type FiringRecord,
  newSchedule,
  planFirings,
  remember,
  type ScheduleDefinition,
  type ScheduleRecord,
  taskOf,
  timesBetween,
} from './schedule.ts';

const minuteMs = 60_000;
const start = Date.parse('2026-11-25T09:00Z');

const definition = scheduleDefinition({ overlap: 'skip' });

function record(given: Partial<ScheduleDefinition> = {}, stored: Partial<ScheduleRecord> = {}): ScheduleRecord {
  return {
    name: 'report.nightly',
    definition: encodeSchedule({ ...definition, ...given }),
    version: 3,
    next: { at: start, dueAt: start },
    pause: null,
    lastTaskId: null,
    createdAt: start,
    changedAt: start,
    recent: [],
    ...stored,
  };
}

/** Each firing as minutes after the start: `fire 3>4`, `skip 0-2 (3)>3`. */
function plan(given: Partial<ScheduleDefinition>, lateMs: number): readonly string[] {
  const minutes = (at: number | null) => (at === null ? 'never' : String((at - start) / minuteMs));
  return planFirings(record(given), start + lateMs).map((firing) => {
    if (firing.kind === 'ask') return 'ask';
    const next = minutes(firing.next?.at ?? null);
    if (firing.kind === 'fire') return `fire ${minutes(firing.at)}>${next}`;
    return `skip ${minutes(firing.at)}${firing.until === null ? '' : `-${minutes(firing.until)}`} (${firing.count})>${next}`;
  });
}

describe('which firings are due', () => {
  const all = (max: number, withinMs: number): CatchUp => ({ kind: 'all', max, withinMs });

  test.each<readonly [string, Partial<ScheduleDefinition>, number, readonly string[]]>([
    ['nothing before its time', {}, -1, []],
    ['the one that is due', {}, 0, ['fire 0>1']],
    ['none: what is a little late is fired', {}, 30_000, ['fire 0>1']],
    ['none: of several the last is still on time', {}, 3.5 * minuteMs, ['skip 0-2 (3)>3', 'fire 3>4']],
    ['none: what is too late is skipped', { timing: { everyMs: 10 * minuteMs } }, 5 * minuteMs, ['skip 0 (1)>10']],
    [
      'latest: however late it is',
      { timing: { everyMs: 60 * minuteMs }, catchUp: { kind: 'latest' } },
      155 * minuteMs,
      ['skip 0-60 (2)>120', 'fire 120>180'],
    ],
    ['latest: only one to fire', { catchUp: { kind: 'latest' } }, 0, ['fire 0>1']],
    ['all: each of them in order', { catchUp: all(10, 3_600_000) }, 2 * minuteMs, ['fire 0>1', 'fire 1>2', 'fire 2>3']],
    [
      'all: the last of too many',
      { catchUp: all(2, 3_600_000) },
      4 * minuteMs,
      ['skip 0-2 (3)>3', 'fire 3>4', 'fire 4>5'],
    ],
    [
      'all: those that are not too old',
      { catchUp: all(9, 70_000) },
      4 * minuteMs,
      ['skip 0-2 (3)>3', 'fire 3>4', 'fire 4>5'],
    ],
    [
      'all: none when all are too old',
      { timing: { everyMs: 60 * minuteMs }, catchUp: all(9, minuteMs) },
      30 * minuteMs,
      ['skip 0 (1)>60'],
    ],
    ['a gap too long to count', {}, 2_000 * minuteMs + 1, ['skip 0-1999 (null)>2000', 'fire 2000>2001']],
  ])('%s', (_words, given, lateMs, expected) => {
    expect(plan(given, lateMs)).toEqual(expected);
  });

  test('the next time follows from the last one, however late it is noticed', () => {
    const [firing] = planFirings(record(), start + 59_999);
    expect(firing).toMatchObject({ kind: 'fire', at: start, next: { at: start + minuteMs } });
  });

  test('a schedule without a next time has ended', () => {
    expect(planFirings(record({}, { next: null }), start)).toEqual([]);
  });

  test('catching up is bounded, whatever is stored', () => {
    const catchUp = all(limits.catchUpMax, limits.durationMaxMs);
    const firings = planFirings(record({ catchUp }), start + 5_000 * minuteMs);
    expect(firings.filter(({ kind }) => kind === 'fire')).toHaveLength(limits.catchUpMax);
  });

  test('jitter moves when a time is fired, not the time', () => {
    const jittered = { ...definition, jitterMs: 50_000 };
    const { next } = newSchedule('a', jittered, start);
    const offset = next!.dueAt - next!.at;
    expect(offset).toBeGreaterThan(0);
    const stored = record(jittered, { name: 'a', next });
    expect(planFirings(stored, next!.dueAt - 1)).toEqual([]);
    expect(planFirings(stored, next!.dueAt)).toMatchObject([
      { kind: 'fire', at: next!.at, next: { at: next!.at + minuteMs, dueAt: next!.dueAt + minuteMs } },
    ]);
  });

  test.each(['skip', 'allow', 'queue'] as const)('overlap %s', (overlap) => {
    expect(planFirings(record({ overlap }), start)).toMatchObject([{ alone: overlap === 'skip' }]);
  });
});

describe('the task of a firing', () => {
  test('has an id of its time, equal for everybody and for every version of the schedule', () => {
    const task = taskOf('report.nightly', definition, start);
    expect(isId(task.id)).toBe(true);
    expect(idTime(task.id)).toBe(start);
    expect(taskOf('report.nightly', { ...definition, overlap: 'allow' }, start).id).toBe(task.id);
    expect(taskOf('report.nightly', definition, start + 1).id).not.toBe(task.id);
    expect(taskOf('report.weekly', definition, start).id).not.toBe(task.id);
  });

  test('tells its schedule, and has the stored input', () => {
    expect(taskOf('report.nightly', definition, start)).toMatchObject({
      payload: '{"kind":"daily"}',
      firedBy: { schedule: 'report.nightly', at: start, input: 'stored' },
    });
  });

  test('brings the time where a function makes the input', () => {
    const task = taskOf('report.nightly', { ...definition, input: 'made' }, start);
    expect(task.payload).toBe('{"at":"2026-11-25T09:00:00.000Z"}');
  });
});

describe('what is remembered', () => {
  const fired: FiringRecord = { at: 1, until: null, count: 1, skipped: null, taskId: 'a', asked: false, recordedAt: 1 };
  const paused: FiringRecord = { ...fired, at: 2, skipped: 'paused', taskId: null };

  test('the newest comes first', () => {
    expect(remember([fired], paused)).toEqual([paused, fired]);
  });

  test('skips for one reason become one', () => {
    const more = remember([paused, fired], { ...paused, at: 3, until: 8, count: 5, recordedAt: 9 });
    expect(more).toEqual([{ ...paused, until: 8, count: 6, recordedAt: 9 }, fired]);
  });

  test('skips by another task or of another reason stay apart', () => {
    const overlap: FiringRecord = { ...paused, skipped: 'overlap', taskId: 'b' };
    expect(remember([paused], overlap)).toHaveLength(2);
    expect(remember([overlap], { ...overlap, taskId: 'c' })).toHaveLength(2);
  });

  test('no more than a few', () => {
    let recent: readonly FiringRecord[] = [];
    for (let at = 1; at <= 100; at += 1) recent = remember(recent, { ...fired, at });
    expect(recent.map(({ at }) => at)).toEqual(Array.from({ length: limits.firingsKept }, (_, back) => 100 - back));
  });
});

describe('times to fill in', () => {
  test('those of the stretch, up to a number', () => {
    expect(timesBetween(definition, start, start + 3 * minuteMs, 10)).toEqual({
      times: [start, start + minuteMs, start + 2 * minuteMs],
      more: false,
    });
    expect(timesBetween(definition, start, start + 3 * minuteMs, 2)).toEqual({
      times: [start, start + minuteMs],
      more: true,
    });
  });
});

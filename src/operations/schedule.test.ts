/** Tests what people may ask of schedules, and what they are told of them. */

import { expect, test } from 'vitest';
import { presence } from '../../test/conformance/samples.ts';
import { scheduleDefinition } from '../../test/support/schedule-samples.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { seededChance } from '../core/chance.ts';
import { limits } from '../core/limits.ts';
import { newSchedule, planFirings, type ScheduleDefinition } from '../core/schedule.ts';
import { systemClock } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import { createContext } from './context.ts';
import { type OperationContext, perform } from './operation.ts';
import { type InputOf, type OperationName, type OutputOf, operations } from './registry.ts';

const start = Date.parse('2026-03-20T12:00Z');
const nightly: Partial<ScheduleDefinition> = { timing: { cron: '30 2 * * *', timezone: 'Europe/Berlin' } };

interface Rig {
  now: number;
  readonly context: OperationContext;
  put(name: string, given?: Partial<ScheduleDefinition>): Promise<void>;
  ask<Name extends OperationName>(name: Name, input: InputOf<Name>): Promise<OutputOf<Name>>;
  /** What a scheduler would do now. */
  fire(): Promise<void>;
}

function createRig(): Rig {
  const broker = createMemoryBroker({ now: () => rig.now, chance: seededChance(1) });
  const store = { broker, history: {}, close: async () => {} } as unknown as Store;
  const context = createContext({ store, actor: { name: 'ada', role: 'operator' }, clock: systemClock });
  const rig: Rig = {
    now: start,
    context,
    async put(name, given) {
      await broker.schedules.put([newSchedule(name, scheduleDefinition(given), rig.now)]);
    },
    ask: (name, input) =>
      perform(operations[name] as never, context, input) as unknown as Promise<OutputOf<typeof name>>,
    async fire() {
      const { schedules } = await broker.schedules.due(100);
      await broker.schedules.fire(schedules.flatMap((schedule) => planFirings(schedule, rig.now)));
    },
  };
  return rig;
}

test('a schedule is shown with its words, its next times and where the clocks change', async () => {
  const rig = createRig();
  await rig.put('report.nightly', nightly);
  expect(await rig.ask('schedule.get', { name: 'report.nightly' })).toMatchObject({
    task: 'report.build',
    state: 'active',
    words: 'At 02:30, Europe/Berlin',
    next: [
      '2026-03-21T01:30:00.000Z',
      '2026-03-22T01:30:00.000Z',
      expect.any(String),
      expect.any(String),
      expect.any(String),
    ],
    clockNote: 'Sun 2026-03-29 03:00: the clocks are put forward here; what they leave out runs now, once',
    input: { kind: 'daily' },
    recent: [],
    orphaned: false,
  });
});

test('next shows the hour that comes twice', async () => {
  const rig = createRig();
  rig.now = Date.parse('2026-10-24T12:00Z');
  await rig.put('s', nightly);
  const { times } = await rig.ask('schedule.next', { name: 's', count: 2 });
  expect(times).toEqual([
    { at: '2026-10-25T00:30:00.000Z', local: 'Sun 2026-10-25 02:30', note: expect.stringContaining('twice') },
    { at: '2026-10-26T01:30:00.000Z', local: 'Mon 2026-10-26 02:30', note: null },
  ]);
});

test('an expression that the words do not know is shown as it is', async () => {
  const rig = createRig();
  await rig.put('s', { timing: { cron: '0 9 * * +MON', timezone: 'UTC' } });
  expect((await rig.ask('schedule.get', { name: 's' })).words).toContain('UTC');
});

test('run now enqueues its task, and the same time again is the same task', async () => {
  const rig = createRig();
  await rig.put('s', nightly);
  const first = await rig.ask('schedule.run', { name: 's', at: '2026-03-20T09:00Z' });
  expect(first).toMatchObject({ outcome: 'created', at: '2026-03-20T09:00:00.000Z' });
  expect(await rig.ask('schedule.run', { name: 's', at: '2026-03-20T09:00Z' })).toEqual({
    ...first,
    outcome: 'existing',
  });
  expect(await rig.ask('schedule.run', { name: 's' })).toMatchObject({
    outcome: 'created',
    at: '2026-03-20T12:00:00.000Z',
  });
  const { recent } = await rig.ask('schedule.get', { name: 's' });
  expect(recent.map(({ asked, outcome }) => [asked, outcome])).toEqual([
    [true, 'fired'],
    [true, 'fired'],
  ]);
});

test('pausing leaves times out with the reason, and resuming goes on with the next', async () => {
  const rig = createRig();
  await rig.put('s', nightly);
  expect(await rig.ask('schedule.pause', { name: 's', reason: 'the warehouse moves' })).toMatchObject({
    state: 'paused',
    pause: { by: 'ada', reason: 'the warehouse moves' },
  });
  rig.now = Date.parse('2026-03-21T01:30Z');
  await rig.fire();
  expect(await rig.ask('schedule.resume', { name: 's' })).toMatchObject({
    state: 'active',
    next: ['2026-03-22T01:30:00.000Z', ...Array.from({ length: 4 }, () => expect.any(String))],
    recent: [{ at: '2026-03-21T01:30:00.000Z', outcome: 'skipped', reason: 'paused' }],
  });
});

test('a backfill runs the times of a stretch once, and counts what was there', async () => {
  const rig = createRig();
  await rig.put('s', nightly);
  await rig.ask('schedule.run', { name: 's', at: '2026-03-18T01:30Z' });
  const stretch = { name: 's', from: '2026-03-17', until: '2026-03-20' };
  expect(await rig.ask('schedule.backfill', { ...stretch, dryRun: true })).toMatchObject({ times: 3, created: 0 });
  expect(await rig.ask('schedule.backfill', stretch)).toMatchObject({ times: 3, created: 2, existing: 1 });
  expect(await rig.ask('schedule.backfill', { ...stretch, from: '3d' })).toMatchObject({
    times: 2,
    created: 0,
    existing: 2,
  });
});

test.each([
  [{ from: '2026-03-21', until: '2026-03-25' }, 'until is not valid: it is in the future'],
  [{ from: '2026-03-20', until: '2026-03-19' }, 'from is not valid: it is not before until'],
  [{ from: 'soon' }, 'from is not valid: "soon" is neither a time'],
  [{ from: '1h', until: '5 mins' }, 'until is not valid'],
])('a backfill of %o is refused', async (stretch, words) => {
  const rig = createRig();
  await rig.put('s', nightly);
  await expect(rig.ask('schedule.backfill', { name: 's', ...stretch })).rejects.toThrow(words);
});

test('a backfill of too many times is refused whole', async () => {
  const rig = createRig();
  await rig.put('s');
  await expect(rig.ask('schedule.backfill', { name: 's', from: '1d' })).rejects.toThrow(
    `more than ${limits.backfillMax} times`,
  );
  await rig.ask('schedule.backfill', { name: 's', from: `${limits.backfillMax}m` });
});

test('a name that is not there is told with the nearest', async () => {
  const rig = createRig();
  await rig.put('report.nightly');
  for (const name of [
    'schedule.get',
    'schedule.run',
    'schedule.pause',
    'schedule.resume',
    'schedule.delete',
    'schedule.next',
  ] as const)
    await expect(rig.ask(name, { name: 'report.nigtly' })).rejects.toMatchObject({
      code: 'SCHEDULE_NOT_FOUND',
      hint: expect.stringContaining('report.nightly'),
    });
});

test('lists go on where the page before ended', async () => {
  const rig = createRig();
  for (const name of ['b', 'c', 'a']) await rig.put(name);
  const page = await rig.ask('schedule.list', { limit: 2 });
  expect([page.schedules.map(({ name }) => name), page.next]).toEqual([['a', 'b'], 'b']);
  const rest = await rig.ask('schedule.list', { limit: 2, after: 'b' });
  expect([rest.schedules.map(({ name }) => name), rest.next]).toEqual([['c'], null]);
});

test('a schedule that no living worker knows is orphaned, and one that is known has its file', async () => {
  const rig = createRig();
  await rig.put('known');
  await rig.put('gone');
  const definition = { name: 'report.build', file: 'tasks/report.ts', schedules: ['known'] } as never;
  const worker = presence({ definitions: [definition] });
  await rig.context.store.broker.heartbeat({ worker, leaseMs: 1_000, beats: [] });
  const { schedules } = await rig.ask('schedule.list', {});
  expect(schedules.map(({ name, orphaned, file }) => [name, orphaned, file])).toEqual([
    ['gone', true, null],
    ['known', false, 'tasks/report.ts'],
  ]);
});

test('a deleted schedule is gone', async () => {
  const rig = createRig();
  await rig.put('s');
  expect(await rig.ask('schedule.delete', { name: 's' })).toEqual({ name: 's', deleted: true });
  expect(await rig.ask('schedule.list', {})).toEqual({ schedules: [], next: null });
});

test.each([
  [{ cron: '* * * * *', timezone: 'Mars/Olympus' }, 'this machine knows no Mars/Olympus'],
  [{ moon: 'full' }, 'its times are in words of a later version'],
])('a schedule with the times %j is listed as one that cannot be read here', async (timing, problem) => {
  const rig = createRig();
  await rig.put('good');
  const definition = JSON.stringify({ ...scheduleDefinition(), timing });
  await rig.context.store.broker.schedules.put([{ name: 'bad', definition, next: { at: start, dueAt: start } }]);
  expect((await rig.ask('schedule.list', {})).schedules).toMatchObject([
    { name: 'bad', state: 'unreadable', words: expect.stringContaining(problem) },
    { name: 'good', state: 'active' },
  ]);
});

test.each([
  ['schedule.run', { at: '1900-01-01' }, 'at is not valid: "1900-01-01" is before 1970'],
  ['schedule.run', { at: '2126-01-01' }, 'at is not valid: it is in the future'],
  ['schedule.backfill', { from: '1900-01-01' }, 'from is not valid: "1900-01-01" is before 1970'],
] as const)('%s refuses %j', async (name, given, message) => {
  const rig = createRig();
  await rig.put('s', nightly);
  await expect(rig.ask(name, { name: 's', ...given } as never)).rejects.toThrow(message);
});

/** schedules.put, delete, pause, due, get and list. */

import { expect } from 'vitest';
import { startAt } from './samples.ts';
import { fireOf, minute, minuteMs, newSchedule, putAll, scheduleOf, storedSchedule } from './schedule-samples.ts';
import type { Case } from './world.ts';

const pause = { by: 'ada', reason: 'the warehouse moves' };

export const scheduleCases: readonly Case[] = [
  [
    'a new schedule is stored with its next time',
    (world) =>
      world.check((broker) => broker.schedules.put([newSchedule('a')]), ['created'], {
        'schedule a': storedSchedule('a'),
      }),
  ],
  [
    'an equal definition changes nothing, not even the next time',
    async (world) => {
      await putAll(world, 'a');
      const events = await world.store.events();
      world.clock.move(5);
      await world.check((broker) => broker.schedules.put([newSchedule('a', { next: minute(9) })]), ['unchanged']);
      expect(await world.store.events()).toEqual(events);
    },
  ],
  [
    'another definition is the next version, with its next time',
    async (world) => {
      await putAll(world, 'a');
      world.clock.move(5);
      await world.check(
        (broker) => broker.schedules.put([newSchedule('a', { definition: '{"b":2}', next: minute(9) })]),
        ['changed'],
        { 'schedule a': { definition: '{"b":2}', version: 2, next: minute(9), changedAt: startAt + 5 } },
      );
    },
  ],
  [
    'a change that keeps the times keeps the next one, past or not',
    async (world) => {
      await putAll(world, 'a');
      world.clock.move(minuteMs * 3);
      const definition = newSchedule('a').definition.replace(/}$/, ',"overlap":"allow"}');
      await world.check(
        (broker) => broker.schedules.put([newSchedule('a', { definition, next: minute(9) })]),
        ['changed'],
        {
          'schedule a': { definition, version: 2, changedAt: minute(3).at },
        },
      );
    },
  ],
  [
    'a change keeps the pause, the last task and what is remembered',
    async (world) => {
      await putAll(world, 'a');
      world.clock.move(minuteMs);
      await world.broker().schedules.fire([fireOf('a')]);
      await world.broker().schedules.pause(['a'], pause);
      const { lastTaskId, recent, pause: stored } = await scheduleOf(world, 'a');
      await world.broker().schedules.put([newSchedule('a', { definition: '{}' })]);
      expect(await scheduleOf(world, 'a')).toMatchObject({ lastTaskId, recent, pause: stored });
      expect(recent).toHaveLength(1);
    },
  ],
  [
    'one name twice in a call is two steps',
    (world) =>
      world.check(
        (broker) =>
          broker.schedules.put([
            newSchedule('a'),
            newSchedule('a'),
            newSchedule('a', { definition: '{}', next: null }),
          ]),
        ['created', 'unchanged', 'changed'],
        { 'schedule a': storedSchedule('a', { version: 2, definition: '{}', next: null }) },
      ),
  ],
  [
    'a schedule may be stored that has no time any more',
    async (world) => {
      await world.broker().schedules.put([newSchedule('a', { next: null })]);
      expect(await world.broker().schedules.due(10)).toMatchObject({ schedules: [], nextDueAt: null });
    },
  ],
  [
    'a change of schedules is an event without tasks, and is signalled as one of settings',
    async (world) => {
      await putAll(world, 'a');
      expect(await world.store.events()).toMatchObject([{ kind: 'configure', items: [] }]);
      await Promise.resolve();
      expect(world.signals()).toContainEqual({ kind: 'settings' });
    },
  ],
  [
    'deleting answers which were there',
    async (world) => {
      await putAll(world, 'a', 'b');
      await world.check((broker) => broker.schedules.delete(['a', 'c', 'a']), [true, false, false], {
        'schedule a': null,
      });
    },
  ],
  [
    'a deleted schedule leaves its tasks',
    async (world) => {
      await putAll(world, 'a');
      const [fired] = await world.broker().schedules.fire([fireOf('a')]);
      await world.broker().schedules.delete(['a']);
      expect(fired?.outcome === 'fired' && (await world.task(fired.taskId)).state).toBe('queued');
    },
  ],
  [
    'a pause is stored with its time, and its newest words',
    async (world) => {
      await putAll(world, 'a', 'b');
      await world.broker().schedules.pause(['a'], pause);
      world.clock.move(5);
      await world.check((broker) => broker.schedules.pause(['a', 'x'], { by: 'bob', reason: null }), [true, false], {
        'schedule a': { pause: { by: 'bob', reason: null, at: startAt + 5 } },
      });
    },
  ],
  [
    'a restored schedule is as it was, and is fired from its next time on; a known one is left alone',
    async (world) => {
      await putAll(world, 'a');
      const fired = { at: 5, until: null, count: 1, skipped: null, taskId: 't5', asked: false, recordedAt: 6 };
      const missed = { ...fired, at: 4, until: 2, count: 3, skipped: 'missed', taskId: null, asked: true } as const;
      const stored = { version: 7, lastTaskId: 't5', createdAt: 1, changedAt: 2, recent: [fired, missed] };
      const paused = { ...pause, at: 3 };
      const schedules = [
        storedSchedule('a', { version: 9 }),
        storedSchedule('b', stored),
        storedSchedule('c', { next: null, pause: paused }),
        storedSchedule('b', { version: 8 }),
      ];
      await world.check((broker) => broker.schedules.restore(schedules), 2, {
        'schedule b': schedules[1],
        'schedule c': schedules[2],
      });
      world.clock.move(minuteMs);
      const [result] = await world.broker().schedules.fire([fireOf('b', { version: 7, alone: true })]);
      expect(result).toMatchObject({ outcome: 'fired', created: true });
      expect((await scheduleOf(world, 'b')).recent).toHaveLength(3);
      expect((await world.broker().schedules.due(10)).schedules.map(({ name }) => name)).toEqual(['a']);
      expect(await world.broker().schedules.put([newSchedule('b')])).toEqual(['unchanged']);
    },
  ],
  [
    'null resumes',
    async (world) => {
      await putAll(world, 'a');
      await world.broker().schedules.pause(['a'], pause);
      await world.check((broker) => broker.schedules.pause(['a'], null), [true], { 'schedule a': { pause: null } });
    },
  ],
  [
    'due tells those whose time has come, the earliest first, and when the next one is',
    async (world) => {
      await world
        .broker()
        .schedules.put([
          newSchedule('late', { next: minute(2) }),
          newSchedule('c'),
          newSchedule('b'),
          newSchedule('early', { next: { at: startAt - 90_000, dueAt: startAt + 30_000 } }),
          newSchedule('never', { next: null }),
        ]);
      const schedules = world.broker().schedules;
      const none = { now: startAt, schedules: [], nextDueAt: startAt + 30_000 };
      expect(await schedules.due(10)).toEqual(none);
      world.clock.move(minuteMs);
      const due = await schedules.due(10);
      expect(due.schedules.map(({ name }) => name)).toEqual(['early', 'b', 'c']);
      expect(due).toMatchObject({ now: minute(1).at, nextDueAt: minute(2).dueAt });
      expect(await schedules.due(2)).toMatchObject({
        schedules: [{ name: 'early' }, { name: 'b' }],
        nextDueAt: minute(1).dueAt,
      });
    },
  ],
  [
    'get answers in the order of the names',
    async (world) => {
      await putAll(world, 'a', 'b');
      expect(await world.broker().schedules.get(['b', 'x', 'a'])).toEqual([
        storedSchedule('b'),
        null,
        storedSchedule('a'),
      ]);
    },
  ],
  [
    'list goes by name, a page behind the other',
    async (world) => {
      await putAll(world, 'c', 'a', 'b');
      const { schedules } = world.broker();
      expect((await schedules.list(null, 2)).map(({ name }) => name)).toEqual(['a', 'b']);
      expect((await schedules.list('b', 2)).map(({ name }) => name)).toEqual(['c']);
      expect(await schedules.list('c', 2)).toEqual([]);
    },
  ],
];

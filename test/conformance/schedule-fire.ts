/** schedules.fire: each time of a schedule once, whoever fires it and however often. */

import { expect } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import type { FiringRecord } from '../../src/core/schedule.ts';
import { insertedTask, sampleId, startAt } from './samples.ts';
import {
  askOf,
  firedTask,
  fireOf,
  minute,
  minuteMs,
  newSchedule,
  putAll,
  scheduleOf,
  skipOf,
} from './schedule-samples.ts';
import type { Case, World } from './world.ts';

const { at } = minute(1);
const { id } = firedTask('a', at);

function fired(given: Partial<FiringRecord> = {}): FiringRecord {
  return { at, until: null, count: 1, skipped: null, taskId: id, asked: false, recordedAt: at, ...given };
}

/** A schedule `a` whose first minute has come. */
async function due(world: World, ...more: readonly string[]): Promise<void> {
  await putAll(world, 'a', ...more);
  world.clock.move(minuteMs);
}

export const fireCases: readonly Case[] = [
  [
    'a firing enqueues its task and moves the schedule on in one step',
    async (world) => {
      await due(world);
      await world.check(
        (broker) => broker.schedules.fire([fireOf('a')]),
        [{ outcome: 'fired', taskId: id, created: true }],
        {
          [id]: insertedTask(firedTask('a', at), at),
          'schedule a': { next: minute(2), lastTaskId: id, recent: [fired()] },
        },
      );
      expect((await world.store.events()).map(({ kind, items }) => [kind, items.length])).toEqual([
        ['configure', 0],
        ['enqueue', 1],
        ['fire', 0],
      ]);
    },
  ],
  [
    'the task tells its schedule and the time it was due',
    async (world) => {
      await due(world);
      await world.broker().schedules.fire([fireOf('a')]);
      expect((await world.task(id)).firedBy).toEqual({ schedule: 'a', at, input: 'stored' });
    },
  ],
  [
    'whoever fires the same time again is told that it moved, and nothing is done',
    async (world) => {
      await due(world);
      await world.broker().schedules.fire([fireOf('a')]);
      const events = await world.store.events();
      await world.check(
        (broker) => broker.schedules.fire([fireOf('a'), fireOf('a')]),
        [{ outcome: 'moved' }, { outcome: 'moved' }],
      );
      expect(await world.store.events()).toEqual(events);
    },
  ],
  [
    'another version, or another next time, is moved',
    async (world) => {
      await due(world);
      const firings = [fireOf('a', { version: 2 }), fireOf('a', { at: at - 1 }), skipOf('a', { version: 2 })];
      await world.check(
        (broker) => broker.schedules.fire(firings),
        firings.map(() => ({ outcome: 'moved' })),
      );
    },
  ],
  [
    'an unknown schedule is told',
    (world) =>
      world.check(
        (broker) => broker.schedules.fire([fireOf('x'), askOf('x', at), skipOf('x')]),
        [{ outcome: 'unknown' }, { outcome: 'unknown' }, { outcome: 'unknown' }],
      ),
  ],
  [
    'a change of the schedule in the same minute does not fire it twice',
    async (world) => {
      await due(world);
      await world.broker().schedules.fire([fireOf('a')]);
      await world.broker().schedules.put([newSchedule('a', { definition: '{}', next: minute(1) })]);
      await world.check(
        (broker) => broker.schedules.fire([fireOf('a', { version: 2 })]),
        [{ outcome: 'fired', taskId: id, created: false }],
        { 'schedule a': { next: minute(2), recent: [fired(), fired()] } },
      );
    },
  ],
  [
    'a task of that time with another input was fired too',
    async (world) => {
      await due(world);
      await world.broker().enqueue([firedTask('a', at, { payload: '{"to":"eve"}' })]);
      await world.check(
        (broker) => broker.schedules.fire([fireOf('a')]),
        [{ outcome: 'fired', taskId: id, created: false }],
        { 'schedule a': { next: minute(2), lastTaskId: id, recent: [fired()] } },
      );
    },
  ],
  [
    'the end of a schedule is that it has no next time',
    async (world) => {
      await due(world);
      await world.broker().schedules.fire([fireOf('a', { next: null })]);
      expect(await world.broker().schedules.due(10)).toMatchObject({ schedules: [], nextDueAt: null });
      await world.check((broker) => broker.schedules.fire([fireOf('a')]), [{ outcome: 'moved' }]);
    },
  ],
  [
    'a firing that does not move its schedule on is refused',
    async (world) => {
      await due(world, 'b');
      await world.checkRefused(
        (broker) => broker.schedules.fire([fireOf('b'), fireOf('a', { next: minute(1) })]),
        'INVALID_OPTION',
      );
      await world.checkRefused((broker) => broker.schedules.fire([skipOf('a', { next: minute(0) })]), 'INVALID_OPTION');
    },
  ],
  [
    'skipping moves on over all the times, and is remembered as one',
    async (world) => {
      await due(world);
      await world.check((broker) => broker.schedules.fire([skipOf('a')]), [{ outcome: 'skipped', reason: 'missed' }], {
        'schedule a': {
          next: minute(4),
          recent: [fired({ until: minute(3).at, count: 3, skipped: 'missed', taskId: null })],
        },
      });
    },
  ],
  [
    'a paused schedule moves on and fires nothing',
    async (world) => {
      await due(world);
      await world.broker().schedules.pause(['a'], { by: 'ada', reason: null });
      await world.check((broker) => broker.schedules.fire([fireOf('a')]), [{ outcome: 'skipped', reason: 'paused' }], {
        'schedule a': { next: minute(2), recent: [fired({ skipped: 'paused', taskId: null })] },
      });
    },
  ],
  [
    'alone: while the last task is unfinished the time is skipped',
    async (world) => {
      await due(world);
      await world.broker().schedules.fire([fireOf('a', { alone: true })]);
      const next = fireOf('a', { at: minute(2).at, next: minute(3), alone: true });
      await world.check((broker) => broker.schedules.fire([next]), [{ outcome: 'overlapping', of: id }], {
        'schedule a': {
          next: minute(3),
          recent: [fired({ at: minute(2).at, skipped: 'overlap' }), fired()],
        },
      });
    },
  ],
  [
    'alone: a last task that has finished or is gone is in nobody’s way',
    async (world) => {
      await due(world);
      await world.broker().schedules.fire([fireOf('a', { alone: true })]);
      await world.broker().cancel({ taskIds: [id], reason: null });
      const second = fireOf('a', { at: minute(2).at, next: minute(3), alone: true });
      expect(await world.broker().schedules.fire([second])).toMatchObject([{ outcome: 'fired' }]);
      await world.broker().cancel({ taskIds: [second.task.id], reason: null });
      await world.broker().remove([second.task.id]);
      const third = fireOf('a', { at: minute(3).at, next: minute(4), alone: true });
      expect(await world.broker().schedules.fire([third])).toMatchObject([{ outcome: 'fired' }]);
    },
  ],
  [
    'alone: a task that a person retries is in the way again',
    async (world) => {
      await due(world);
      await world.broker().schedules.fire([fireOf('a')]);
      await world.broker().cancel({ taskIds: [id], reason: null });
      await world.broker().retry([id]);
      const second = fireOf('a', { at: minute(2).at, next: minute(3), alone: true });
      expect(await world.broker().schedules.fire([second])).toEqual([{ outcome: 'overlapping', of: id }]);
    },
  ],
  [
    'several times of one schedule in one call, each after the one before',
    async (world) => {
      await due(world, 'b');
      const second = fireOf('a', { at: minute(2).at, next: minute(3) });
      const answers = await world.broker().schedules.fire([fireOf('a'), fireOf('b'), second, fireOf('b'), fireOf('a')]);
      expect(answers.map(({ outcome }) => outcome)).toEqual(['fired', 'fired', 'fired', 'moved', 'moved']);
      expect((await scheduleOf(world, 'a')).recent.map((record) => record.at)).toEqual([minute(2).at, at]);
    },
  ],
  [
    'alone in one call: a task that was just fired is unfinished',
    async (world) => {
      await due(world);
      const second = fireOf('a', { at: minute(2).at, next: minute(3), alone: true });
      expect(await world.broker().schedules.fire([fireOf('a', { alone: true }), second])).toMatchObject([
        { outcome: 'fired' },
        { outcome: 'overlapping', of: id },
      ]);
    },
  ],
  [
    'a task whose key is held is not fired',
    async (world) => {
      await due(world);
      const holder = await world.put({ key: 'k' });
      const firing = fireOf('a', { task: firedTask('a', at, { key: 'k' }) });
      await world.check((broker) => broker.schedules.fire([firing]), [{ outcome: 'skipped', reason: 'key' }], {
        'schedule a': { next: minute(2), recent: [fired({ skipped: 'key', taskId: holder })] },
      });
    },
  ],
  [
    'a task that replaces the holder of its key is fired',
    async (world) => {
      await due(world);
      const holder = await world.put({ key: 'k', ifExists: 'replace' });
      const firing = fireOf('a', { task: firedTask('a', at, { key: 'k', ifExists: 'replace' }) });
      expect(await world.broker().schedules.fire([firing])).toEqual([{ outcome: 'fired', taskId: id, created: true }]);
      expect((await world.task(holder)).reason).toBe('replaced');
    },
  ],
  [
    'two schedules under one key: the first in the call has it',
    async (world) => {
      await due(world, 'b');
      const keyed = (name: string) => fireOf(name, { task: firedTask(name, at, { key: 'k' }) });
      const answers = await world.broker().schedules.fire([keyed('b'), keyed('a')]);
      expect(answers).toMatchObject([{ outcome: 'fired' }, { outcome: 'skipped', reason: 'key' }]);
    },
  ],
  [
    'what a person asks for moves nothing, and asks neither pause nor overlap',
    async (world) => {
      await due(world);
      await world.broker().schedules.fire([fireOf('a', { alone: true })]);
      await world.broker().schedules.pause(['a'], { by: 'ada', reason: null });
      const asked = firedTask('a', startAt + 7);
      await world.check(
        (broker) => broker.schedules.fire([askOf('a', startAt + 7)]),
        [{ outcome: 'fired', taskId: asked.id, created: true }],
        {
          [asked.id]: insertedTask(asked, at),
          'schedule a': {
            lastTaskId: asked.id,
            recent: [fired({ at: startAt + 7, taskId: asked.id, asked: true }), fired()],
          },
        },
      );
    },
  ],
  [
    'asking again for the same time changes nothing',
    async (world) => {
      await due(world);
      await world.broker().schedules.fire([fireOf('a')]);
      const events = await world.store.events();
      await world.check(
        (broker) => broker.schedules.fire([askOf('a', at)]),
        [{ outcome: 'fired', taskId: id, created: false }],
      );
      expect(await world.store.events()).toEqual(events);
    },
  ],
  [
    'a lost reply costs nothing: the second call is told that it moved',
    async (world) => {
      await due(world);
      world.loseNextReply();
      await expect(world.broker().schedules.fire([fireOf('a')])).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
      await world.check((broker) => broker.schedules.fire([fireOf('a')]), [{ outcome: 'moved' }]);
    },
  ],
  [
    'what is remembered is bounded',
    async (world) => {
      await due(world);
      for (let number = 1; number <= limits.firingsKept + 5; number += 1)
        await world.broker().schedules.fire([fireOf('a', { at: minute(number).at, next: minute(number + 1) })]);
      const { recent } = await scheduleOf(world, 'a');
      expect(recent).toHaveLength(limits.firingsKept);
      expect(recent[0]?.at).toBe(minute(limits.firingsKept + 5).at);
    },
  ],
  [
    'a thousand schedules are fired in one call',
    async (world) => {
      const names = Array.from({ length: limits.batchMax }, (_, number) => `s${number}`);
      await due(world, ...names.slice(1));
      await world.broker().schedules.put([newSchedule(names[0]!)]);
      const answers = await world.broker().schedules.fire(names.map((name) => fireOf(name)));
      expect(answers.every(({ outcome }) => outcome === 'fired')).toBe(true);
      expect((await world.broker().schedules.due(10)).schedules.map(({ name }) => name)).toEqual(['a']);
    },
  ],
  [
    'too many firings, and tasks with parents, are refused whole',
    async (world) => {
      await due(world);
      const many = Array.from({ length: limits.batchMax + 1 }, () => fireOf('a'));
      await world.checkRefused((broker) => broker.schedules.fire(many), 'BATCH_TOO_LARGE');
      const dependent = firedTask('a', at, { dependsOn: [{ taskId: sampleId(1), onFailure: 'fail' }] });
      await world.checkRefused((broker) => broker.schedules.fire([fireOf('a', { task: dependent })]), 'NOT_SUPPORTED');
    },
  ],
];

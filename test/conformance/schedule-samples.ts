/** Schedules and firings with everything filled in. */

import { derivedId } from '../../src/core/ids.ts';
import type { Firing, NewSchedule, NextFiring, ScheduleRecord } from '../../src/core/schedule.ts';
import type { NewTask } from '../../src/core/task.ts';
import { newTask, startAt } from './samples.ts';
import type { World } from './world.ts';

export const minuteMs = 60_000;

/** The `number`-th minute after the start, without jitter. */
export function minute(number: number): NextFiring {
  return { at: startAt + number * minuteMs, dueAt: startAt + number * minuteMs };
}

/** Due in a minute. */
export function newSchedule(name: string, given: Partial<NewSchedule> = {}): NewSchedule {
  return { name, definition: '{"timing":{"everyMs":60000},"jitterMs":0}', next: minute(1), ...given };
}

export function storedSchedule(name: string, given: Partial<ScheduleRecord> = {}): ScheduleRecord {
  return {
    ...newSchedule(name),
    version: 1,
    pause: null,
    lastTaskId: null,
    createdAt: startAt,
    changedAt: startAt,
    recent: [],
    ...given,
  };
}

/** The task of a schedule for one of its times. */
export function firedTask(schedule: string, at: number, given: Partial<NewTask> = {}): NewTask {
  return newTask(derivedId(at, schedule), { firedBy: { schedule, at, input: 'stored' }, ...given });
}

/** Fires the first minute, the next being the second. */
export function fireOf(
  schedule: string,
  given: Partial<Firing & { readonly kind: 'fire' }> = {},
): Firing & { readonly kind: 'fire' } {
  const at = given.at ?? minute(1).at;
  return {
    kind: 'fire',
    schedule,
    version: 1,
    at,
    next: minute(2),
    task: firedTask(schedule, at),
    alone: false,
    ...given,
  };
}

export function skipOf(schedule: string, given: Partial<Firing & { readonly kind: 'skip' }> = {}): Firing {
  return {
    kind: 'skip',
    schedule,
    version: 1,
    at: minute(1).at,
    next: minute(4),
    until: minute(3).at,
    count: 3,
    ...given,
  };
}

export function askOf(schedule: string, at: number, given: Partial<NewTask> = {}): Firing {
  return { kind: 'ask', schedule, at, task: firedTask(schedule, at, given) };
}

/** Stores schedules that are due in a minute. */
export async function putAll(world: World, ...names: readonly string[]): Promise<void> {
  await world.broker().schedules.put(names.map((name) => newSchedule(name)));
}

export async function scheduleOf(world: World, name: string): Promise<ScheduleRecord> {
  const [schedule] = await world.broker().schedules.get([name]);
  return schedule!;
}

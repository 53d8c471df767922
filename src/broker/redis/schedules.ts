/** Schedules: put, pause, fire and read (lua/schedule.lua). */

import type { Pause } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import {
  checkFirings,
  type Firing,
  type FiringRecord,
  type NewSchedule,
  type NextFiring,
  type ScheduleRecord,
  timesOf,
} from '../../core/schedule.ts';
import type { DueSchedules, FireResult, PutResult, Schedules, Signal } from '../broker.ts';
import { argumentsOf } from './arrivals.ts';
import type { Connection } from './connection.ts';
import { idText } from './forms.ts';
import { type Packed, unpack } from './packed.ts';
import { refuseLargeBatch, refuseLargePayloads, refuseTasks } from './refuse.ts';
import { type Hints, signalsOf, type Told } from './signals.ts';

/** How a broker makes its calls: refused when it is not open, and with what they tell. */
interface Way {
  guarded<Answer>(call: () => Promise<Answer>): Promise<Answer>;
  telling<Answer>(call: () => Promise<Told<Answer>>): Promise<Answer>;
}

/** The schedules of a broker. */
export function createSchedules(connection: Connection, { guarded, telling }: Way): Schedules {
  return {
    put: (schedules) => telling(() => put(connection, schedules)),
    restore: (schedules) => telling(() => restore(connection, schedules)),
    delete: (names) => telling(() => change(connection, names, 'delete')),
    pause: (names, pause) =>
      telling(() =>
        pause === null
          ? change(connection, names, 'resume')
          : change(connection, names, 'pause', JSON.stringify([pause.by, pause.reason])),
      ),
    fire: (firings) => telling(() => fire(connection, firings)),
    due: (limit) => guarded(() => due(connection, limit)),
    get: (names) => guarded(() => get(connection, names)),
    list: (after, limit) => guarded(() => list(connection, after, limit)),
  };
}

const settings: Signal = { kind: 'settings' };

async function put(connection: Connection, schedules: readonly NewSchedule[]): Promise<Told<readonly PutResult[]>> {
  refuseLargeBatch(schedules);
  refuseLargePayloads(schedules.map(({ definition }) => definition));
  const texts = schedules.map(({ definition }) => definition);
  const fields = schedules.map(({ name, definition, next }) => [name, timesOf(definition), ...nextFields(next)]);
  const words = await connection.run<readonly Buffer[]>('put-schedules', [JSON.stringify(fields), ...texts]);
  const answer = words.map((word) => String(word) as PutResult);
  return { answer, signals: answer.some((result) => result !== 'unchanged') ? [settings] : [] };
}

function nextFields(next: NextFiring | null): readonly [at: number | false, dueAt: number | false] {
  return next === null ? [false, false] : [next.at, next.dueAt];
}

async function restore(connection: Connection, schedules: readonly ScheduleRecord[]): Promise<Told<number>> {
  refuseLargeBatch(schedules);
  refuseLargePayloads(schedules.map(({ definition }) => definition));
  const fields = JSON.stringify(schedules.map((schedule) => [schedule.name, storedFields(schedule)]));
  const texts = schedules.map(({ definition }) => definition);
  const answer = await connection.run<number>('restore-schedules', [fields, ...texts]);
  return { answer, signals: answer > 0 ? [settings] : [] };
}

/** As lua/schedule.lua keeps it. */
function storedFields(schedule: ScheduleRecord): readonly unknown[] {
  const { version, next, pause, lastTaskId, createdAt, changedAt, definition, recent } = schedule;
  const paused = pause !== null && `${pause.at} ${JSON.stringify([pause.by, pause.reason])}`;
  const firings = recent.map(({ at, until, count, skipped, taskId, asked, recordedAt }) => [
    at,
    until ?? false,
    count ?? false,
    skipped ?? false,
    taskId ?? false,
    asked,
    recordedAt,
  ]);
  const times = timesOf(definition);
  return [version, ...nextFields(next), paused, lastTaskId ?? false, createdAt, changedAt, times, firings];
}

async function change(
  connection: Connection,
  names: readonly string[],
  how: 'delete' | 'pause' | 'resume',
  who = '',
): Promise<Told<readonly boolean[]>> {
  refuseLargeBatch(names);
  const found = await connection.run<readonly number[]>('change-schedules', [JSON.stringify(names), how, who]);
  const answer = found.map((each) => each === 1);
  return { answer, signals: answer.includes(true) ? [settings] : [] };
}

async function fire(connection: Connection, firings: readonly Firing[]): Promise<Told<readonly FireResult[]>> {
  refuseLargeBatch(firings);
  const tasks = firings.flatMap((firing) => (firing.kind === 'skip' ? [] : [firing.task]));
  refuseTasks(tasks);
  checkFirings(firings);
  const { forms, ids, formOf, extras, payloads } = argumentsOf(tasks);
  let place = 0;
  const fields = firings.map((firing) => firingFields(firing, firing.kind === 'skip' ? 0 : ++place));
  const args = [JSON.stringify(fields), forms, idText(ids), formOf, JSON.stringify(extras), ...payloads];
  const [answers, hints] = await connection.run<readonly [words: readonly Buffer[], hints: Hints]>('fire', args);
  const words = answers.map(String);
  const answer = firings.map((_firing, index) => readResult(words[2 * index] ?? '', words[2 * index + 1] ?? ''));
  return { answer, signals: signalsOf(hints) };
}

/** As lua/fire.lua reads it. */
function firingFields(firing: Firing, place: number): readonly unknown[] {
  const { schedule, kind, at } = firing;
  if (kind === 'ask') return [schedule, kind, 0, at, false, false, false, false, false, place];
  const next = nextFields(firing.next);
  if (kind === 'fire') return [schedule, kind, firing.version, at, ...next, firing.alone, false, false, place];
  return [schedule, kind, firing.version, at, ...next, false, firing.until ?? false, firing.count ?? false, place];
}

function readResult(outcome: string, about: string): FireResult {
  switch (outcome) {
    case 'created':
    case 'there':
      return { outcome: 'fired', taskId: about, created: outcome === 'created' };
    case 'overlap':
      return { outcome: 'overlapping', of: about };
    case 'paused':
    case 'missed':
    case 'key':
      return { outcome: 'skipped', reason: outcome };
    case 'moved':
      return { outcome };
    default:
      return { outcome: 'unknown' };
  }
}

/** As lua/schedule.lua tells of schedules; null in place of one that is not there. */
type ToldSchedules = readonly [names: readonly Buffer[], states: readonly (Buffer | null)[], texts: readonly Buffer[]];

async function due(connection: Connection, limit: number): Promise<DueSchedules> {
  type Reply = readonly [now: number, nextDueAt: number, schedules: ToldSchedules];
  const most = Math.max(0, Math.min(limit, limits.batchMax));
  const [now, nextDueAt, told] = await connection.run<Reply>('due-schedules', [most]);
  const schedules = readSchedules(told).flatMap((schedule) => schedule ?? []);
  return { now, schedules, nextDueAt: nextDueAt < 0 ? null : nextDueAt };
}

async function get(connection: Connection, names: readonly string[]): Promise<readonly (ScheduleRecord | null)[]> {
  refuseLargeBatch(names);
  if (names.length === 0) return [];
  const told = await connection.run<ToldSchedules>('get-schedules', [JSON.stringify(names)]);
  // The names that were asked for: those that come back went through JSON.
  return readSchedules([names.map((name) => Buffer.from(name)), told[1], told[2]]);
}

async function list(connection: Connection, after: string | null, limit: number): Promise<readonly ScheduleRecord[]> {
  const most = Math.max(0, Math.min(limit, limits.batchMax));
  const told = await connection.run<ToldSchedules>('list-schedules', [after ?? '', most]);
  return readSchedules(told).flatMap((schedule) => schedule ?? []);
}

function readSchedules([names, states, texts]: ToldSchedules): readonly (ScheduleRecord | null)[] {
  return names.map((name, place) => {
    const state = states[place] ?? null;
    return state === null ? null : readSchedule(String(name), unpack(state, 1).values[0], String(texts[place]));
  });
}

function readSchedule(name: string, state: Packed | undefined, definition: string): ScheduleRecord {
  type Stored = readonly [
    version: number,
    nextAt: number | false,
    dueAt: number | false,
    pause: string | false,
    lastTaskId: string | false,
    createdAt: number,
    changedAt: number,
    times: string,
    recent: readonly StoredFiring[],
  ];
  const [version, at, dueAt, pause, lastTaskId, createdAt, changedAt, , recent] = state as unknown as Stored;
  return {
    name,
    definition,
    version,
    next: at === false || dueAt === false ? null : { at, dueAt },
    pause: pause === false ? null : readPause(pause),
    lastTaskId: orNull(lastTaskId),
    createdAt,
    changedAt,
    recent: recent.map(readFiring),
  };
}

function readPause(text: string): Pause {
  const space = text.indexOf(' ');
  const [by, reason] = JSON.parse(text.slice(space + 1)) as readonly [string, string | null];
  return { by, reason, at: Number(text.slice(0, space)) };
}

type StoredFiring = readonly [
  at: number,
  until: number | false,
  count: number | false,
  skipped: NonNullable<FiringRecord['skipped']> | false,
  taskId: string | false,
  asked: boolean,
  recordedAt: number,
];

function readFiring([at, until, count, skipped, taskId, asked, recordedAt]: StoredFiring): FiringRecord {
  const about = { skipped: orNull(skipped), taskId: orNull(taskId), asked, recordedAt };
  return { at, until: orNull(until), count: orNull(count), ...about };
}

function orNull<Value>(value: Value | false): Value | null {
  return value === false ? null : value;
}

/** Operations on schedules. */

import { parseCivil } from '../core/civil.ts';
import { parseDuration } from '../core/duration.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { didYouMean } from '../core/nearest.ts';
import { invalidOption } from '../core/option-names.ts';
import { askFor, type Firing, parseSchedule, type ScheduleRecord, timesBetween } from '../core/schedule.ts';
import { nextTimes } from '../core/schedule-timing.ts';
import { isoTime } from '../core/time.ts';
import { firingBatches } from '../engine/scheduler.ts';
import type { Operation, OperationContext } from './operation.ts';
import {
  type ScheduleDocument,
  type ScheduleTimeDocument,
  scheduleDocument,
  timeDocument,
} from './schedule-document.ts';
import type {
  BackfillInput,
  NextInput,
  PauseInput,
  ScheduleInput,
  ScheduleListInput,
  ScheduleRunInput,
} from './schemas.ts';

export interface SchedulePage {
  readonly schedules: readonly ScheduleDocument[];
  /** What `after` of the next page is; `null` when this is the last one. */
  readonly next: string | null;
}

/** What became of one time that a person asked for. */
export interface AskedFiringDocument {
  readonly schedule: string;
  readonly at: string;
  /** `existing`: the task of this time was there before, from the schedule or from an earlier call. `skipped`: its key is held. */
  readonly outcome: 'created' | 'existing' | 'skipped';
  readonly taskId: string | null;
}

export interface BackfillDocument {
  readonly schedule: string;
  readonly from: string;
  readonly until: string;
  /** Times of the schedule in this stretch. */
  readonly times: number;
  readonly created: number;
  readonly existing: number;
  readonly skipped: number;
  /** Whether nothing was done but counting. */
  readonly dryRun: boolean;
}

export interface ScheduleTimesDocument {
  readonly times: readonly ScheduleTimeDocument[];
}

export interface DeletedScheduleDocument {
  readonly name: string;
  /** Whether it was there until now. */
  readonly deleted: boolean;
}

const listDefault = 100;
const nextDefault = 10;

export const scheduleList: Operation<ScheduleListInput, SchedulePage> = {
  name: 'schedule.list',
  summary: 'List the schedules with their next and last runs',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/schedules' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).scheduleListInput,
  output: async () => (await import('./schedule-output.ts')).schedulePageOutput,
  async run({ store: { broker }, redactionOf }, { after = null, limit = listDefault }) {
    const [found, { now }, workers] = await Promise.all([
      broker.schedules.list(after, limit + 1 > limits.batchMax ? limits.batchMax : limit + 1),
      broker.info(),
      broker.getWorkers(),
    ]);
    const shown = found.slice(0, limit);
    const schedules = await Promise.all(shown.map((schedule) => scheduleDocument(schedule, now, workers, redactionOf)));
    return { schedules, next: found.length > limit ? (shown.at(-1)?.name ?? null) : null };
  },
};

export const scheduleGet: Operation<ScheduleInput, ScheduleDocument> = {
  name: 'schedule.get',
  summary: 'Show one schedule with its next times and what became of its last ones',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/schedules/:name' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).scheduleInput,
  output: async () => (await import('./schedule-output.ts')).scheduleOutput,
  run: (context, { name }) => documentOf(context, name),
};

export const scheduleNext: Operation<NextInput, ScheduleTimesDocument> = {
  name: 'schedule.next',
  summary: 'Show the next times of a schedule, also where clocks change',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/schedules/:name/next' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).nextInput,
  output: async () => (await import('./schedule-output.ts')).scheduleTimesOutput,
  async run(context, { name, count = nextDefault }) {
    const { next, definition } = await find(context, name);
    const { timing } = parseSchedule(definition);
    const times = next === null ? [] : [next.at, ...nextTimes(timing, next.at, count - 1)];
    return { times: times.map((at) => timeDocument(timing, at)) };
  },
};

export const scheduleRun: Operation<ScheduleRunInput, AskedFiringDocument> = {
  name: 'schedule.run',
  summary: 'Run the task of a schedule now, whatever its time, pause or overlap',
  role: 'operator',
  scope: 'schedule',
  rest: { method: 'POST', path: '/schedules/:name/run' },
  audit: 'ran schedule {name}',
  made: (asked) => asked,
  schema: async () => (await import('./schemas.ts')).scheduleRunInput,
  output: async () => (await import('./schedule-output.ts')).askedFiringOutput,
  async run(context, { name, at }) {
    const schedule = await find(context, name);
    const { now } = await context.store.broker.info();
    const time = at === undefined ? now : readTime(at, 'at', now);
    // Its task would be the one of that time, which would then be there when the time comes.
    if (time > now) throw invalidOption('at', 'it is in the future, where the schedule itself will fire');
    const [asked] = await fireAll(context, [askFor(schedule, time)]);
    if (asked === undefined) throw taskFlowError('INTERNAL', { problem: 'the store did not answer for a firing' });
    return asked;
  },
};

export const schedulePause: Operation<PauseInput, ScheduleDocument> = {
  name: 'schedule.pause',
  summary: 'Leave out the times of a schedule until it is resumed',
  role: 'operator',
  scope: 'schedule',
  rest: { method: 'POST', path: '/schedules/:name/pause' },
  audit: 'paused schedule {name}',
  state: settingsOf,
  schema: async () => (await import('./schemas.ts')).pauseInput,
  output: async () => (await import('./schedule-output.ts')).scheduleOutput,
  async run(context, { name, reason }) {
    await find(context, name);
    await context.store.broker.schedules.pause([name], { by: context.actor.name, reason: reason ?? null });
    return documentOf(context, name);
  },
};

export const scheduleResume: Operation<ScheduleInput, ScheduleDocument> = {
  name: 'schedule.resume',
  summary: 'Fire a paused schedule again, from its next time on',
  role: 'operator',
  scope: 'schedule',
  rest: { method: 'POST', path: '/schedules/:name/resume' },
  audit: 'resumed schedule {name}',
  state: settingsOf,
  schema: async () => (await import('./schemas.ts')).scheduleInput,
  output: async () => (await import('./schedule-output.ts')).scheduleOutput,
  async run(context, { name }) {
    await find(context, name);
    await context.store.broker.schedules.pause([name], null);
    return documentOf(context, name);
  },
};

export const scheduleDelete: Operation<ScheduleInput, DeletedScheduleDocument> = {
  name: 'schedule.delete',
  summary: 'Delete a schedule; its tasks stay, and code that still has it stores it again when it starts',
  role: 'operator',
  scope: 'schedule',
  rest: { method: 'DELETE', path: '/schedules/:name' },
  audit: 'deleted schedule {name}',
  state: settingsOf,
  schema: async () => (await import('./schemas.ts')).scheduleInput,
  output: async () => (await import('./schedule-output.ts')).deletedScheduleOutput,
  async run(context, { name }) {
    await find(context, name);
    const [deleted = false] = await context.store.broker.schedules.delete([name]);
    return { name, deleted };
  },
};

export const scheduleBackfill: Operation<BackfillInput, BackfillDocument> = {
  name: 'schedule.backfill',
  summary: 'Run the task of a schedule for its times of a past stretch, each once',
  role: 'operator',
  scope: 'schedule',
  rest: { method: 'POST', path: '/schedules/:name/backfill' },
  audit: 'backfilled schedule {name}',
  made: (asked) => asked,
  schema: async () => (await import('./schemas.ts')).backfillInput,
  output: async () => (await import('./schedule-output.ts')).backfillOutput,
  async run(context, { name, from, until, dryRun = false }) {
    const schedule = await find(context, name);
    const { now } = await context.store.broker.info();
    const [start, end] = [readTime(from, 'from', now), until === undefined ? now : readTime(until, 'until', now)];
    if (end > now) throw invalidOption('until', 'it is in the future, where the schedule itself will fire');
    if (start >= end) throw invalidOption('from', 'it is not before until');
    const { times, more } = timesBetween(parseSchedule(schedule.definition), start, end, limits.backfillMax);
    if (more)
      throw invalidOption(
        'from',
        `there are more than ${limits.backfillMax} times from then on: use a shorter stretch`,
      );
    const asked = dryRun
      ? []
      : await fireAll(
          context,
          times.map((at) => askFor(schedule, at)),
        );
    const count = (outcome: AskedFiringDocument['outcome']): number =>
      asked.filter((one) => one.outcome === outcome).length;
    return {
      schedule: name,
      from: isoTime(start),
      until: isoTime(end),
      times: times.length,
      created: count('created'),
      existing: count('existing'),
      skipped: count('skipped'),
      dryRun,
    };
  },
};

async function documentOf(context: OperationContext, name: string): Promise<ScheduleDocument> {
  const { broker } = context.store;
  const [schedule, { now }, workers] = await Promise.all([find(context, name), broker.info(), broker.getWorkers()]);
  return scheduleDocument(schedule, now, workers, context.redactionOf);
}

/** What of a schedule is changed, without what it gives to its task. */
async function settingsOf({ store: { broker } }: OperationContext, { name }: ScheduleInput) {
  const [found] = await broker.schedules.get([name]);
  if (found == null) return null;
  const { pause, next, version } = found;
  return { name, pause, next: next === null ? null : isoTime(next.at), version };
}

async function find({ store: { broker } }: OperationContext, name: string): Promise<ScheduleRecord> {
  const [found] = await broker.schedules.get([name]);
  if (found != null) return found;
  const known = await broker.schedules.list(null, limits.batchMax);
  const near = didYouMean(
    name,
    known.map((schedule) => schedule.name),
  ).trim();
  const hint =
    near === '' ? 'A schedule is stored when up or a worker with its code starts; a server alone loads no code.' : near;
  throw taskFlowError('SCHEDULE_NOT_FOUND', { name }, { hint });
}

/** Asks the store for all of them. A schedule that is deleted in the meantime throws SCHEDULE_NOT_FOUND. */
async function fireAll(context: OperationContext, firings: readonly Firing[]): Promise<readonly AskedFiringDocument[]> {
  const asked: AskedFiringDocument[] = [];
  for (const batch of firingBatches(firings)) {
    const results = await context.store.broker.schedules.fire(batch);
    for (const [index, firing] of batch.entries()) {
      const result = results[index];
      const { schedule, at } = firing;
      if (result?.outcome === 'unknown') throw taskFlowError('SCHEDULE_NOT_FOUND', { name: schedule });
      const isFired = result?.outcome === 'fired';
      const outcome = !isFired ? 'skipped' : result.created ? 'created' : 'existing';
      asked.push({ schedule, at: isoTime(at), outcome, taskId: isFired ? result.taskId : null });
    }
  }
  return asked;
}

/** A time in ISO 8601, or how long ago. */
function readTime(text: string, what: string, now: number): number {
  const civil = parseCivil(text);
  const time = civil?.ms ?? (/^\d/.test(text) && /[a-z]$/.test(text) ? now - parseDuration(text, what) : null);
  if (time !== null && time >= 0) return time;
  if (time !== null) throw invalidOption(what, `${JSON.stringify(text.slice(0, 60))} is before 1970`);
  throw invalidOption(
    what,
    `${JSON.stringify(text.slice(0, 60))} is neither a time such as 2026-11-24T00:00Z nor a duration such as 7d`,
  );
}

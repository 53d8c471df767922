/** The one public shape of a schedule: API answers, `--json` and pages show exactly this. */

import { shownJson } from '../core/damaged.ts';
import { durationText, formatDuration } from '../core/duration.ts';
import { isAlive, type WorkerRecord } from '../core/presence.ts';
import type { RedactionOf } from '../core/redact.ts';
import {
  type CatchUp,
  type FiringRecord,
  type NextFiring,
  type Overlap,
  parseSchedule,
  type ScheduleRecord,
  type SkipReason,
} from '../core/schedule.ts';
import { nextTimes, type Timing } from '../core/schedule-timing.ts';
import { isoTime } from '../core/time.ts';
import { clockChange, localTimeText } from '../core/zone.ts';

/** A schedule. Times are ISO 8601 in UTC or `null`, durations milliseconds. */
export interface ScheduleDocument {
  readonly name: string;
  readonly task: string;
  readonly queue: string;
  /** `unreadable`: it is of a later version, or in a zone this machine does not know; `words` says so. It is not fired from here. */
  readonly state: 'active' | 'paused' | 'ended' | 'unreadable';
  /** "At 02:30, Europe/Berlin" */
  readonly words: string;
  readonly cron: string | null;
  readonly timezone: string | null;
  readonly everyMs: number | null;
  readonly jitterMs: number;
  readonly overlap: Overlap;
  /** `none`, `latest`, or `all` with its bounds: "the last 100 within 7d". */
  readonly catchUp: string;
  /** What each run gets; `null` when a function makes it in the worker, as `madeInWorker` says. */
  readonly input: unknown;
  readonly madeInWorker: boolean;
  readonly pause: { readonly by: string; readonly reason: string | null; readonly at: string } | null;
  /** The next five times. A paused schedule has them too: they will be left out while it is. */
  readonly next: readonly string[];
  /** When the first of `next` is fired: later by the schedule's share of the jitter. */
  readonly dueAt: string | null;
  /** The next time within a year that a change of clocks moves or doubles, in words. */
  readonly clockNote: string | null;
  /** Newest first. */
  readonly recent: readonly FiringDocument[];
  /** Whether workers live and none of them has its code: then nobody may need it any more. */
  readonly orphaned: boolean;
  /** The file of its task, relative to the project, while a living worker publishes it. */
  readonly file: string | null;
  readonly version: number;
  readonly createdAt: string;
  readonly changedAt: string;
}

/** One time, or several that were left out alike. */
export interface FiringDocument {
  readonly at: string;
  /** Of several: the last one, or one after it. */
  readonly until: string | null;
  readonly count: number | null;
  readonly outcome: 'fired' | 'skipped';
  readonly reason: SkipReason | null;
  /** The task it was, or the one in its way. */
  readonly taskId: string | null;
  /** Whether a person asked for it. */
  readonly asked: boolean;
  readonly recordedAt: string;
}

export interface ScheduleTimeDocument {
  readonly at: string;
  /** What the clocks of the schedule's zone show then. */
  readonly local: string;
  /** What a change of clocks does to it, or `null`. */
  readonly note: string | null;
}

const nextShown = 5;
/** Times that are looked at for a change of clocks: a year of days. */
const lookedAt = 366;
const yearMs = 366 * 24 * 3_600_000;

export async function scheduleDocument(
  schedule: ScheduleRecord,
  now: number,
  workers: readonly WorkerRecord[],
  redactionOf: RedactionOf,
): Promise<ScheduleDocument> {
  const { timing, jitterMs, overlap, catchUp, input, task } = parseSchedule(schedule.definition);
  const { name, next, pause } = schedule;
  const { upcoming, clockNote, problem } = timesOf(timing, next);
  const publisher = publisherOf(name, now, workers);
  return {
    name,
    task: task.name,
    queue: task.queue,
    state: problem !== null ? 'unreadable' : next === null ? 'ended' : pause === null ? 'active' : 'paused',
    words: problem ?? (await wordsOf(timing)),
    cron: 'cron' in timing ? timing.cron : null,
    timezone: 'cron' in timing ? timing.timezone : null,
    everyMs: 'everyMs' in timing ? timing.everyMs : null,
    jitterMs,
    overlap,
    catchUp: catchUpText(catchUp),
    input: input === 'made' ? null : shownJson(redactionOf(task.policy)?.json('input', task.payload) ?? task.payload),
    madeInWorker: input === 'made',
    pause: pause && { by: pause.by, reason: pause.reason, at: isoTime(pause.at) },
    next: upcoming.map((at) => isoTime(at)),
    dueAt: isoTime(next?.dueAt ?? null),
    clockNote,
    recent: schedule.recent.map(firingDocument),
    orphaned: publisher.orphaned,
    file: publisher.file,
    version: schedule.version,
    createdAt: isoTime(schedule.createdAt),
    changedAt: isoTime(schedule.changedAt),
  };
}

/** What is known of its next times here; a schedule that cannot be read must not hide the others of its list. */
function timesOf(
  timing: Timing,
  next: NextFiring | null,
): { readonly upcoming: readonly number[]; readonly clockNote: string | null; readonly problem: string | null } {
  if (next === null) return { upcoming: [], clockNote: null, problem: null };
  try {
    const upcoming = [next.at, ...nextTimes(timing, next.at, nextShown - 1)];
    if (upcoming.some(Number.isNaN)) throw new Error('its times are in words of a later version');
    return { upcoming, clockNote: clockNoteOf(timing, next.at), problem: null };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { upcoming: [next.at], clockNote: null, problem: `Cannot be fired here: ${problem}` };
  }
}

export function timeDocument(timing: Timing, at: number): ScheduleTimeDocument {
  const zone = 'cron' in timing ? timing.timezone : 'UTC';
  return {
    at: isoTime(at),
    local: localTimeText(zone, at),
    note: 'cron' in timing ? noteAt(timing.timezone, at) : null,
  };
}

function firingDocument(record: FiringRecord): FiringDocument {
  const { at, until, count, skipped, taskId, asked, recordedAt } = record;
  return {
    at: isoTime(at),
    until: isoTime(until),
    count,
    outcome: skipped === null ? 'fired' : 'skipped',
    reason: skipped,
    taskId,
    asked,
    recordedAt: isoTime(recordedAt),
  };
}

/** Loaded here and not above: only people read words. */
async function wordsOf(timing: Timing): Promise<string> {
  if ('everyMs' in timing) return `Every ${formatDuration(timing.everyMs).replace('.0 ', ' ')}`;
  const { cron, timezone } = timing;
  try {
    const { default: cronstrue } = await import('cronstrue');
    const words = cronstrue.toString(cron, { use24HourTimeFormat: true, verbose: false });
    return `${words}, ${timezone}`;
  } catch {
    // It knows fewer expressions than we do; the expression itself says it all.
    return `${cron}, ${timezone}`;
  }
}

function catchUpText(catchUp: CatchUp): string {
  return catchUp.kind === 'all' ? `the last ${catchUp.max} within ${durationText(catchUp.withinMs)}` : catchUp.kind;
}

function clockNoteOf(timing: Timing, first: number): string | null {
  if (!('cron' in timing)) return null;
  const { timezone } = timing;
  for (const at of [first, ...nextTimes(timing, first, lookedAt)]) {
    if (at > first + yearMs) return null;
    const note = noteAt(timezone, at);
    if (note !== null) return `${localTimeText(timezone, at)}: ${note}`;
  }
  return null;
}

function noteAt(zone: string, at: number): string | null {
  switch (clockChange(zone, at)) {
    case 'forward':
      return 'the clocks are put forward here; what they leave out runs now, once';
    case 'twice':
      return 'the clocks show this twice; it runs the first time only';
    default:
      return null;
  }
}

function publisherOf(
  name: string,
  now: number,
  workers: readonly WorkerRecord[],
): { readonly orphaned: boolean; readonly file: string | null } {
  const published = workers.filter((worker) => isAlive(worker, now)).flatMap(({ definitions }) => definitions);
  const owner = published.find(({ schedules }) => schedules?.includes(name));
  return { orphaned: owner === undefined && published.length > 0, file: owner?.file ?? null };
}

/** What a schedule is, what is stored of it, and which firings are due: all policy about schedules, without a clock. */

import { taskFlowError } from './errors.ts';
import type { Pause } from './facts.ts';
import { derivedId } from './ids.ts';
import { limits } from './limits.ts';
import { countTimes, lastTime, nextTime, nextTimes, offsetOf, type Timing } from './schedule-timing.ts';
import type { NewTask } from './task.ts';
import { isoTime } from './time.ts';

/**
 * What becomes of a time while the last task of the schedule is unfinished. `skip`: nothing, and it is written down.
 * `allow`: its task runs beside the other. `queue`: its task waits until the other has ended.
 */
export const overlaps = ['skip', 'allow', 'queue'] as const;
export type Overlap = (typeof overlaps)[number];

/**
 * What becomes of the times that nobody fired because nothing ran or the store was away. `none`: they are skipped, unless
 * the last one is less than `limits.firingGraceMs` late. `latest`: the last of them is fired. `all`: the last `max` of
 * them that are not older than `withinMs` are fired.
 */
export type CatchUp =
  | { readonly kind: 'none' | 'latest' }
  | { readonly kind: 'all'; readonly max: number; readonly withinMs: number };

/** Everything of a task that is the same for each firing. */
export interface TaskTemplate
  extends Omit<NewTask, 'id' | 'firedBy' | 'delayMs' | 'at' | 'dependsOn' | 'blocks' | 'flowId'> {
  /** Whether each firing stands for a flow. */
  readonly isFlow?: boolean;
}

/** A schedule, normalised. The store keeps it as text: an equal text is the same schedule. */
export interface ScheduleDefinition {
  readonly timing: Timing;
  /** How far firings are spread; how much later than its times this schedule fires follows from its name. */
  readonly jitterMs: number;
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  /** `stored`: the payload of the task. `made`: by a function of the schedule in the worker, from the time it was due. */
  readonly input: 'stored' | 'made';
  readonly task: TaskTemplate;
}

/** The next time of a schedule, and when it is fired: later by its share of the jitter. */
export interface NextFiring {
  readonly at: number;
  readonly dueAt: number;
}

/** A schedule on its way into the store. */
export interface NewSchedule {
  readonly name: string;
  /** {@link ScheduleDefinition} as JSON text, opaque to the store but for `hasSameTimes`. */
  readonly definition: string;
  /** Taken when the schedule is new or has other times than before. */
  readonly next: NextFiring | null;
}

/** Why a time was not fired. */
export type SkipReason =
  /** Nothing ran when it was due, and the schedule does not catch up on it. */
  | 'missed'
  | 'paused'
  /** The last task was unfinished. */
  | 'overlap'
  /** The key of the task was held. */
  | 'key';

/** What became of one time of a schedule, or of several that were skipped alike, one after the other. */
export interface FiringRecord {
  readonly at: number;
  /** Of several: the last one, or one after it. */
  readonly until: number | null;
  /** How many; `null` when they are too many to count. */
  readonly count: number | null;
  /** `null`: it was fired. */
  readonly skipped: SkipReason | null;
  /** The task that was enqueued, or the one in its way. */
  readonly taskId: string | null;
  /** Whether a person asked for it: run now, backfill. */
  readonly asked: boolean;
  /** When it was done. */
  readonly recordedAt: number;
}

/** A stored schedule. */
export interface ScheduleRecord {
  readonly name: string;
  readonly definition: string;
  /** 1, and +1 for each change of the definition. */
  readonly version: number;
  /** `null` when there is no time any more. */
  readonly next: NextFiring | null;
  readonly pause: Pause | null;
  /** Of the last firing. */
  readonly lastTaskId: string | null;
  readonly createdAt: number;
  readonly changedAt: number;
  /** Newest first, at most `limits.firingsKept`. */
  readonly recent: readonly FiringRecord[];
}

/**
 * What to do with times of a schedule. `fire` and `skip` are about its next one: they hold only when that is `at` and the
 * version is `version`, and move it to `next`. `skip` is about every time before `next`. `ask` is a person's and moves
 * nothing.
 */
export type Firing =
  | {
      readonly kind: 'fire';
      readonly schedule: string;
      readonly version: number;
      readonly at: number;
      readonly next: NextFiring | null;
      readonly task: NewTask;
      /** Not while the last task is unfinished. */
      readonly alone: boolean;
    }
  | {
      readonly kind: 'skip';
      readonly schedule: string;
      readonly version: number;
      readonly at: number;
      readonly next: NextFiring | null;
      /** The last time that is skipped when they are several. */
      readonly until: number | null;
      readonly count: number | null;
    }
  | { readonly kind: 'ask'; readonly schedule: string; readonly at: number; readonly task: NewTask };

/** Throws INVALID_OPTION for a firing that would not move its schedule on: it would be fired for ever. */
export function checkFirings(firings: readonly Firing[]): void {
  for (const [index, firing] of firings.entries()) {
    // A time comes for itself: what has to come after something else is spawned by the task that was fired.
    if (firing.kind !== 'skip' && firing.task.dependsOn.length + firing.task.blocks.length > 0)
      throw taskFlowError('NOT_SUPPORTED', { what: 'a firing of a task with parents or children' });
    if (firing.kind === 'ask' || firing.next === null || firing.next.at > firing.at) continue;
    throw taskFlowError('INVALID_OPTION', {
      what: `firings[${index}].next`,
      problem: `${firing.next.at} is not after ${firing.at}`,
    });
  }
}

/** The text by which a definition is stored and compared. */
export function encodeSchedule(definition: ScheduleDefinition): string {
  return JSON.stringify(definition);
}

export function parseSchedule(text: string): ScheduleDefinition {
  return JSON.parse(text) as ScheduleDefinition;
}

/**
 * Whether two definitions are due at the same times. Then a change keeps the next time: what was missed while a new
 * version was rolled out is still caught up on.
 */
export function hasSameTimes(former: string, definition: string): boolean {
  return timesOf(former) === timesOf(definition);
}

/** The part of a definition that says when it is due, as text: equal texts are the same times. */
export function timesOf(definition: string): string {
  const { timing, jitterMs } = parseSchedule(definition);
  return JSON.stringify([timing, jitterMs]);
}

/** A definition as it is put into the store at `now`. */
export function newSchedule(name: string, definition: ScheduleDefinition, now: number): NewSchedule {
  const next = nextTime(definition.timing, now);
  return { name, definition: encodeSchedule(definition), next: nextFiring(name, definition, next) };
}

/** The task of a schedule for one of its times. Everybody who makes it makes the same one, whichever version he knows. */
export function taskOf(name: string, definition: ScheduleDefinition, at: number): NewTask {
  const { input } = definition;
  const { isFlow = false, ...task } = definition.task;
  const id = derivedId(at, `schedule|${name}`);
  return {
    ...task,
    id,
    payload: input === 'made' ? JSON.stringify({ at: isoTime(at) }) : task.payload,
    firedBy: { schedule: name, at, input },
    delayMs: 0,
    at: null,
    dependsOn: [],
    blocks: [],
    flowId: isFlow ? id : null,
  };
}

/**
 * What to do with a schedule at `now`, in the order of its times; nothing when it is not due. Each next time follows
 * from the one before, never from `now`. Bounded by `limits.catchUpMax`.
 */
export function planFirings(schedule: ScheduleRecord, now: number): readonly Firing[] {
  if (schedule.next === null || schedule.next.dueAt > now) return [];
  const definition = parseSchedule(schedule.definition);
  const offsetMs = schedule.next.dueAt - schedule.next.at;
  const times = timesToFire(definition, schedule.next.at, now - offsetMs);
  const firings: Firing[] = [];
  let at: number | null = schedule.next.at;
  for (const time of times) {
    if (at !== null && at < time) firings.push(skip(schedule, definition, at, time));
    at = nextTime(definition.timing, time);
    firings.push(fire(schedule, definition, time, at));
  }
  if (times.length === 0)
    firings.push(skip(schedule, definition, schedule.next.at, nextTime(definition.timing, now - offsetMs)));
  return firings;
}

/** Those of the due times from `first` up to `latest` that the schedule catches up on, oldest first. */
function timesToFire({ timing, catchUp }: ScheduleDefinition, first: number, latest: number): readonly number[] {
  const last = lastDue(timing, first, latest);
  switch (catchUp.kind) {
    case 'none':
      return latest - last <= limits.firingGraceMs ? [last] : [];
    case 'latest':
      return [last];
    case 'all': {
      const times: number[] = [];
      for (let time: number | null = last; time !== null && time >= first; time = lastTime(timing, time - 1)) {
        const isOnTime = time === last && latest - last <= limits.firingGraceMs;
        if (times.length >= catchUp.max || (latest - time > catchUp.withinMs && !isOnTime)) break;
        times.unshift(time);
      }
      return times;
    }
  }
}

/** The last time from `first` up to `latest`: mostly the first one, which costs one look. */
function lastDue(timing: Timing, first: number, latest: number): number {
  const second = nextTime(timing, first);
  return second === null || second > latest ? first : (lastTime(timing, latest) ?? first);
}

function fire(schedule: ScheduleRecord, definition: ScheduleDefinition, at: number, next: number | null): Firing {
  return {
    kind: 'fire',
    schedule: schedule.name,
    version: schedule.version,
    at,
    next: nextFiring(schedule.name, definition, next),
    task: taskOf(schedule.name, definition, at),
    alone: definition.overlap === 'skip',
  };
}

/** Skips the times from `at` up to, without, `next`. */
function skip(schedule: ScheduleRecord, definition: ScheduleDefinition, at: number, next: number | null): Firing {
  const last = next === null ? null : lastTime(definition.timing, next - 1);
  return {
    kind: 'skip',
    schedule: schedule.name,
    version: schedule.version,
    at,
    next: nextFiring(schedule.name, definition, next),
    until: last === null || last <= at ? null : last,
    count: next === null ? null : countTimes(definition.timing, at, next),
  };
}

/** What a person asked for: the task of `at`, whether that is a time of the schedule or not. */
export function askFor(schedule: ScheduleRecord, at: number): Firing {
  return {
    kind: 'ask',
    schedule: schedule.name,
    at,
    task: taskOf(schedule.name, parseSchedule(schedule.definition), at),
  };
}

/** The times from `from` up to, without, `until`: at most `max`, and whether there are more. */
export function timesBetween(
  { timing }: ScheduleDefinition,
  from: number,
  until: number,
  max: number,
): { readonly times: readonly number[]; readonly more: boolean } {
  const times = nextTimes(timing, from - 1, max + 1).filter((time) => time < until);
  return { times: times.slice(0, max), more: times.length > max };
}

/** The record of one more firing before the others; skips that are alike become one. */
export function remember(recent: readonly FiringRecord[], record: FiringRecord): readonly FiringRecord[] {
  const [last, ...older] = recent;
  if (last === undefined || !isLike(last, record)) return [record, ...recent].slice(0, limits.firingsKept);
  const count = last.count === null || record.count === null ? null : last.count + record.count;
  return [{ ...record, at: last.at, until: record.until ?? record.at, count }, ...older];
}

/** Whether two records, one behind the other, may be told as one. */
function isLike(last: FiringRecord, record: FiringRecord): boolean {
  if (last.skipped === null || last.asked || record.asked) return false;
  return last.skipped === record.skipped && last.taskId === record.taskId;
}

function nextFiring(name: string, { jitterMs }: ScheduleDefinition, at: number | null): NextFiring | null {
  return at === null ? null : { at, dueAt: at + offsetOf(name, jitterMs) };
}

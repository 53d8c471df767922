/** The operation that looks for signs of trouble which numbers of this moment do not show: what grows, what fails anew, what was missed. */

import { limits } from '../core/limits.ts';
import type { ScheduleRecord } from '../core/schedule.ts';
import { isoTime } from '../core/time.ts';
import type { Sample } from '../history/history.ts';
import { type ErrorGroupDocument, listErrors } from './error.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { SignsInput } from './schemas.ts';

/** A queue in which more waits from minute to minute. */
export interface GrowthDocument {
  readonly queue: string;
  /** Tasks by which it grew, on the average of these minutes. */
  readonly perMinute: number;
  readonly minutes: number;
}

/** A schedule that did not do what it says. */
export interface ScheduleSignDocument {
  readonly name: string;
  /** `missed`: times passed while nothing fired it. `late`: it is due, and nothing fires it. */
  readonly sign: 'missed' | 'late';
  /** The first of these times. */
  readonly at: string;
  /** `null` when they are too many to count. */
  readonly count: number | null;
}

export interface SignsDocument {
  /** When that was, by the store's clock; `null` where nobody has looked yet, or too long ago. */
  readonly asOf: string | null;
  readonly growing: readonly GrowthDocument[];
  /** Kinds of failures of the last hour that are new or come faster than they used to, and that nobody has muted or resolved. */
  readonly errors: readonly ErrorSignDocument[];
  /** Tasks that failed in the last day only in ways that somebody has muted or resolved, as far as failures were looked at. */
  readonly quiet: readonly string[];
  readonly schedules: readonly ScheduleSignDocument[];
}

export interface ErrorSignDocument extends ErrorGroupDocument {
  readonly sign: 'new' | 'regressed' | 'faster';
  /** Failures of the last hour for each of an hour of the day before; `null` where there were none. */
  readonly times: number | null;
}

interface Look {
  readonly at: number;
  readonly signs: SignsDocument;
}

/** What a server knows of signs: what all its clients together ask for is looked at once in a while. */
interface Looks {
  last: Look | null;
  /** The one under way. */
  next: Promise<SignsDocument> | null;
  isDue: boolean;
}

const looksOf = new WeakMap<object, Looks>();

function knownLooks({ definitions }: Pick<OperationContext, 'definitions'>): Looks {
  const known = looksOf.get(definitions) ?? { last: null, next: null, isDue: false };
  looksOf.set(definitions, known);
  return known;
}

/**
 * A look is told for `limits.signsMs` as it is, and for `limits.signsStaleMs` in all while the next one is made behind whoever asked. Who asks where
 * nothing is at hand waits for a look, or is told that there is none.
 */
export const systemSigns: Operation<SignsInput, SignsDocument> = {
  name: 'system.signs',
  summary: 'Say which queues grow, which errors are new or more than they were, and which schedules were missed',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/signs' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).signsInput,
  output: async () => (await import('./signs-output.ts')).signsOutput,
  async run(context, { wait = true }) {
    const looks = knownLooks(context);
    const { last } = looks;
    const ageMs = last === null ? Infinity : context.clock.elapsed() - last.at;
    if (last !== null && ageMs < limits.signsMs) return last.signs;
    const isStale = last !== null && ageMs < limits.signsStaleMs;
    if (!isStale && wait) return lookOnce(context, looks);
    lookBehind(context, looks);
    return isStale ? last.signs : nothingKnown;
  },
};

const nothingKnown: SignsDocument = { asOf: null, growing: [], errors: [], quiet: [], schedules: [] };

/** Whoever comes while it is under way shares it. What went wrong is no answer for the next one. */
function lookOnce(context: OperationContext, looks: Looks): Promise<SignsDocument> {
  const at = context.clock.elapsed();
  looks.next ??= lookFor(context)
    .then((signs) => {
      looks.last = { at, signs };
      return signs;
    })
    .finally(() => {
      looks.next = null;
    });
  return looks.next;
}

/** When the request that showed the need has had its answer; one that fails is made again for the next. */
function lookBehind(context: OperationContext, looks: Looks): void {
  if (looks.isDue || looks.next !== null) return;
  looks.isDue = true;
  context.clock.schedule(limits.signsBehindMs, () => {
    looks.isDue = false;
    lookOnce(context, looks).catch(() => undefined);
  });
}

/** Looks anew for somebody who has just said something of what is told, so that the next page shows it. Never rejects. */
export async function refreshSigns(context: OperationContext): Promise<void> {
  const looks = knownLooks(context);
  // A key for some queues sees a part of it; and where nobody has asked there is nothing to renew.
  if (looks.last === null || (context.actor.queues ?? null) !== null) return;
  await looks.next?.catch(() => undefined);
  await lookOnce(context, looks).catch(() => undefined);
}

const minuteMs = 60_000;

async function lookFor(context: OperationContext): Promise<SignsDocument> {
  const { store } = context;
  const { now } = await store.broker.info();
  const to = Math.floor(now / minuteMs) * minuteMs + minuteMs;
  const [samples, { errors }, schedules] = await Promise.all([
    store.history.samples({ from: to - (growthMinutes + 1) * minuteMs, to }),
    listErrors(context, limits.pageMax),
    store.broker.schedules.list(null, limits.signsMax),
  ]);
  return {
    asOf: isoTime(now),
    growing: growingOf(samples),
    errors: errors.slice(0, limits.signsMax).flatMap((error) => errorSign(error, now)),
    quiet: quietOf(errors),
    schedules: schedules.flatMap((schedule) => scheduleSign(schedule, now)),
  };
}

const growthMinutes = 5;
/** Fewer are noise. */
const growthShown = 1;

/** It grew from each of the last minutes to the next, or never fell and has more in the end. */
export function growingOf(samples: readonly Sample[]): readonly GrowthDocument[] {
  const byQueue = Map.groupBy(samples, ({ queue }) => queue);
  return [...byQueue].flatMap(([queue, rows]) => {
    const sorted = rows.toSorted((a, b) => a.at - b.at);
    const [first, last] = [sorted[0], sorted.at(-1)];
    if (first === undefined || last === undefined) return [];
    const minutes = Math.round((last.at - first.at) / minuteMs);
    const grows = sorted.every(({ waiting }, index) => waiting >= (sorted[index - 1]?.waiting ?? 0));
    const perMinute = (last.waiting - first.waiting) / Math.max(1, minutes);
    return grows && minutes >= growthMinutes - 1 && perMinute >= growthShown ? [{ queue, perMinute, minutes }] : [];
  });
}

const hourMs = 3_600_000;
/** Fewer failures in an hour are a day like any other. */
const errorsShown = 3;
const fasterTimes = 3;

/** What somebody has muted is left alone; what somebody has resolved counts from then on. */
export function errorSign(error: ErrorGroupDocument, now: number): readonly ErrorSignDocument[] {
  if (error.lastHour < errorsShown || isQuiet(error)) return [];
  const resolved = error.mark?.as === 'resolved';
  const before = (error.lastDay - error.lastHour) / 23;
  const times = before === 0 ? null : error.lastHour / before;
  if (resolved) return [{ ...error, sign: 'regressed', times }];
  if (Date.parse(error.firstSeenAt) > now - hourMs) return [{ ...error, sign: 'new', times }];
  return times !== null && times >= fasterTimes ? [{ ...error, sign: 'faster', times }] : [];
}

/** Names of the tasks of which every kind of failure of the last day is left alone. */
export function quietOf(errors: readonly ErrorGroupDocument[]): readonly string[] {
  const byTask = Map.groupBy(
    errors.filter(({ lastDay }) => lastDay > 0),
    ({ task }) => task,
  );
  return [...byTask].flatMap(([task, kinds]) => (kinds.every(isQuiet) ? [task] : []));
}

function isQuiet({ mark, lastSeenAt }: ErrorGroupDocument): boolean {
  if (mark?.as === 'resolved') return Date.parse(lastSeenAt) <= Date.parse(mark.at);
  return mark?.as === 'muted';
}

const lateMs = 60_000;
const missedShownMs = 24 * hourMs;

export function scheduleSign(schedule: ScheduleRecord, now: number): readonly ScheduleSignDocument[] {
  const { name, next, pause, recent } = schedule;
  if (pause !== null) return [];
  if (next !== null && next.dueAt < now - lateMs) return [{ name, sign: 'late', at: isoTime(next.at), count: 1 }];
  const missed = recent.find(({ skipped, recordedAt }) => skipped === 'missed' && recordedAt > now - missedShownMs);
  return missed === undefined ? [] : [{ name, sign: 'missed', at: isoTime(missed.at), count: missed.count ?? 1 }];
}

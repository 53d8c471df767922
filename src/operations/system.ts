/** Operations on the whole: is it well, how much is there, and how did the last minutes go. */

import type { BrokerInfo } from '../broker/broker.ts';
import { internalQueue } from '../core/bulk.ts';
import { isWithoutRecord } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { within } from '../core/patience.ts';
import { isAlive } from '../core/presence.ts';
import type { RelayStatus } from '../core/relay.ts';
import type { TaskView } from '../core/states.ts';
import { type Clock, isoTime } from '../core/time.ts';
import type { Activity, Disk, Ended, Store } from '../history/history.ts';
import type { Recording } from '../history/recording.ts';
import type { Operation } from './operation.ts';
import type { ActivityInput, Nothing } from './schemas.ts';

export interface HealthDocument {
  /** `ok` when the store answers; nothing else is part of it, so that it can be a readiness probe. */
  readonly status: 'ok';
  readonly store: Pick<BrokerInfo, 'kind' | 'durability' | 'detail' | 'protocol'>;
  /** Living workers (servers that claim nothing are not counted) and their slots. */
  readonly workers: number;
  readonly slots: number;
  readonly running: number;
  /** Living workers that were lately given nothing although tasks waited, until they connected anew. */
  readonly stalled: number;
  /** How far the record is behind the live store, also while it cannot be reached. */
  readonly lagMs: number;
  /** `null` where the live store is the record itself. */
  readonly record: RecordDocument | null;
  /** Tasks of transactions on their way to the broker; `null` where they are there with the commit, and while the record cannot be reached. */
  readonly relay: RelayStatus | null;
  /** The disk that the store or its record is on, where that is a file beside this server. */
  readonly disk: Disk | null;
  /** The store's clock. */
  readonly now: string;
}

/** How true a record beside the live store is. */
export interface RecordDocument {
  /** Why it cannot be reached: then nothing else is known of it but how far it is behind. `null` when it can. */
  readonly problem: { readonly code: string; readonly message: string } | null;
  /** What its database keeps when that dies; `null` while it cannot be reached. */
  readonly database: Pick<BrokerInfo, 'durability' | 'detail'> | null;
  /** The last time that the live store lost what it had; `null` for never. */
  readonly gap: { readonly from: string | null; readonly to: string; readonly restored: number } | null;
  /** Tasks that the database refuses to store, the newest of them; counted up to 100. */
  readonly unrecorded: number;
  readonly refused: { readonly id: string; readonly problem: string } | null;
}

export interface CountsDocument {
  /** Tasks by the word shown for them; a word that is not there counts 0. */
  readonly counts: Readonly<Partial<Record<TaskView, number>>>;
  readonly queues: Readonly<Record<string, number>>;
  readonly names: Readonly<Record<string, number>>;
  /** Of each name those that wait: blocked, scheduled or queued. A name that is not there has none. */
  readonly waiting: Readonly<Record<string, number>>;
  /** The store's clock. */
  readonly now: string;
}

/** What ended in one minute, or in ten, over all queues and tasks. */
export interface MinuteDocument {
  /** Its start. */
  readonly at: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly retried: number;
}

/** What ended of one queue. */
export interface QueueActivityDocument {
  /** In equal parts of the time asked for, oldest first: thirty, or of so many whole hours that there are thirty at most. */
  readonly finished: readonly number[];
  /** On the average of the last five whole minutes. */
  readonly perMinute: number;
}

export interface NameActivityDocument {
  readonly succeeded: number;
  readonly failed: number;
  /** `null` when none has ended. */
  readonly meanRunMs: number | null;
}

export interface ActivityDocument {
  readonly minutes: readonly MinuteDocument[];
  /** How many minutes one of them is: 1, and 30 where more than a day was asked for. */
  readonly stepMinutes: number;
  readonly queues: Readonly<Record<string, QueueActivityDocument>>;
  /** What succeeded and failed of each task, by its name, and how long the runs that ended so took on the average; of the last day at most: beyond it, of its whole hours. */
  readonly names: Readonly<Record<string, NameActivityDocument>>;
}

export const systemHealth: Operation<Nothing, HealthDocument> = {
  name: 'system.health',
  summary: 'Say whether the store answers, and what it is',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/health' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).nothing,
  output: async () => (await import('./system-output.ts')).healthOutput,
  async run({ store, clock }) {
    const [info, workers, lagMs, beside, disk = null] = await Promise.all([
      store.broker.info(),
      store.broker.getWorkers(),
      store.history.lagMs(),
      besideOf(store, clock),
      store.disk?.(),
    ]);
    const { kind, durability, detail, protocol } = info;
    const living = workers.filter((worker) => isAlive(worker, info.now) && worker.concurrency > 0);
    return {
      status: 'ok',
      store: { kind, durability, detail, protocol },
      workers: living.length,
      slots: living.reduce((sum, worker) => sum + worker.concurrency, 0),
      running: living.reduce((sum, worker) => sum + worker.running, 0),
      stalled: living.filter(({ stall }) => stall !== undefined).length,
      lagMs,
      ...beside,
      disk,
      now: isoTime(info.now),
    };
  },
};

const unrecordedShown = 100;

const nothingTold = { database: null, gap: null, unrecorded: 0, refused: null };

/** Tasks run without the record: while it cannot be reached, that is what is told of it. */
async function besideOf({ recording, relay }: Store, clock: Clock): Promise<Pick<HealthDocument, 'record' | 'relay'>> {
  if (recording === undefined) return { record: null, relay: (await relay?.status()) ?? null };
  try {
    const [record, waiting = null] = await within(
      clock,
      limits.recordAskMs,
      Promise.all([recordOf(recording), relay?.status()]),
    );
    return { record, relay: waiting };
  } catch (error) {
    if (!isWithoutRecord(error)) throw error;
    return { record: { ...nothingTold, problem: { code: error.code, message: error.message } }, relay: null };
  }
}

async function recordOf(recording: Recording): Promise<RecordDocument> {
  const { gap, unrecorded } = await recording.losses(unrecordedShown);
  const [newest] = unrecorded;
  return {
    problem: null,
    database: recording.durability(),
    gap:
      gap === null
        ? null
        : { from: gap.from === null ? null : isoTime(gap.from), to: isoTime(gap.to), restored: gap.restored },
    unrecorded: unrecorded.length,
    refused: newest === undefined ? null : { id: newest.taskId, problem: newest.problem },
  };
}

export const systemCounts: Operation<Nothing, CountsDocument> = {
  name: 'system.counts',
  summary: 'Count the tasks by state, queue and name',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/counts' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).nothing,
  output: async () => (await import('./system-output.ts')).countsOutput,
  async run({ store }) {
    const [{ views, ...rest }, { now }] = await Promise.all([store.history.facets(), store.broker.info()]);
    return { counts: views, ...rest, now: isoTime(now) };
  },
};

/** One entry for each of the last minutes, oldest first, the running minute last; minutes without an end are zeros. Beyond a day, half an hour each. */
export const systemActivity: Operation<ActivityInput, ActivityDocument> = {
  name: 'system.activity',
  summary: 'Say how many tasks ended in each of the last minutes',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/activity' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).activityInput,
  output: async () => (await import('./system-output.ts')).activityOutput,
  async run({ store }, { minutes = 60 }) {
    const { now } = await store.broker.info();
    const to = Math.floor(now / minuteMs) * minuteMs + minuteMs;
    const from = to - minutes * minuteMs;
    // The running minute is not whole.
    const whole = Math.max(1, Math.min(recentMinutes, minutes - 1));
    const recent = { from: to - (whole + 1) * minuteMs, to: to - minuteMs };
    const stepMs = minutes > dayMinutes ? weekStepMs : minuteMs;
    const partMs = partOf(to - from);
    const day = to - limits.activityNamesMs;
    const namesFrom = from >= day ? from : Math.ceil(day / hourMs) * hourMs;
    const activity = await store.history.activity({ from, to, stepMs, partMs, recent, namesFrom });
    return {
      minutes: sumBySteps(activity.steps, { from, to, stepMs }),
      stepMinutes: stepMs / minuteMs,
      queues: Object.fromEntries(sumByQueue(activity, Math.ceil((to - from) / partMs), whole)),
      names: Object.fromEntries(sumByName(activity.names)),
    };
  },
};

const minuteMs = 60_000;
const dayMinutes = 1_440;
/** A chart of a week has a point for an hour and a half: a thousand entries were no more to see. */
const weekStepMs = 30 * minuteMs;
const hourMs = 60 * minuteMs;
const partsShown = 30;

/** From half a day on they are of whole hours: those are kept added up. */
function partOf(ms: number): number {
  return ms < 12 * hourMs ? ms / partsShown : Math.ceil(ms / partsShown / hourMs) * hourMs;
}

interface Steps {
  readonly from: number;
  readonly to: number;
  readonly stepMs: number;
}

function sumBySteps(rows: Activity['steps'], { from, to, stepMs }: Steps): readonly MinuteDocument[] {
  const sums = Array.from({ length: Math.ceil((to - from) / stepMs) }, (_, index) => ({
    at: isoTime(from + index * stepMs),
    succeeded: 0,
    failed: 0,
    cancelled: 0,
    retried: 0,
  }));
  for (const row of rows) {
    const sum = sums[Math.floor((row.at - from) / stepMs)];
    if (sum === undefined) continue;
    sum.succeeded += row.succeeded;
    sum.failed += row.failed;
    sum.cancelled += row.cancelled;
    sum.retried += row.retried;
  }
  return sums;
}

const recentMinutes = 5;

function sumByQueue(
  { parts, recent }: Activity,
  shown: number,
  whole: number,
): ReadonlyMap<string, QueueActivityDocument> {
  const sums = new Map<string, { readonly finished: number[]; perMinute: number }>();
  for (const { queue, part, ...ended } of parts) {
    const sum = sums.get(queue) ?? { finished: Array.from({ length: shown }, () => 0), perMinute: 0 };
    sums.set(queue, sum);
    sum.finished[part] = (sum.finished[part] ?? 0) + finishedOf(ended);
  }
  for (const { queue, ...ended } of recent) {
    const sum = sums.get(queue);
    if (sum !== undefined) sum.perMinute += finishedOf(ended) / whole;
  }
  return sums;
}

function finishedOf({ succeeded, failed, cancelled }: Omit<Ended, 'retried'>): number {
  return succeeded + failed + cancelled;
}

function sumByName(rows: Activity['names']): Map<string, NameActivityDocument> {
  const sums = new Map<string, { succeeded: number; failed: number; ended: number; runMs: number }>();
  for (const { queue, name, succeeded, failed, cancelled, runMs } of rows) {
    if (queue === internalQueue) continue;
    const sum = sums.get(name) ?? { succeeded: 0, failed: 0, ended: 0, runMs: 0 };
    sums.set(name, {
      succeeded: sum.succeeded + succeeded,
      failed: sum.failed + failed,
      ended: sum.ended + succeeded + failed + cancelled,
      runMs: sum.runMs + runMs,
    });
  }
  return new Map(
    [...sums].map(([name, { ended, runMs, ...sum }]) => [
      name,
      { ...sum, meanRunMs: ended === 0 ? null : Math.round(runMs / ended) },
    ]),
  );
}

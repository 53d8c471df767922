/** Operations on the whole: is it well, how much is there, and how did the last minutes go. */

import type { BrokerInfo } from '../broker/broker.ts';
import type { TaskView } from '../core/states.ts';
import { isoTime } from '../core/time.ts';
import type { Minute } from '../history/history.ts';
import { isAlive } from './definitions.ts';
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
  /** How far the record is behind the live store. */
  readonly lagMs: number;
  /** The store's clock. */
  readonly now: string;
}

export interface CountsDocument {
  /** Tasks by the word shown for them; a word that is not there counts 0. */
  readonly counts: Readonly<Partial<Record<TaskView, number>>>;
  readonly queues: Readonly<Record<string, number>>;
  readonly names: Readonly<Record<string, number>>;
}

/** What ended in one minute, over all queues and tasks. */
export interface MinuteDocument {
  readonly at: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly retried: number;
}

export const systemHealth: Operation<Nothing, HealthDocument> = {
  name: 'system.health',
  summary: 'Say whether the store answers, and what it is',
  role: 'viewer',
  schema: async () => (await import('./schemas.ts')).nothing,
  async run({ store }) {
    const [info, workers, lagMs] = await Promise.all([
      store.broker.info(),
      store.broker.getWorkers(),
      store.history.lagMs(),
    ]);
    const { kind, durability, detail, protocol } = info;
    const living = workers.filter((worker) => isAlive(worker, info.now) && worker.concurrency > 0);
    return {
      status: 'ok',
      store: { kind, durability, detail, protocol },
      workers: living.length,
      slots: living.reduce((sum, worker) => sum + worker.concurrency, 0),
      running: living.reduce((sum, worker) => sum + worker.running, 0),
      lagMs,
      now: isoTime(info.now),
    };
  },
};

export const systemCounts: Operation<Nothing, CountsDocument> = {
  name: 'system.counts',
  summary: 'Count the tasks by state, queue and name',
  role: 'viewer',
  schema: async () => (await import('./schemas.ts')).nothing,
  async run({ store }) {
    const { views, queues, names } = await store.history.facets();
    return { counts: views, queues, names };
  },
};

/** One entry for each of the last minutes, oldest first, the running minute last; minutes without an end are zeros. */
export const systemActivity: Operation<ActivityInput, { readonly minutes: readonly MinuteDocument[] }> = {
  name: 'system.activity',
  summary: 'Say how many tasks ended in each of the last minutes',
  role: 'viewer',
  schema: async () => (await import('./schemas.ts')).activityInput,
  async run({ store }, { minutes = 60 }) {
    const { now } = await store.broker.info();
    const to = Math.floor(now / 60_000) * 60_000 + 60_000;
    const from = to - minutes * 60_000;
    const rows = await store.history.minutes({ from, to });
    return { minutes: Array.from({ length: minutes }, (_, index) => minuteDocument(from + index * 60_000, rows)) };
  },
};

function minuteDocument(at: number, rows: readonly Minute[]): MinuteDocument {
  const own = rows.filter((row) => row.at === at);
  const sum = (field: 'succeeded' | 'failed' | 'cancelled' | 'retried') =>
    own.reduce((total, row) => total + row[field], 0);
  return {
    at: isoTime(at),
    succeeded: sum('succeeded'),
    failed: sum('failed'),
    cancelled: sum('cancelled'),
    retried: sum('retried'),
  };
}

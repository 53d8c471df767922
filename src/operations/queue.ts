/** Operations on queues. */

import type { QueueRecord } from '../broker/broker.ts';
import { internalQueue } from '../core/bulk.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Rate } from '../core/limit-rules.ts';
import { nearest } from '../core/nearest.ts';
import { isAlive, type WorkerRecord } from '../core/presence.ts';
import type { TaskView } from '../core/states.ts';
import { limitSettings } from './limit.ts';
import type { Operation, OperationContext } from './operation.ts';
import { type PauseDocument, pauseDocument } from './pause-document.ts';
import type { Nothing, PauseInput, QueueInput, QueueLimitInput } from './schemas.ts';

/** A queue as every surface shows it. */
export interface QueueDocument {
  readonly name: string;
  readonly state: 'active' | 'paused';
  readonly pause: PauseDocument | null;
  /** Tasks of it that may run at once in all workers together, and start in a time; `null` is any number. */
  readonly max: number | null;
  readonly rate: Rate | null;
  readonly counts: Readonly<Partial<Record<TaskView, number>>>;
  /** Queued and not yet claimed. */
  readonly waiting: number;
  readonly running: number;
  /** How long the oldest queued task has been due, in milliseconds; `null` when none waits. */
  readonly oldestWaitMs: number | null;
  /** Living workers that listen on it, and their slots for it. */
  readonly workers: number;
  readonly slots: number;
}

export interface QueueListDocument {
  readonly queues: readonly QueueDocument[];
}

export const queueList: Operation<Nothing, QueueListDocument> = {
  name: 'queue.list',
  summary: 'List the queues with what waits in them and who listens',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/queues' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).nothing,
  output: async () => (await import('./queue-output.ts')).queueListOutput,
  run: async (context) => ({ queues: await listQueues(context) }),
};

/** A queue that holds no task, was never configured and has no worker is QUEUE_NOT_FOUND. */
export const queueGet: Operation<QueueInput, QueueDocument> = {
  name: 'queue.get',
  summary: 'Show one queue with what waits in it and who listens',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/queues/:name' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).queueInput,
  output: async () => (await import('./queue-output.ts')).queueOutput,
  run: (context, { name }) => findQueue(context, name),
};

export const queuePause: Operation<PauseInput, QueueDocument> = {
  name: 'queue.pause',
  summary: 'Stop starting tasks of a queue; what runs goes on',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/queues/:name/pause' },
  audit: 'paused queue {name}',
  state: (context, { name }) => findQueue(context, name),
  schema: async () => (await import('./schemas.ts')).pauseInput,
  output: async () => (await import('./queue-output.ts')).queueOutput,
  async run(context, { name, reason }) {
    await findQueue(context, name);
    await context.store.broker.configure('queue', name, { pause: { by: context.actor.name, reason: reason ?? null } });
    return findQueue(context, name);
  },
};

export const queueResume: Operation<QueueInput, QueueDocument> = {
  name: 'queue.resume',
  summary: 'Start tasks of a paused queue again',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/queues/:name/resume' },
  audit: 'resumed queue {name}',
  state: (context, { name }) => findQueue(context, name),
  schema: async () => (await import('./schemas.ts')).queueInput,
  output: async () => (await import('./queue-output.ts')).queueOutput,
  async run(context, { name }) {
    await findQueue(context, name);
    await context.store.broker.configure('queue', name, { pause: null });
    return findQueue(context, name);
  },
};

export const queueLimit: Operation<QueueLimitInput, QueueDocument> = {
  name: 'queue.limit',
  summary: 'Say how many tasks of a queue run at once or start in a time, in all workers together',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/queues/:name/limit' },
  audit: 'limited queue {name}',
  state: (context, { name }) => findQueue(context, name),
  schema: async () => (await import('./schemas.ts')).queueLimitInput,
  output: async () => (await import('./queue-output.ts')).queueOutput,
  async run(context, input) {
    await findQueue(context, input.name);
    await context.store.broker.configure('queue', input.name, limitSettings(input));
    return findQueue(context, input.name);
  },
};

/** Every queue that holds a task, was configured, or has a living worker; by name. */
export async function listQueues({ store }: Pick<OperationContext, 'store'>): Promise<readonly QueueDocument[]> {
  const [info, records, everyone] = await Promise.all([
    store.broker.info(),
    store.broker.getQueues(),
    store.broker.getWorkers(),
  ]);
  return queueDocuments(records, everyone, info.now);
}

/** The same of what was read already, without the queue that is TaskFlow's own, at `now` of the store's clock. */
export function queueDocuments(
  records: readonly QueueRecord[],
  everyone: readonly WorkerRecord[],
  now: number,
): readonly QueueDocument[] {
  const workers = everyone.filter((worker) => isAlive(worker, now));
  const stored = new Map(records.map((record) => [record.name, record]));
  const listened = workers.flatMap((worker) => Object.keys(worker.queues));
  const names = [...new Set([...stored.keys(), ...listened])].filter((name) => name !== internalQueue).sort();
  return names.map((name) => queueDocument(stored.get(name) ?? unstored(name), workers, now));
}

/** Throws QUEUE_NOT_FOUND, with the nearest name. */
export async function findQueue(context: OperationContext, name: string): Promise<QueueDocument> {
  const queues = await listQueues(context);
  const found = queues.find((queue) => queue.name === name);
  if (found !== undefined) return found;
  const near = nearest(
    name,
    queues.map((queue) => queue.name),
  );
  const hint =
    near === null ? 'A queue appears when a task is put in it or a worker listens on it.' : `Did you mean "${near}"?`;
  throw taskFlowError('QUEUE_NOT_FOUND', { name }, { hint });
}

function unstored(name: string): QueueRecord {
  return { name, pause: null, max: null, rate: null, counts: {}, oldestDueAt: null };
}

function queueDocument(record: QueueRecord, workers: readonly WorkerRecord[], now: number): QueueDocument {
  const { name, pause, counts, oldestDueAt } = record;
  const listening = workers.filter((worker) => Object.hasOwn(worker.queues, name));
  return {
    name,
    state: pause === null ? 'active' : 'paused',
    pause: pauseDocument(pause),
    max: record.max,
    rate: record.rate,
    counts,
    waiting: counts.queued ?? 0,
    running: counts.running ?? 0,
    oldestWaitMs: oldestDueAt === null ? null : Math.max(0, now - oldestDueAt),
    workers: listening.length,
    slots: listening.reduce((sum, worker) => sum + (worker.queues[name] ?? 0), 0),
  };
}

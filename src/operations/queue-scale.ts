/** The operation that autoscalers ask: how much there is to do in a queue, and how many workers that is worth. */

import { checkName } from '../core/names.ts';
import type { Operation } from './operation.ts';
import { listQueues } from './queue.ts';
import type { ScaleQueueInput } from './schemas.ts';

export interface QueueScaleDocument {
  readonly name: string;
  readonly waiting: number;
  readonly running: number;
  /** Of living workers that listen on it, and how many they are. */
  readonly slots: number;
  readonly workers: number;
  readonly oldestWaitMs: number | null;
  /** Workers whose slots would take all that waits and runs; while the queue is paused what runs alone counts. */
  readonly wantedWorkers: number;
}

/** Slots of a worker where none listens and nobody says: those that a worker has by itself. */
const slotsDefault = 10;

/** A queue that nobody knows is one without work: whoever scales down to nothing goes on asking. */
export const queueScale: Operation<ScaleQueueInput, QueueScaleDocument> = {
  name: 'queue.scale',
  summary: 'Say how much there is to do in a queue, and how many workers that is worth',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/queues/:name/scale' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).scaleQueueInput,
  output: async () => (await import('./queue-output.ts')).queueScaleOutput,
  async run(context, { name, slots: given }) {
    checkName(name, 'queue');
    const found = (await listQueues(context)).find((queue) => queue.name === name);
    const { waiting = 0, running = 0, slots = 0, workers = 0, oldestWaitMs = null, max = null } = found ?? {};
    const open = found?.state === 'paused' ? running : waiting + running;
    const wanted = max === null ? open : Math.min(open, Math.max(max, running));
    const each = given ?? (workers === 0 || slots === 0 ? slotsDefault : slots / workers);
    return { name, waiting, running, slots, workers, oldestWaitMs, wantedWorkers: Math.ceil(wanted / each) };
  },
};

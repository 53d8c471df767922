/** The schemas of what operations on workers answer. */

import { z } from 'zod';
import { count, documentSchema, durationMs, time } from './output.ts';
import type { WorkerDocument, WorkerListDocument } from './worker.ts';
import type { WorkerRecordDocument } from './worker-control.ts';

export const command = z.union([
  z.strictObject({ kind: z.enum(['drain', 'resume', 'stack', 'restart']) }),
  z.strictObject({ kind: z.literal('scale'), concurrency: count }),
]);

const worker = {
  id: z.string(),
  name: z.string(),
  host: z.string(),
  pid: z.int(),
  version: z.string(),
  state: z.enum(['ready', 'draining', 'stopped', 'silent']),
  server: z.boolean(),
  services: z.boolean(),
  queues: z.record(z.string(), count),
  concurrency: count,
  running: count,
  tasks: z.array(z.string()),
  startedAt: time,
  beatAt: time,
  silentMs: durationMs,
  loopLagMs: durationMs.nullable(),
  blocked: z.strictObject({ forMs: durationMs, handlers: z.array(z.string()), at: z.string().nullable() }).nullable(),
  stall: z.strictObject({ forMs: durationMs, waiting: count.nullable(), agoMs: durationMs }).nullable(),
  commands: z.array(z.strictObject({ id: count, command })),
};

const workerOutput = documentSchema<WorkerDocument>()('ListedWorker', z.strictObject(worker));

export const workerListOutput = documentSchema<WorkerListDocument>()(
  'WorkerList',
  z.strictObject({ workers: z.array(workerOutput) }),
);

const stack = z.strictObject({
  answers: count,
  slots: z.array(
    z.strictObject({ taskId: z.string(), name: z.string(), ranMs: durationMs, doing: z.string().nullable() }),
  ),
  loop: z.strictObject({ blockedMs: durationMs, frames: z.array(z.string()) }).nullable(),
  at: time,
});

export const workerRecordOutput = documentSchema<WorkerRecordDocument>()(
  'Worker',
  z.strictObject({ ...worker, stack: stack.nullable() }),
);

/** The schemas of what operations on tasks answer. Loaded when they are needed, like those of the inputs. */

import { z } from 'zod';
import { errorCodes } from '../core/error-table.ts';
import { gateCodes } from '../core/explain.ts';
import type { EnqueueDocument } from './enqueue.ts';
import type { ManyEnqueuedDocument } from './enqueue-many.ts';
import { count, documentSchema, durationMs, next, rate, reason, state, time, view } from './output.ts';
import type {
  CancelDocument,
  ExplanationDocument,
  GateDocument,
  LogsDocument,
  RemovedDocument,
  RetryDocument,
  TaskListDocument,
} from './task.ts';
import type { ListedTaskDocument, LogDocument, RunDocument, TaskRecordDocument } from './task-document.ts';
import type { ResultDocument } from './task-result.ts';
import type { ResultsDocument } from './task-results.ts';

const id = z.string().describe('Id of a task');

export const taskError = z
  .strictObject({
    name: z.string(),
    message: z.string(),
    stack: z.string().nullable(),
    fingerprint: z.string().describe('Equal for failures of one kind'),
  })
  .meta({ id: 'TaskError' });

const progress = z.strictObject({ done: z.number(), total: z.number().nullable(), note: z.string().nullable() });

const summary = {
  id,
  name: z.string(),
  queue: z.string(),
  state,
  view,
  reason: reason.nullable(),
  priority: z.int(),
  attempt: count,
  attempts: count,
  generation: count,
  key: z.string().nullable(),
  tags: z.array(z.string()),
  schedule: z.strictObject({ name: z.string(), at: time }).nullable(),
  worker: z.string().nullable(),
  progress: progress.nullable(),
  error: taskError.nullable(),
  createdAt: time,
  dueAt: time,
  claimedAt: time.nullable(),
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
  startBy: time.nullable(),
  expiresAt: time.nullable(),
  cancelRequestedAt: time.nullable(),
  pruneAt: time.nullable(),
  timeoutMs: durationMs.nullable(),
  tookMs: durationMs.nullable(),
};

export const listedTask = documentSchema<ListedTaskDocument>()(
  'ListedTask',
  z.strictObject({ ...summary, preview: z.string() }),
);

export const taskListOutput = documentSchema<TaskListDocument>()(
  'TaskList',
  z.strictObject({ tasks: z.array(listedTask), next, scanned: z.enum(['all', 'newest']) }),
);

const limitRule = z.strictObject({ name: z.string(), max: z.int().nullable(), rate: rate.nullable() });

const relative = { id, name: z.string().nullable(), state: state.nullable() };

const run = documentSchema<RunDocument>()(
  'Run',
  z.strictObject({
    attempt: count,
    worker: z.string().nullable(),
    claimedAt: time,
    startedAt: time.nullable(),
    endedAt: time,
    to: state,
    reason: reason.nullable(),
    error: taskError.nullable(),
  }),
);

const timeline = z.array(z.strictObject({ at: time, kind: z.string(), text: z.string() }));

const details = {
  input: z.unknown(),
  result: z.unknown(),
  cancelReason: z.string().nullable(),
  crashes: count,
  interruptions: count,
  snoozes: count,
  version: count,
  group: z.string().nullable(),
  limits: z.array(limitRule),
  steps: z.array(z.strictObject({ name: z.string(), value: z.unknown() })),
};

export const taskRecordOutput = documentSchema<TaskRecordDocument>()(
  'Task',
  z.strictObject({
    ...summary,
    ...details,
    flow: z.string().nullable(),
    parents: z.array(z.strictObject({ ...relative, holdsBack: z.boolean() })),
    parentsLeft: count,
    children: z.array(z.strictObject(relative)),
    workerName: z.string().nullable(),
    runs: z.array(run),
    timeline,
  }),
);

export const resultOutput = documentSchema<ResultDocument>()(
  'Result',
  z.strictObject({
    id,
    name: z.string(),
    state,
    view,
    reason: reason.nullable(),
    finished: z.boolean(),
    result: z.unknown(),
    hasResult: z.boolean().describe('Whether the handler returned something'),
    error: taskError.nullable(),
    cancelReason: z.string().nullable(),
    hidden: z.boolean().describe('Whether values of `result` are hidden'),
    finishedAt: time.nullable(),
  }),
);

export const resultsOutput = documentSchema<ResultsDocument>()(
  'Results',
  z.strictObject({
    results: z.array(resultOutput),
    missing: z.array(z.string()).describe('Those that are not there, or in queues that the key does not reach'),
    left: z.array(z.string()).describe('Those that have ended and did not fit in: ask for them again'),
  }),
);

export const enqueueOutput = documentSchema<EnqueueDocument>()(
  'Enqueued',
  z.strictObject({
    id,
    name: z.string(),
    queue: z.string(),
    state: state.nullable(),
    created: z.boolean(),
    outcome: z.enum(['created', 'existing', 'duplicate', 'replaced']),
    replaced: z.string().nullable(),
    note: z.string().nullable(),
    result: resultOutput.nullable(),
  }),
);

export const enqueueManyOutput = documentSchema<ManyEnqueuedDocument>()(
  'EnqueuedMany',
  z.strictObject({
    tasks: z.array(
      z.strictObject({
        id: z.string().nullable(),
        outcome: z.enum(['created', 'existing', 'duplicate', 'replaced', 'conflict', 'refused']),
        problem: z.strictObject({ code: z.enum(errorCodes), message: z.string() }).nullable(),
      }),
    ),
    created: count,
    notes: z.array(z.string()),
  }),
);

export const cancelOutput = documentSchema<CancelDocument>()(
  'Cancelled',
  z.strictObject({ id, outcome: z.enum(['cancelled', 'requested']) }),
);

export const retryOutput = documentSchema<RetryDocument>()(
  'Retried',
  z.strictObject({ id, outcome: z.enum(['queued', 'blocked']), generation: count }),
);

export const removeOutput = documentSchema<RemovedDocument>()(
  'Removed',
  z.strictObject({ id, outcome: z.literal('removed') }),
);

const logLine = documentSchema<LogDocument>()(
  'LogLine',
  z.strictObject({
    at: time,
    level: z.enum(['debug', 'info', 'warn', 'error']),
    message: z.string(),
    fields: z.unknown(),
    epoch: count,
  }),
);

export const logsOutput = documentSchema<LogsDocument>()('Logs', z.strictObject({ id, logs: z.array(logLine) }));

export const gateOutput = documentSchema<GateDocument>()(
  'Gate',
  z.strictObject({
    code: z.enum(gateCodes),
    sentence: z.string(),
    holder: z.string().nullable(),
    earliestAt: time.nullable(),
    command: z.string().nullable(),
  }),
);

export const explainOutput = documentSchema<ExplanationDocument>()(
  'Explanation',
  z.strictObject({
    id,
    name: z.string(),
    view,
    summary: z.string(),
    gates: z.array(gateOutput),
    timeline,
  }),
);

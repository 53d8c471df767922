/** The schemas of what workers over HTTP are answered. */

import { z } from 'zod';
import type {
  ClaimAnswer,
  DeregisterAnswer,
  EnqueueTasksAnswer,
  HeartbeatReply,
  ListenAnswer,
  OutcomesAnswer,
  ParentsAnswer,
  RegisterAnswer,
} from '../core/worker-protocol.ts';
import { count, documentSchema, durationMs, rate, state, time } from './output.ts';
import { taskError } from './task-output.ts';
import { command } from './worker-output.ts';

const commands = z.array(z.strictObject({ id: count, command })).describe('What a person tells the worker, by id');
const ifExists = z.enum(['return', 'replace', 'debounce', 'error']);
const lease = z
  .strictObject({ id: z.string(), token: z.string(), epoch: count })
  .describe('The right to report on this run: sent back as it came');

const parent = z.strictObject({
  id: z.string(),
  name: z.string().nullable(),
  state: state.nullable(),
  hasResult: z.boolean(),
  result: z.unknown(),
  error: taskError.nullable(),
  leftOutBytes: count.nullable(),
});

const claimedTask = z
  .strictObject({
    id: z.string(),
    lease,
    name: z.string(),
    queue: z.string(),
    input: z.unknown(),
    idempotencyKey: z.string(),
    attempt: count,
    attempts: count,
    generation: count,
    runMs: durationMs.nullable(),
    boundByLife: z.boolean(),
    timeoutMs: durationMs.nullable(),
    steps: z.array(z.strictObject({ name: z.string(), value: z.unknown(), isEmpty: z.boolean() })),
    parents: z.array(parent),
    priority: z.int(),
    key: z.string().nullable(),
    keyForMs: durationMs.nullable(),
    ifExists,
    group: z.string().nullable(),
    limits: z.array(z.strictObject({ name: z.string(), max: z.number().nullable(), rate: rate.nullable() })),
    tags: z.array(z.string()),
    flowId: z.string().nullable(),
    dependsOn: z.array(z.strictObject({ id: z.string(), onFailure: z.enum(['fail', 'cancel', 'ignore']) })),
    traceparent: z.string().nullable(),
    tracestate: z.string().nullable(),
    firedBy: z.strictObject({ schedule: z.string(), input: z.enum(['stored', 'made']), at: time }).nullable(),
    schemaVersion: z.string().nullable(),
    policy: z.unknown(),
    keepMs: durationMs,
    strictCancel: z.boolean(),
    version: count,
    crashes: count,
    interruptions: count,
    snoozes: count,
    progress: z
      .strictObject({ done: z.number(), total: z.number().nullable(), note: z.string().nullable() })
      .nullable(),
    createdAt: time,
    dueAt: time,
    claimedAt: time,
    expiresAt: time.nullable(),
  })
  .meta({ id: 'ClaimedTask' });

export const registerOutput = documentSchema<RegisterAnswer>()(
  'RegisteredWorker',
  z.strictObject({
    id: z.string(),
    now: time,
    leaseMs: durationMs,
    beatMs: durationMs,
    waitMaxMs: durationMs,
    commands,
  }),
);

export const claimOutput = documentSchema<ClaimAnswer>()(
  'ClaimedTasks',
  z.strictObject({ tasks: z.array(claimedTask) }),
);

export const heartbeatOutput = documentSchema<HeartbeatReply>()(
  'HeartbeatAnswer',
  z.strictObject({ now: time, answers: z.array(z.enum(['ok', 'cancel', 'lost'])), commands }),
);

export const listenOutput = documentSchema<ListenAnswer>()(
  'WorkerNews',
  z.strictObject({ cancel: z.array(z.string()), commands: z.boolean() }),
);

export const outcomesOutput = documentSchema<OutcomesAnswer>()(
  'OutcomesAnswer',
  z.strictObject({
    results: z.array(
      z.strictObject({
        id: z.string(),
        result: z.enum(['applied', 'alreadyApplied', 'diverted', 'stale', 'unknown']),
        to: state.nullable(),
        code: z.enum(['LEASE_LOST', 'TASK_NOT_FOUND']).nullable().describe('Why nothing of it was stored'),
      }),
    ),
    tasks: z.array(claimedTask),
  }),
);

export const enqueueTasksOutput = documentSchema<EnqueueTasksAnswer>()(
  'EnqueuedTasks',
  z.strictObject({
    results: z.array(
      z.strictObject({
        id: z.string(),
        outcome: z.enum(['created', 'existing', 'duplicate', 'replaced', 'conflict']),
        of: z.string().nullable(),
        state: state.nullable(),
      }),
    ),
  }),
);

export const parentsOutput = documentSchema<ParentsAnswer>()('Parents', z.strictObject({ parents: z.array(parent) }));

export const deregisterOutput = documentSchema<DeregisterAnswer>()('DeregisteredWorker', z.strictObject({ now: time }));

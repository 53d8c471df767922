/** The schemas of what workers over HTTP send. Loaded when they are needed, like all schemas of inputs. */

import { type ZodType, z } from 'zod';
import { isId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { problemOfName } from '../core/names.ts';
import { tracestateMax } from '../core/traceparent.ts';
import type {
  ClaimMessage,
  DefinitionMessage,
  DeregisterMessage,
  EnqueueTasksMessage,
  HeartbeatMessage,
  ListenMessage,
  OutcomeMessage,
  OutcomesMessage,
  ParentsMessage,
  RegisterMessage,
} from '../core/worker-protocol.ts';

const text = (max: number) => z.string().min(1).max(max);
const whole = (min: number, max: number) => z.int().min(min).max(max);
/** Measured times come with fractions. */
const ms = z.number().min(0).max(limits.durationMaxMs);
const wholeMs = whole(0, limits.durationMaxMs);
const taskId = z.string().refine(isId, 'it is not the id of a task');
const name = text(limits.nameMax);
const key = text(limits.keyMax);
const time = z.iso.datetime({ offset: true });
const workerId = text(limits.workerIdMax).describe('The id the worker has chosen for itself');

const slots = z
  .record(name, whole(0, limits.concurrencyMax))
  .refine((queues) => Object.keys(queues).length <= limits.queuesPerWorkerMax, {
    error: `at most ${limits.queuesPerWorkerMax} queues are allowed`,
  })
  // No task of anybody is in a queue with another name; those of bulk operations are.
  .superRefine((queues, context) => {
    for (const queue of Object.keys(queues)) {
      const message = problemOfName(queue);
      if (message !== null) context.addIssue({ code: 'custom', path: [queue], message });
    }
  })
  .describe('Slots by queue');
const leaseMs = whole(limits.leaseMinMs, limits.leaseMaxMs)
  .optional()
  .describe(`How long the leases last; ${limits.leaseMs} when left out`);

const worker = z.strictObject({
  id: workerId,
  name: name.optional().describe('Shown to people'),
  version: z.string().max(100).optional(),
  host: z.string().max(255).optional(),
  pid: whole(0, 2 ** 31 - 1).optional(),
  bootId: z.string().max(200).nullable().optional(),
  queues: slots.optional(),
  concurrency: whole(0, limits.concurrencyMax).optional(),
  running: whole(0, limits.concurrencyMax).optional(),
  state: z.enum(['ready', 'draining']).optional(),
  tasks: z.array(name).max(limits.definitionsMax).optional().describe('Names of the tasks it can run'),
  loopLagMs: ms.optional(),
  blocked: z
    .strictObject({ forMs: ms, handlers: z.array(name).max(1_000), at: z.string().max(2_000).nullable() })
    .optional(),
  stall: z.strictObject({ forMs: ms, waiting: whole(0, 2 ** 53 - 1).nullable(), agoMs: ms }).optional(),
});

const policy = z
  .strictObject({
    attempts: whole(1, limits.attemptsMax),
    backoff: z.enum(['fixed', 'exponential']),
    delayMs: wholeMs,
    factor: z.number().min(1).max(limits.backoffFactorMax),
    maxMs: wholeMs,
    jitter: z.enum(['equal', 'full', 'none']),
    keepSucceededMs: wholeMs,
    keepFailedMs: wholeMs,
    strictCancel: z.boolean(),
    isolate: z.enum(['none', 'process']),
    redact: z.array(z.string().max(limits.redactPathMax)).max(limits.redactPathsMax).nullable(),
  })
  .partial();
const rate = z.strictObject({ count: whole(1, limits.rateCountMax), perMs: whole(1, limits.ratePeriodMaxMs) });
const most = whole(1, limits.limitSlotsMax);
const template = text(limits.templateMax);
const ifExists = z.enum(['return', 'replace', 'debounce', 'error']);

const definition: ZodType<DefinitionMessage> = z.strictObject({
  name,
  description: z.string().max(1_000).nullable().optional(),
  queue: name.optional().describe('Where its tasks go when nobody says; default when left out'),
  inputSchema: z.unknown().optional().describe('JSON Schema of the input'),
  schemaVersion: z.string().max(100).nullable().optional(),
  policy: policy.optional().describe('What differs from the defaults: { "attempts": 3 }'),
  timeoutMs: whole(1, limits.durationMaxMs).nullable().optional(),
  key: template.nullable().optional(),
  keyForMs: whole(1, limits.durationMaxMs).nullable().optional(),
  ifExists: ifExists.optional(),
  group: template.nullable().optional(),
  limits: z
    .array(z.strictObject({ key: template.nullable(), max: most.nullable(), rate: rate.nullable() }))
    .max(limits.limitsPerTaskMax)
    .optional(),
  schedules: z.array(name).max(1_000).optional(),
  isFlow: z.boolean().optional(),
  file: z.string().max(1_000).nullable().optional(),
});
const definitions = z
  .array(definition)
  .max(limits.definitionsMax)
  .optional()
  .describe('The tasks it can run; what it said before stays where it is left out');

const lease = z.strictObject({
  id: taskId,
  token: text(limits.claimTokenMax),
  epoch: whole(0, 2 ** 53 - 1),
});
const leaseExample = { id: '01K8Q2M4ZJF0C9YF4V7Z0B2HNX', token: 'c0ffee5eed0123456789', epoch: 1 };
const progress = z
  .strictObject({ done: z.number(), total: z.number().nullable().optional(), note: z.string().nullable().optional() })
  .nullable()
  .optional();
/** Longer lines are cut, not refused: what is written about the work must not fail it. */
const logs = z
  .array(
    z.strictObject({
      at: time.optional(),
      level: z.enum(['debug', 'info', 'warn', 'error']).optional(),
      message: z.string(),
      fields: z.unknown().optional(),
    }),
  )
  .max(limits.logLinesMax)
  .optional();
const ranMs = ms.nullable().optional().describe('How long its handler has run; null while it has not begun');

const beat = z.strictObject({
  lease,
  ranMs,
  progress,
  logs,
  steps: z
    .array(z.strictObject({ name: text(limits.nameMax), value: z.unknown().optional() }))
    .max(limits.stepsMax)
    .optional()
    .describe('Steps to remember for later runs'),
});
const stack = z.strictObject({
  answers: whole(0, 2 ** 53 - 1),
  slots: z
    .array(z.strictObject({ taskId, name, ranMs: ms, doing: z.string().max(1_000).nullable() }))
    .max(limits.stackSlotsMax),
  loop: z
    .strictObject({
      blockedMs: ms,
      frames: z.array(z.string().max(limits.errorLineMax)).max(limits.errorFramesMax),
    })
    .nullable(),
});

const dependencies = z
  .array(z.strictObject({ id: taskId, onFailure: z.enum(['fail', 'cancel', 'ignore']) }))
  .max(limits.dependenciesMax);
const newTask = z.strictObject({
  id: taskId,
  name,
  queue: name,
  input: z.unknown(),
  schemaVersion: z.string().max(100).nullable(),
  priority: whole(0, limits.priorityMax),
  delayMs: wholeMs,
  at: time.nullable(),
  startWithinMs: whole(1, limits.durationMaxMs).nullable(),
  expiresInMs: whole(1, limits.durationMaxMs).nullable(),
  timeoutMs: whole(1, limits.durationMaxMs).nullable(),
  policy,
  keepMs: wholeMs,
  strictCancel: z.boolean(),
  group: key.nullable(),
  limits: z
    .array(z.strictObject({ name: key, max: most.nullable(), rate: rate.nullable() }))
    .max(limits.limitsPerTaskMax),
  key: key.nullable(),
  keyForMs: whole(1, limits.durationMaxMs).nullable(),
  ifExists,
  dependsOn: dependencies,
  blocks: dependencies,
  flowId: taskId.nullable(),
  tags: z.array(name).max(limits.tagsMax),
  traceparent: z.string().max(100).nullable(),
  tracestate: z.string().max(tracestateMax).nullable().optional(),
});

const newTaskExample = {
  id: leaseExample.id,
  name: 'image.publish',
  queue: 'images',
  input: { file: 'a.png' },
  schemaVersion: null,
  priority: 5,
  delayMs: 0,
  at: null,
  startWithinMs: null,
  expiresInMs: null,
  timeoutMs: 60_000,
  policy: { attempts: 5 },
  keepMs: 259_200_000,
  strictCancel: false,
  group: null,
  limits: [],
  key: null,
  keyForMs: null,
  ifExists: 'return',
  dependsOn: [],
  blocks: [],
  flowId: null,
  tags: [],
  traceparent: null,
};

const error = z.strictObject({
  name: z.string().optional(),
  message: z.string(),
  stack: z.string().nullable().optional(),
});
const report = {
  lease,
  ranMs,
  progress,
  logs,
  spawn: z.array(newTask).max(limits.batchMax).optional().describe('Tasks that come into being with a success'),
};
const ends = z.discriminatedUnion('outcome', [
  z.strictObject({ ...report, outcome: z.literal('done'), result: z.unknown().optional() }),
  z.strictObject({
    ...report,
    outcome: z.literal('error'),
    error,
    retryable: z.boolean().optional(),
    retryAfterMs: ms.nullable().optional(),
  }),
  z.strictObject({ ...report, outcome: z.enum(['giveUp', 'crashed', 'undecodable']), error }),
  z.strictObject({
    ...report,
    outcome: z.literal('timedOut'),
    error: error.optional(),
    byLife: z.boolean().optional(),
  }),
  z.strictObject({ ...report, outcome: z.literal('snooze'), delayMs: ms }),
  z.strictObject({ ...report, outcome: z.enum(['aborted', 'released', 'waits', 'unknownTask']) }),
]);
const done = { lease: leaseExample, outcome: 'done', ranMs: 1_800, result: { width: 64 } };
const outcome: ZodType<OutcomeMessage> = ends.meta({ examples: [done] });

const claim = {
  token: z
    .string()
    .min(limits.claimTokenMin)
    .max(limits.claimTokenMax)
    .describe('Random, and new for every claim; the same again answers the same tasks')
    .meta({ examples: [leaseExample.token] }),
  queues: slots,
  limit: whole(0, limits.batchMax).optional().describe('At most so many in all'),
  leaseMs,
};

export const registerInput: ZodType<RegisterMessage> = z.strictObject({ worker, definitions });

export const claimInput: ZodType<ClaimMessage> = z.strictObject({
  worker: workerId,
  ...claim,
  waitMs: whole(0, limits.claimWaitMaxMs).optional().describe('How long to wait for the first task'),
});

export const heartbeatInput: ZodType<HeartbeatMessage> = z.strictObject({
  worker,
  definitions,
  leaseMs,
  beats: z.array(beat).max(limits.batchMax).optional(),
  heard: whole(0, 2 ** 53 - 1)
    .optional()
    .describe('The highest id of the commands that were heard'),
  stack: stack.optional(),
});

export const listenInput: ZodType<ListenMessage> = z.strictObject({
  worker: workerId,
  waitMs: whole(0, limits.claimWaitMaxMs).optional().describe('How long to wait; as long as may be when left out'),
});

export const outcomesInput: ZodType<OutcomesMessage> = z.strictObject({
  worker: workerId,
  outcomes: z.array(outcome).max(limits.batchMax),
  claim: z.strictObject(claim).optional().describe('Claimed once the outcomes are stored'),
});

export const enqueueTasksInput: ZodType<EnqueueTasksMessage> = z.strictObject({
  worker: workerId,
  tasks: z
    .array(newTask)
    .min(1)
    .max(limits.batchMax)
    .describe('Complete, as for `spawn`; all of them are stored or none')
    .meta({ examples: [[newTaskExample]] }),
});

export const parentsInput: ZodType<ParentsMessage> = z.strictObject({
  worker: workerId,
  lease: lease.meta({ examples: [leaseExample] }),
  ids: z
    .array(taskId)
    .min(1)
    .max(limits.parentsFetchMax)
    .describe('Tasks that the leased one waited for')
    .meta({ examples: [[leaseExample.id]] }),
});

export const deregisterInput: ZodType<DeregisterMessage> = z.strictObject({ worker });

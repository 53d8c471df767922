/** The schemas of the operations' inputs. Loaded lazily: nothing else in this folder may import zod's values. */

import { z } from 'zod';
import { keyKinds, roles, scopes } from '../core/access.ts';
import { isId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';

export const text = (max: number) => z.string().min(1).max(max);
export const duration = z.union([z.string().max(40), z.number()], {
  error: "must be a duration such as '30s' or milliseconds",
});
export const taskId = z.string().max(100);

const retry = z.union([
  z.int().min(1).max(limits.attemptsMax),
  z.strictObject({
    attempts: z.int().min(1).max(limits.attemptsMax).optional(),
    backoff: z.enum(['fixed', 'exponential']).optional(),
    delay: duration.optional(),
    factor: z.number().min(1).max(1_000).optional(),
    max: duration.optional(),
    jitter: z.enum(['equal', 'full', 'none']).optional(),
  }),
]);

const most = z.int().min(1).max(limits.limitSlotsMax);
export const rate = z.strictObject({ limit: z.int().min(1).max(limits.rateCountMax), per: duration });
export const taskLimit = z.strictObject({ name: text(limits.keyMax), max: most.optional(), rate: rate.optional() });

export const priority = z
  .union([z.string().max(20), z.number()])
  .describe('urgent, high, normal, low, or 0 (first) to 9 (last)');

const wait = duration
  .optional()
  .describe('Wait this long for the end of the task; over HTTP also `Prefer: wait=10`, in seconds');

export const enqueueInput = z.strictObject({
  name: text(limits.nameMax).describe('Name of the task'),
  input: z.unknown().optional().describe('Its input, any JSON; {} when left out'),
  id: taskId.optional().describe('Makes the call repeatable: the same id and body is one task'),
  queue: text(limits.nameMax).optional().describe('That of the definition when left out, or default'),
  priority: priority.optional(),
  delay: duration.optional().describe('Wait this long before the first run'),
  at: z.string().max(40).optional().describe('Do not run before this time'),
  startWithin: duration.optional().describe('Cancel it as expired when it has not begun this long after it was due'),
  expiresIn: duration.optional().describe('Cancel it as expired when it has not finished in this time'),
  timeout: duration.nullable().optional().describe('Longest run; null is none'),
  retry: retry.optional().describe('How many runs in all, or also the delays between them'),
  key: text(limits.keyMax).optional().describe('Unique among unfinished tasks'),
  traceparent: z.string().max(100).optional().describe('W3C trace context of the caller'),
  keyFor: duration.optional().describe('Keep the key this long after success'),
  ifExists: z
    .enum(['return', 'replace', 'debounce', 'error'])
    .optional()
    .describe('What is done when another task holds the key; return when left out'),
  group: text(limits.keyMax).optional().describe('Takes turns with the other groups of its queue'),
  limits: z.array(taskLimit).max(limits.limitsPerTaskMax).optional().describe('Limits beside those of the definition'),
  tags: z.array(text(limits.nameMax)).max(limits.tagsMax).optional().describe('Words to find it by'),
  dependsOn: z
    .array(z.union([taskId, z.strictObject({ task: taskId, onFailure: z.enum(['fail', 'cancel', 'ignore']) })]))
    .max(limits.dependenciesMax)
    .optional()
    .describe(
      'Ids of tasks it waits for; { task, onFailure } says what a failure of one means: fail, cancel or ignore',
    ),
  wait,
});

/** One of many: nobody waits for a thousand results. */
export const enqueueItem = enqueueInput.omit({ wait: true });
export const enqueueManyInput = z.strictObject({
  tasks: z
    .array(enqueueItem)
    .min(1)
    .max(limits.batchMax)
    .meta({
      examples: [
        [
          { name: 'email.welcome', input: { userId: 'ada' } },
          { name: 'email.welcome', input: { userId: 'bob' }, delay: '5m', priority: 'low' },
        ],
      ],
    }),
  partial: z
    .boolean()
    .optional()
    .describe(
      'Store what is well though others are wrong; when it is left out, one that is wrong keeps all from being stored',
    ),
});

const pageAfter = z
  .string()
  .refine(isId, 'it is not the `next` of a page')
  .optional()
  .describe('The `next` of the page before');
/** For pages that are told to go on by one row more than they show. */
const limitBelow = z.coerce
  .number()
  .int()
  .min(1)
  .max(limits.pageMax - 1)
  .optional();
export const listInput = z.strictObject({
  q: z.string().max(limits.filterMax).optional().describe('A filter: state:failed name:email.* since:6h'),
  limit: z.coerce.number().int().min(1).max(limits.pageMax).optional(),
  after: pageAfter,
});

export const listFlowsInput = z.strictObject({
  limit: limitBelow,
  after: pageAfter,
});
export const taskInput = z.strictObject({ id: taskId });
export const cancelInput = z.strictObject({ id: taskId, reason: z.string().max(limits.errorMessageMax).optional() });
export const resultInput = z.strictObject({ id: taskId, wait });
export const resultsInput = z.strictObject({
  ids: text(limits.resultsMax * 40).describe(
    'Ids of tasks, with commas between them; one that is there twice counts once',
  ),
  wait,
});
export const logsInput = z.strictObject({ id: taskId, level: z.enum(['debug', 'info', 'warn', 'error']).optional() });
export const queueInput = z.strictObject({ name: text(limits.nameMax) });
export const scheduleInput = z.strictObject({ name: text(limits.nameMax) });
export const scheduleListInput = z.strictObject({
  limit: z.coerce.number().int().min(1).max(limits.pageMax).optional(),
  after: text(limits.nameMax).optional().describe('The `next` of the page before'),
});
export const nextInput = z.strictObject({
  name: text(limits.nameMax),
  count: z.coerce.number().int().min(1).max(100).optional(),
});
const time = z.string().min(1).max(60);
export const scheduleRunInput = z.strictObject({
  name: text(limits.nameMax),
  at: time.optional().describe('The time the task is told; the same time again is the same task. Now when left out'),
});
export const backfillInput = z.strictObject({
  name: text(limits.nameMax),
  from: time.describe('A time in ISO 8601, or how long ago: 7d'),
  until: time.optional().describe('Without it; now when left out'),
  dryRun: z.union([z.boolean(), z.stringbool()]).optional().describe('Count the times and do nothing'),
});
export const pauseInput = z.strictObject({
  name: text(limits.nameMax),
  reason: z.string().max(limits.errorMessageMax).optional(),
});
export const workerInput = z.strictObject({
  id: text(limits.nameMax).describe('Its id, the beginning of it, or its name'),
});
export const scaleInput = workerInput.extend({ concurrency: z.int().min(1).max(limits.concurrencyMax) });
const key = text(limits.keyMax);
const rules = {
  max: most.nullable().optional().describe('Tasks that may run at once; null takes the setting away'),
  rate: rate.nullable().optional().describe('Starts in a time; null takes the setting away'),
};
export const queueLimitInput = z.strictObject({ name: text(limits.nameMax), ...rules });
export const limitInput = z.strictObject({ name: key, ...rules });
export const keyInput = z.strictObject({ name: key });
export const pauseKeyInput = z.strictObject({ name: key, reason: z.string().max(limits.errorMessageMax).optional() });
export const weightInput = z.strictObject({
  name: key,
  weight: z.int().min(1).max(limits.groupWeightMax).nullable().describe('1 where it is null'),
});
export const namesInput = z.strictObject({
  from: key.optional().describe('The `next` of the page before'),
  limit: limitBelow,
});
const pattern = z
  .string()
  .min(1)
  .max(limits.nameMax)
  .describe('A name of a queue, in which * stands for any characters');
export const newTokenInput = z
  .strictObject({
    label: text(limits.nameMax).describe('What it is for: it is shown wherever somebody acts with it'),
    role: z.enum(roles).optional().describe('For people: what the role may; viewer when nothing is said'),
    scopes: z.array(z.enum(scopes)).min(1).max(scopes.length).optional().describe('For programs, in place of a role'),
    queues: z
      .array(pattern)
      .min(1)
      .max(limits.queuePatternsMax)
      .optional()
      .describe('Queues it reaches, such as email.*; all when left out'),
    rate: rate
      .nullable()
      .optional()
      .describe('Requests that it may make in a time, on each server; what that lets every key make when left out'),
    expiresIn: duration.nullable().optional().describe('How long it is good; null is until it is revoked'),
    kind: z.enum(keyKinds).optional().describe('The first letters of it; told by what it may when left out'),
  })
  .refine(({ role, scopes: given }) => role === undefined || given === undefined, {
    error: 'name a role or scopes, not both',
    path: ['scopes'],
  });
export const keyIdInput = z.strictObject({ id: z.string().min(1).max(60) });
export const idPageInput = z.strictObject({
  after: z.string().max(60).optional().describe('The `next` of the page before'),
  limit: limitBelow,
});
const instant = z.iso.datetime({ offset: true, error: 'must be a time such as 2026-11-26T09:00:00Z' });
export const auditInput = z.strictObject({
  who: z.string().min(1).max(limits.nameMax).optional().describe('The name of who did it'),
  operation: z.string().min(1).max(limits.nameMax).optional().describe('Such as queue.pause'),
  from: instant.optional().describe('Not before this time'),
  to: instant.optional().describe('Before this time'),
  after: z.string().max(60).optional().describe('The `next` of the page before'),
  limit: limitBelow,
});
export const nothing = z.strictObject({});
const minutes = z.coerce
  .number()
  .int()
  .min(1)
  .max(limits.statsMinutesMax)
  .optional()
  .describe('So many; 60 when left out');
export const depthInput = z.strictObject({
  minutes,
  queue: text(limits.nameMax).optional(),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(limits.statsRowsMax)
    .optional()
    .describe('Rows of one page, in whole minutes'),
  after: time.optional().describe('The `next` of the page before'),
});
export const statsInput = depthInput
  .extend({
    minutes: z.coerce
      .number()
      .int()
      .min(1)
      .max(limits.statsHoursMinutesMax)
      .optional()
      .describe('So many; 60 when left out, and a day in steps of an hour'),
    name: text(limits.nameMax).optional().describe('Of this task only'),
    step: z.enum(['minute', 'hour']).optional().describe('What a row is of; minute when left out'),
  })
  .refine(({ minutes: asked = 0, step }) => step === 'hour' || asked <= limits.statsMinutesMax, {
    error: `more than ${limits.statsMinutesMax} minutes are told by the hour only: add step=hour`,
    path: ['minutes'],
  });
export const peekQueueInput = queueInput.extend({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(limits.peekMax)
    .optional()
    .describe('At most so many tasks; 20 when left out'),
});
export const scaleQueueInput = queueInput.extend({
  slots: z.coerce
    .number()
    .int()
    .min(1)
    .max(limits.concurrencyMax)
    .optional()
    .describe('Slots of one worker; those of the workers that listen when left out'),
});
export const activityInput = z.strictObject({ minutes });
export const signsInput = z.strictObject({
  wait: z
    .union([z.boolean(), z.stringbool()])
    .optional()
    .describe('Whether to wait for a look where no signs are at hand; yes when left out'),
});

export const metricsInput = z.strictObject({
  minutes: z.coerce.number().int().min(1).max(1_440).optional().describe('So many; 5 when left out'),
});

export type EnqueueInput = z.output<typeof enqueueInput>;
export type EnqueueManyInput = z.output<typeof enqueueManyInput>;
export type ListInput = z.output<typeof listInput>;
export type ListFlowsInput = z.output<typeof listFlowsInput>;
export type TaskInput = z.output<typeof taskInput>;
export type CancelInput = z.output<typeof cancelInput>;
export type ResultInput = z.output<typeof resultInput>;
export type ResultsInput = z.output<typeof resultsInput>;
export type LogsInput = z.output<typeof logsInput>;
export type QueueInput = z.output<typeof queueInput>;
export type PauseInput = z.output<typeof pauseInput>;
export type ScheduleInput = z.output<typeof scheduleInput>;
export type ScheduleListInput = z.output<typeof scheduleListInput>;
export type NextInput = z.output<typeof nextInput>;
export type ScheduleRunInput = z.output<typeof scheduleRunInput>;
export type BackfillInput = z.output<typeof backfillInput>;
export type WorkerInput = z.output<typeof workerInput>;
export type ScaleInput = z.output<typeof scaleInput>;
export type QueueLimitInput = z.output<typeof queueLimitInput>;
export type LimitInput = z.output<typeof limitInput>;
export type KeyInput = z.output<typeof keyInput>;
export type PauseKeyInput = z.output<typeof pauseKeyInput>;
export type WeightInput = z.output<typeof weightInput>;
export type NamesInput = z.output<typeof namesInput>;
export type NewTokenInput = z.output<typeof newTokenInput>;
export type KeyIdInput = z.output<typeof keyIdInput>;
export type IdPageInput = z.output<typeof idPageInput>;
export type AuditInput = z.output<typeof auditInput>;
export type Nothing = z.output<typeof nothing>;
export type StatsInput = z.output<typeof statsInput>;
export type PeekQueueInput = z.output<typeof peekQueueInput>;
export type ScaleQueueInput = z.output<typeof scaleQueueInput>;
export type ActivityInput = z.output<typeof activityInput>;
export type SignsInput = z.output<typeof signsInput>;
export type MetricsInput = z.output<typeof metricsInput>;
export type DepthInput = z.output<typeof depthInput>;

export const liveInput = z.strictObject({
  topics: z
    .string()
    .min(1)
    .max(limits.liveTopicsMax * (limits.nameMax + 10))
    .describe('Comma-separated: counts, worker, all, queue:<name>, task:<id>')
    .meta({ examples: ['counts,queue:email'] }),
  after: z.string().max(120).optional().describe('The cursor of the last message that was heard; now when left out'),
});
export type LiveInput = z.infer<typeof liveInput>;

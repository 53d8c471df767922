/** Finished tasks as a system has them after 90 days: many names in some queues, most of them fine, bursts of the same few errors. */

import { pack } from './random.ts';

/** How many task names, and in how many queues. */
const names = 200;
const queues = 20;
const fingerprints = 300;
const days = 90;
const dayMs = 86_400_000;

/** Columns of `tasks` in the order of {@link taskRow}; all others are as the schema has them. */
export const taskColumns = [
  'id',
  'queue',
  'name',
  'state',
  'reason',
  'priority',
  'version',
  'epoch',
  'attempt',
  'generation',
  'crashes',
  'interruptions',
  'snoozes',
  'due_at',
  'created_at',
  'claimed_at',
  'started_at',
  'finished_at',
  'prune_at',
  'worker_id',
  'keep_ms',
  'key',
  'fingerprint',
  'options',
  'policy',
  'error',
  'result',
  'payload',
] as const;

export type TaskState = 'succeeded' | 'failed' | 'cancelled';

export interface BuiltTask {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly state: TaskState;
  readonly finishedAt: number;
  readonly waitMs: number;
  readonly runMs: number;
  readonly flowId: string | null;
  /** Ended runs beside the last one. */
  readonly retries: number;
  readonly row: readonly (string | number | null)[];
}

const policy =
  '{"attempts":5,"backoff":{"kind":"exponential","delayMs":1000,"factor":2,"maxMs":3600000,"jitter":"equal"},"keep":{"succeeded":259200000,"failed":2592000000}}';
const errorNames = ['TypeError', 'TimeoutError', 'ConnectionError', 'ValidationError'];

/** The task of a number among so many, the oldest first; the last one was created at `endAt`. */
export function builtTask(number: number, total: number, endAt: number): BuiltTask {
  const random = pack(number);
  const createdAt = Math.floor(endAt - days * dayMs + (number / total) * days * dayMs);
  // A few names have most of the tasks, as it is everywhere: the last one has one in some thousands.
  const nameAt = Math.floor(names * random.share() ** 3);
  const [name, queue] = [
    `${areas[nameAt % areas.length]}.${verbs[nameAt % verbs.length]}.${nameAt}`,
    `queue-${nameAt % queues}`,
  ];
  const drawn = random.share();
  const state: TaskState = drawn < 0.02 ? 'failed' : drawn < 0.03 ? 'cancelled' : 'succeeded';
  const waitMs = Math.floor(20 + 5_000 * random.share() ** 4);
  const runMs = Math.floor(5 + 60_000 * random.share() ** 6);
  const finishedAt = createdAt + waitMs + runMs;
  const retries = state === 'failed' ? 4 : random.share() < 0.03 ? 1 : 0;
  const id = random.id(createdAt);
  const kind = Math.floor(fingerprints * random.share() ** 2);
  const user = Math.floor(random.share() * 50_000);
  const flowId = random.share() < 0.02 ? random.id(createdAt - 5) : null;
  const tags = [...(random.share() < 0.1 ? ['red'] : []), ...(random.share() < 0.0001 ? ['vip'] : [])];
  const error = state === 'failed' ? errorOf(kind, user) : null;
  const row = [
    id,
    queue,
    name,
    state,
    state === 'failed' ? 'error' : state === 'cancelled' ? 'user' : null,
    number % 50 === 0 ? 2 : 5,
    2 + 2 * retries,
    1 + retries,
    1 + retries,
    1,
    0,
    0,
    0,
    createdAt,
    createdAt,
    createdAt + waitMs,
    createdAt + waitMs + 1,
    finishedAt,
    // All are still kept: what is past its time is removed by another measurement.
    finishedAt + 400 * dayMs,
    `worker-${number % 40}`,
    400 * dayMs,
    random.share() < 0.05 ? `order:${number}` : null,
    error === null ? null : fingerprintOf(kind),
    optionsOf(flowId, tags),
    policy,
    error,
    state === 'succeeded' ? `{"ok":true,"bytes":${runMs}}` : null,
    `{"user":{"id":${user},"plan":"${user % 100 === 0 ? 'enterprise' : 'free'}"},"subject":"Hello ${number}","template":"welcome","to":["someone@example.com"]}`,
  ];
  return { id, queue, name, state, finishedAt, waitMs, runMs, flowId, retries, row };
}

function optionsOf(flowId: string | null, tags: readonly string[]): string | null {
  if (flowId === null && tags.length === 0) return null;
  return JSON.stringify({ ...(flowId && { flowId }), ...(tags.length > 0 && { tags }) });
}

function errorOf(kind: number, user: number): string {
  return JSON.stringify({
    name: errorNames[kind % 4],
    message: `Request ${user} to upstream ${kind} failed: connection reset`,
    stack: 'Error\n    at run (file:///app/tasks/mail.ts:12:9)',
    fingerprint: fingerprintOf(kind),
  });
}

const areas = ['mail', 'invoice', 'image', 'report', 'sync', 'webhook', 'search', 'export'];
const verbs = ['send', 'render', 'index', 'push', 'clean'];

export function fingerprintOf(kind: number): string {
  return (kind * 2_654_435_761).toString(16).padStart(12, '0').slice(0, 12);
}

/** The name that has fewest tasks, one that has many, and the queues of both. */
export const rareName = { name: nameOf(names - 1), queue: `queue-${(names - 1) % queues}` };
export const commonName = { name: nameOf(0), queue: 'queue-0' };

function nameOf(at: number): string {
  return `${areas[at % areas.length]}.${verbs[at % verbs.length]}.${at}`;
}

/** Inputs of every operation that its world can answer. A new operation brings its own: the type of the table asks for them. */

import type { LeaseMessage, NewTaskMessage, ParentsMessage } from '../../src/core/worker-protocol.ts';
import { accessOf } from '../../src/operations/access-of.ts';
import { operationCreate } from '../../src/operations/bulk.ts';
import { workerClaim, workerOutcome } from '../../src/operations/http-worker.ts';
import { type OperationContext, perform } from '../../src/operations/operation.ts';
import type { InputOf, OperationName } from '../../src/operations/registry.ts';
import { sampleId } from '../conformance/samples.ts';
import type { OperationWorld } from './operation-world.ts';

const httpWorker = { id: 'py-1', queues: { default: 5 } };

type Samples<Name extends OperationName> = (
  world: OperationWorld,
) => readonly InputOf<Name>[] | Promise<readonly InputOf<Name>[]>;

export const operationSamples: { readonly [Name in OperationName]: Samples<Name> } = {
  'task.enqueue': () => [
    { name: 'mail.send', input: { to: 'ada' } },
    { name: 'mail.send', id: sampleId(60), delay: '5s' },
    { name: 'mail.send', id: sampleId(60), delay: '5s' },
    { name: 'mail.send', key: 'k' },
    { name: 'mail.send', key: 'k', ifExists: 'replace' },
    { name: 'mail.send', key: 'k', ifExists: 'return', wait: '1s' },
  ],
  'task.enqueue-many': ({ tasks }) => [
    {
      tasks: [
        { name: 'mail.send' },
        { name: 'mail.send', input: { to: 'ada' }, key: 'k' },
        { name: 'mail.send', key: 'k' },
      ],
    },
    {
      tasks: [
        { name: 'mail.send', id: 'nonsense' },
        { name: 'mail.send', id: tasks.queued, input: 7 },
      ],
      partial: true,
    },
  ],
  'task.list': () => [{}, { limit: 1 }, { q: 'state:failed' }],
  'task.get': ({ tasks }) => Object.values(tasks).map((id) => ({ id })),
  'task.cancel': ({ tasks }) => [{ id: tasks.queued }, { id: tasks.running, reason: 'not needed' }],
  'task.retry': ({ tasks }) => [{ id: tasks.failed }],
  'task.remove': ({ tasks }) => [{ id: tasks.succeeded }],
  'task.update': ({ tasks }) => [
    { id: tasks.queued, queue: 'slow', priority: 'high', tags: ['a'], limits: [{ name: 'smtp', max: 2 }] },
    { id: tasks.scheduled, delay: 0 },
  ],
  'task.move': ({ tasks }) => [{ id: tasks.queued, queue: 'slow' }],
  'task.run-now': ({ tasks }) => [{ id: tasks.scheduled }],
  'task.cancel-many': ({ tasks }) => [{ ids: Object.values(tasks) }],
  'task.retry-many': ({ tasks }) => [{ ids: [...Object.values(tasks), sampleId(99)] }],
  'task.remove-many': ({ tasks }) => [{ ids: Object.values(tasks) }],
  'task.update-many': ({ tasks }) => [{ ids: Object.values(tasks), priority: 1 }],
  'task.logs': ({ tasks }) => [{ id: tasks.succeeded }, { id: tasks.succeeded, level: 'error' }],
  'task.explain': ({ tasks }) => Object.values(tasks).map((id) => ({ id })),
  'task.reveal': ({ tasks }) => [{ id: tasks.running }],
  'task.result': ({ tasks }) => [{ id: tasks.succeeded }, { id: tasks.failed }, { id: tasks.queued, wait: '2s' }],
  'task.result-many': ({ tasks }) => [
    { ids: [...Object.values(tasks), sampleId(99)].join() },
    { ids: `${tasks.queued}, ${tasks.blocked}`, wait: '2s' },
  ],
  'flow.list': () => [{}, { limit: 1 }],
  'flow.get': ({ tasks }) => [{ id: tasks.flow }],
  'flow.cancel': ({ tasks }) => [{ id: tasks.flow }],
  'queue.list': () => [{}],
  'queue.get': () => [{ name: 'default' }, { name: 'mail' }],
  'queue.peek': () => [{ name: 'default' }, { name: 'mail', limit: 2 }],
  'queue.scale': () => [{ name: 'default' }, { name: 'mail', slots: 2 }, { name: 'unseen' }],
  'queue.purge': () => [
    { name: 'default', dryRun: true },
    { name: 'default', reason: 'a mistake' },
  ],
  'queue.pause': () => [{ name: 'default' }, { name: 'default', reason: 'too hot' }],
  'queue.resume': () => [{ name: 'mail' }],
  'queue.limit': () => [
    { name: 'mail', max: 3, rate: { limit: 5, per: '1m' } },
    { name: 'mail', max: null, rate: null },
  ],
  'group.list': () => [{}],
  'group.weight': () => [
    { name: 'acme', weight: 2 },
    { name: 'never seen', weight: null },
  ],
  'group.pause': () => [{ name: 'acme', reason: 'unpaid' }],
  'group.resume': () => [{ name: 'acme' }],
  'limit.list': () => [{}, { limit: 1 }],
  'limit.set': () => [
    { name: 'smtp', max: 3, rate: { limit: 5, per: '1m' } },
    { name: 'smtp', max: null, rate: null },
  ],
  'limit.pause': () => [{ name: 'smtp' }],
  'limit.resume': () => [{ name: 'smtp' }],
  'schedule.list': () => [{}, { limit: 1 }],
  'schedule.get': () => [{ name: 'nightly' }, { name: 'often' }],
  'schedule.next': () => [{ name: 'nightly', count: 3 }, { name: 'often' }],
  'schedule.run': () => [{ name: 'nightly' }, { name: 'often', at: '10m' }],
  'schedule.pause': () => [{ name: 'nightly', reason: 'holidays' }],
  'schedule.resume': () => [{ name: 'often' }],
  'schedule.delete': () => [{ name: 'often' }],
  'schedule.backfill': () => [
    { name: 'nightly', from: '2d', dryRun: true },
    { name: 'nightly', from: '2d' },
  ],
  'relay.list': () => [{}],
  'relay.retry': () => [{ id: sampleId(90) }],
  'relay.drop': () => [{ id: sampleId(90) }],
  'worker.list': () => [{}],
  'worker.get': () => [{ id: 'worker-1' }, { id: 'ada' }],
  'worker.drain': () => [{ id: 'ada' }],
  'worker.resume': () => [{ id: 'ada' }],
  'worker.scale': () => [{ id: 'ada', concurrency: 5 }],
  'worker.stack': () => [{ id: 'ada' }],
  'worker.restart': () => [{ id: 'ada' }],
  'token.create': () => [
    { label: 'ada', role: 'admin' },
    { label: 'shop', scopes: ['enqueue', 'read'], queues: ['mail*'], expiresIn: '90d' },
    { label: 'shop', scopes: ['read'], rate: { limit: 100, per: '1m' } },
  ],
  'token.list': () => [{}, { limit: 1 }],
  'token.revoke': async ({ context }) => [{ id: await newKey(context) }],
  'audit.list': () => [{}, { limit: 1 }, { who: 'ada', operation: 'queue.pause', from: '2026-01-01T00:00:00Z' }],
  'session.list': () => [{}],
  'session.end': async ({ context }) => {
    const session = { keyId: await newKey(context), address: '127.0.0.1', agent: null };
    return [{ id: (await accessOf(context).sessions.begin(session)).session.id }];
  },
  'operation.create': () => [
    { verb: 'cancel', q: 'state:queued', dryRun: true },
    { verb: 'move', q: 'queue:default', queue: 'slow', rate: { limit: 5, per: '1s' }, reason: 'crowded' },
    { verb: 'priority', q: 'name:mail.send', priority: 'high' },
  ],
  'operation.remove-tasks': () => [{ q: 'state:failed', delay: '1h' }],
  'operation.list': async (world) => [(await bulk(world)) && {}, { limit: 1 }],
  'operation.get': async (world) => [await bulk(world)],
  'operation.stop': async (world) => [await bulk(world)],
  'error.list': () => [{}, { limit: 1 }],
  'error.get': () => [{ fingerprint: 'f1' }],
  'error.mark': () => [
    { fingerprint: 'f1', as: 'muted', for: '1h', reason: 'known' },
    { fingerprint: 'f1', as: 'open' },
  ],
  'error.retry': () => [{ fingerprint: 'f1', dryRun: true }, { fingerprint: 'f1' }],
  'definition.list': () => [{}, { limit: 1 }],
  'definition.get': () => [{ name: 'mail.send' }],
  'stats.timeline': () => [{}, { minutes: 3, queue: 'mail', name: 'mail.send' }, { step: 'hour', minutes: 129_600 }],
  'stats.depth': () => [{}, { queue: 'mail' }],
  'config.get': () => [{}],
  'live.follow': () => [{ topics: 'counts,queue:mail' }],
  'worker.register': () => [{ worker: httpWorker, definitions: [{ name: 'py.resize' }] }],
  'worker.claim': () => [
    { worker: 'py-1', token: 'claim-1-of-py', queues: { default: 1 } },
    { worker: 'py-1', token: 'claim-2-of-py', queues: { 'no-such-queue': 1 }, waitMs: 10 },
  ],
  'worker.heartbeat': ({ tasks }) => [
    { worker: httpWorker },
    { worker: httpWorker, beats: [{ lease: { id: tasks.running, token: 'claim-1-of-py', epoch: 1 } }] },
  ],
  'worker.listen': () => [{ worker: 'py-1', waitMs: 10 }],
  'worker.outcome': ({ tasks }) => [
    {
      worker: 'py-1',
      outcomes: [{ lease: { id: tasks.running, token: 'claim-1-of-py', epoch: 1 }, outcome: 'done' }],
      claim: { token: 'claim-3-of-py', queues: { default: 5 } },
    },
  ],
  'worker.enqueue': ({ tasks }) => [
    { worker: 'py-1', tasks: [completeTask(sampleId(80)), { ...completeTask(sampleId(81)), key: 'k' }] },
    {
      worker: 'py-1',
      tasks: [
        completeTask(sampleId(80)),
        { ...completeTask(sampleId(82)), key: 'k' },
        { ...completeTask(sampleId(83)), key: 'k', ifExists: 'replace' },
        completeTask(tasks.queued),
      ],
    },
  ],
  'worker.parents': async (world) => [await heldChild(world)],
  'worker.deregister': () => [{ worker: httpWorker }],
  'system.health': () => [{}],
  'system.counts': () => [{}],
  'system.activity': () => [{}, { minutes: 3 }],
  'system.signs': () => [{}, { wait: false }],
  'system.ready': () => [{}],
  'system.metrics': () => [{}, { minutes: 3 }],
};

/** As the worker of this package sends it. */
export function completeTask(id: string): NewTaskMessage {
  return {
    id,
    name: 'mail.next',
    queue: 'next',
    input: { n: 1 },
    schemaVersion: null,
    priority: 5,
    delayMs: 0,
    at: null,
    startWithinMs: null,
    expiresInMs: null,
    timeoutMs: 60_000,
    policy: { attempts: 3 },
    keepMs: 1_000,
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
}

/** A task that a worker over HTTP runs, and which waited for another. */
async function heldChild({ context, enqueue }: OperationWorld): Promise<ParentsMessage> {
  const claim = async (queue: string): Promise<LeaseMessage> => {
    const token = `claim of ${queue}`;
    const { tasks } = await perform(workerClaim, context, { worker: 'py-1', token, queues: { [queue]: 1 } });
    if (tasks[0] === undefined) throw new Error(`nothing to claim in ${queue}`);
    return tasks[0].lease;
  };
  const parent = await enqueue({ queue: 'parents' });
  await enqueue({ queue: 'children', dependsOn: [{ taskId: parent, onFailure: 'fail' }] });
  const outcomes = [{ lease: await claim('parents'), outcome: 'done', ranMs: 1, result: { bytes: 7 } }];
  await perform(workerOutcome, context, { worker: 'py-1', outcomes });
  return { worker: 'py-1', lease: await claim('children'), ids: [parent] };
}

async function newKey(context: OperationContext): Promise<string> {
  const given = { kind: 'user', label: 'bob', role: 'viewer', scopes: null, queues: null } as const;
  const { key } = await accessOf(context).keys.create({ ...given, createdBy: 'ada', expiresInMs: null });
  return key.id;
}

async function bulk({ context }: OperationWorld): Promise<{ readonly id: string }> {
  const { operation } = await operationCreate.run(context, { verb: 'retry', q: 'state:failed' });
  return { id: operation?.id ?? '' };
}

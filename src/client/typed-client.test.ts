/** Checks enqueueing by name: with what workers publish, and without. */
import { beforeEach, expect, test } from 'vitest';
import type { Broker } from '../broker/broker.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { seededChance } from '../core/chance.ts';
import type { Definition } from '../core/presence.ts';
import { systemClock } from '../core/time.ts';
import { createDefinitions, type Definitions, unknownDefinition } from '../operations/definitions.ts';
import type { ClientBroker } from './client.ts';
import { makeTypedClient, type TypedClient } from './typed-client.ts';

const published: Definition = {
  name: 'email.welcome',
  description: null,
  queue: 'email',
  inputSchema: {
    type: 'object',
    properties: { userId: { type: 'string' }, locale: { type: 'string', default: 'en' } },
    required: ['userId'],
  },
  schemaVersion: 'abc',
  policy: '{"attempts":2,"strictCancel":true}',
  timeoutMs: 30_000,
  key: 'welcome:{userId}:{locale}',
  keyForMs: 1_000,
  ifExists: 'error',
  group: null,
  file: null,
};

let broker: Broker;
let client: TypedClient<unknown>;
let looks: number;
let definitions: Definitions | null;
const definitionsOf = (from: ClientBroker): Definitions => {
  definitions ??= createDefinitions(from, systemClock);
  return definitions;
};

beforeEach(async () => {
  broker = createMemoryBroker({ now: () => 1_000, chance: seededChance(1) });
  looks = 0;
  definitions = null;
  const counted: Broker = {
    ...broker,
    getWorkers() {
      looks += 1;
      return broker.getWorkers();
    },
  };
  client = makeTypedClient({
    open: async () => ({ broker: counted, close: () => broker.close() }),
    define: async (name, from) => (await definitionsOf(from).find(name)) ?? unknownDefinition(name),
  });
  const worker = {
    workerId: 'w',
    name: 'w',
    host: 'h',
    pid: 1,
    bootId: null,
    version: '1',
    queues: { email: 1 },
    concurrency: 1,
    running: 0,
    state: 'ready' as const,
    services: false,
    server: false,
    taskNames: [published.name],
    definitions: [published],
  };
  await broker.heartbeat({ worker, leaseMs: 1_000, beats: [] });
});

test('a published definition gives queue, policy and key, and checks the input', async () => {
  const { id } = await client.enqueue('email.welcome', { userId: 'ada' });
  const [task] = await broker.getTasks([id]);
  expect(task).toMatchObject({
    queue: 'email',
    policy: published.policy,
    timeoutMs: 30_000,
    key: 'welcome:ada:en',
    keyForMs: 1_000,
    ifExists: 'error',
    schemaVersion: 'abc',
    strictCancel: true,
    payload: '{"userId":"ada"}',
  });
  await expect(client.enqueue('email.welcome', { userId: 'ada' })).rejects.toMatchObject({ code: 'KEY_CONFLICT' });
  await expect(client.enqueue('email.welcome', {})).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});

test('a name that nobody knows is accepted as it is', async () => {
  const { id } = await client.enqueue('email.wellcome', { any: 1 }, { priority: 'high' });
  const [task] = await broker.getTasks([id]);
  expect(task).toMatchObject({ name: 'email.wellcome', queue: 'default', schemaVersion: null, priority: 2 });
  await expect(client.enqueue('not a name', {})).rejects.toMatchObject({ code: 'INVALID_OPTION' });
});

test('the workers are read once for a burst', async () => {
  await Promise.all(Array.from({ length: 50 }, (_, n) => client.enqueue('email.welcome', { userId: `u${n}` })));
  await client.enqueueMany('email.welcome', [{ userId: 'x' }, { input: { userId: 'y' } }].slice(0, 1));
  expect(looks).toBe(1);
});

test('a handle is found again by its id', async () => {
  const { id } = await client.enqueue('email.welcome', { userId: 'ada' });
  expect(await client.handle(id.toLowerCase()).cancel()).toBe('cancelled');
  expect(() => client.handle('abc')).toThrow(expect.objectContaining({ code: 'INVALID_ID' }));
  await client.close();
  await expect(client.enqueue('email.welcome', { userId: 'ada' })).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});

/** Checks enqueueing and following tasks against the memory store. */
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Broker } from '../broker/broker.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { seededChance } from '../core/chance.ts';
import { definitionBrand } from '../core/definition.ts';
import { taskFlowError } from '../core/errors.ts';
import { parsePolicy } from '../core/policy.ts';
import type { Task } from '../core/task.ts';
import { type Client, makeClient } from './client.ts';
import { contract, task } from './define.ts';
import type { EnqueueOptions } from './options.ts';

const send = task('email.send', {
  input: z.object({ to: z.string(), locale: z.enum(['en', 'de']).default('en'), at: z.coerce.date().optional() }),
  queue: 'email',
  key: 'mail:{to}:{locale}',
  keyFor: '1d',
  run: async ({ to }) => ({ to }),
})[definitionBrand];
const plain = task('plain', { input: z.object({ n: z.int() }), run: async ({ n }) => n })[definitionBrand];
const dated = contract('dated', { input: z.object({ at: z.date() }), output: z.null() })[definitionBrand];

let broker: Broker;
let calls: number[];
let client: Client;

beforeEach(() => {
  broker = createMemoryBroker({ now: () => 1_000, chance: seededChance(1) });
  calls = [];
  const counted: Broker = {
    ...broker,
    enqueue(tasks) {
      calls.push(tasks.length);
      return broker.enqueue(tasks);
    },
  };
  client = makeClient({
    open: async () => ({ broker: counted, close: () => broker.close(), url: 'https://tasks.test/' }),
  });
});

async function stored(id: string): Promise<Task> {
  const [found] = await broker.getTasks([id]);
  if (!found) throw new Error(`no task ${id}`);
  return found;
}

/** Runs the task's only attempt by hand. */
async function finish(id: string, result: string | null): Promise<void> {
  const { queue } = await stored(id);
  const claimed = await broker.claim({
    workerId: 'w',
    token: id.padStart(32, '0'),
    queues: [{ name: queue, limit: 10 }],
    limit: 10,
    leaseMs: 30_000,
  });
  const verdict = {
    to: 'succeeded' as const,
    reason: null,
    charge: 'attempt' as const,
    keepMs: 60_000,
    result,
    error: null,
  };
  await broker.settle(
    claimed
      .filter((each) => each.task.id === id)
      .map(({ lease }) => ({ lease, verdict, ranMs: 5, progress: null, logs: [], spawn: [] })),
  );
}

describe('enqueue', () => {
  test('stores the input as it was given, and renders the key from what the schema made of it', async () => {
    const handle = await client.enqueue(send, { to: 'ada' });
    expect(handle).toMatchObject({ created: true, url: `https://tasks.test/tasks/${handle.id}` });
    expect(await stored(handle.id)).toMatchObject({
      name: 'email.send',
      queue: 'email',
      payload: '{"to":"ada"}',
      key: 'mail:ada:en',
      keyForMs: 86_400_000,
      priority: 5,
      state: 'queued',
    });
  });

  test('reads every option', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const options: EnqueueOptions = {
      delay: '3d',
      priority: 'low',
      queue: 'slow',
      tags: ['x', 'x', 'y'],
      key: 'own',
      ifExists: 'debounce',
      startWithin: '1h',
      expiresIn: '2h',
      retry: { attempts: 2 },
      traceparent,
    };
    const task = await stored((await client.enqueue(send, { to: 'ada' }, options)).id);
    expect(task).toMatchObject({
      dueAt: 1_000 + 3 * 86_400_000,
      priority: 8,
      queue: 'slow',
      tags: ['x', 'y'],
      key: 'own',
      keyForMs: null,
      ifExists: 'debounce',
      traceparent,
      expiresAt: 1_000 + 7_200_000,
      state: 'scheduled',
    });
    expect(parsePolicy(task.policy).attempts).toBe(2);
  });

  test('says when the key is held, and by whom', async () => {
    const first = await client.enqueue(send, { to: 'ada' });
    expect(await client.enqueue(send, { to: 'ada' })).toMatchObject({ id: first.id, created: false });
    await expect(client.enqueue(send, { to: 'ada' }, { ifExists: 'error' })).rejects.toMatchObject({
      code: 'KEY_CONFLICT',
      details: { holder: first.id },
    });
  });

  test('is idempotent by id, and refuses another body under it', async () => {
    const { id } = await client.enqueue(plain, { n: 1 });
    expect(await client.enqueue(plain, { n: 1 }, { id: id.toLowerCase() })).toMatchObject({ id, created: false });
    await expect(client.enqueue(plain, { n: 2 }, { id })).rejects.toMatchObject({ code: 'ID_CONFLICT' });
  });

  test('names every wrong path of an input and stores nothing', async () => {
    await expect(client.enqueue(send, { to: 3, locale: 'fr' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      details: { problems: [{ path: 'to' }, { path: 'locale' }] },
    });
    await expect(client.enqueue(plain, { n: 1n })).rejects.toMatchObject({ code: 'PAYLOAD_NOT_JSON' });
    await expect(client.enqueue(plain, undefined)).rejects.toMatchObject({ code: 'PAYLOAD_NOT_JSON' });
    expect(calls).toEqual([]);
  });

  test('checks the input as the worker will see it, and says so for a Date', async () => {
    await expect(client.enqueue(dated, { at: new Date(0) })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      hint: expect.stringContaining('z.coerce.date()'),
    });
    expect((await client.enqueue(send, { to: 'x', at: new Date(0) })).created).toBe(true);
  });

  const wrong: readonly (readonly [string, object])[] = [
    ['delay and at together', { delay: '1s', at: new Date(5) }],
    ['an invalid Date', { at: new Date('never') }],
    ['a time as text', { at: '2026-11-23' }],
    ['a priority typo', { priority: 'hihg' }],
    ['a priority out of range', { priority: 10 }],
    ['too many tags', { tags: Array.from({ length: 17 }, (_, n) => `t${n}`) }],
    ['a tag with a blank', { tags: ['a b'] }],
    ['a key that is too long', { key: 'x'.repeat(501) }],
    ['keyFor with replace', { ifExists: 'replace', keyFor: '1d' }],
    ['replace on a key that is kept', { ifExists: 'replace' }],
    ['an unknown option', { dealy: '1s' }],
    ['a bad trace context', { traceparent: 'x' }],
    ['a life of nothing', { expiresIn: 0 }],
    ['an id that is none', { id: 'abc' }],
    ['a transaction of another store', { tx: {} }],
  ];
  for (const [what, options] of wrong) {
    test(`refuses ${what}`, async () => {
      await expect(client.enqueue(send, { to: 'x' }, options)).rejects.toMatchObject({
        code: expect.stringMatching(/INVALID_OPTION|INVALID_ID|NOT_SUPPORTED|TX_NOT_JOINABLE/),
      });
      expect(calls).toEqual([]);
    });
  }

  test('refuses keyFor where there is no key', async () => {
    await expect(client.enqueue(plain, { n: 1 }, { keyFor: '1d' })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });
});

describe('batches', () => {
  test('concurrent enqueues share calls and keep their own answers', async () => {
    const handles = await Promise.all(Array.from({ length: 2_500 }, (_, n) => client.enqueue(plain, { n })));
    expect(new Set(handles.map((handle) => handle.id)).size).toBe(2_500);
    expect(Math.max(...calls)).toBeLessThanOrEqual(1_000);
    expect(calls.length).toBeLessThan(10);
    expect(JSON.parse((await stored(handles[1_234]!.id)).payload)).toEqual({ n: 1_234 });
  });

  test('enqueueMany checks all before it stores any, and names the item', async () => {
    await expect(client.enqueueMany(plain, [{ n: 1 }, { n: 'x' }])).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/^Item 1: /),
    });
    expect(calls).toEqual([]);
    await client.enqueueMany(
      plain,
      Array.from({ length: 2_001 }, (_, n) => ({ input: { n }, options: { priority: 'low' as const } })),
    );
    expect(calls).toEqual([1_000, 1_000, 1]);
  });

  test('a store that cannot be reached fails the call with the id that makes it repeatable', async () => {
    let down = true;
    const flaky: Broker = {
      ...broker,
      enqueue: (tasks) =>
        down ? Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'ECONNREFUSED' })) : broker.enqueue(tasks),
    };
    const shaky = makeClient({ open: async () => ({ broker: flaky, close: async () => {} }) });
    const error = await shaky.enqueue(plain, { n: 1 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'STORE_UNREACHABLE',
      details: { id: expect.any(String) },
      hint: expect.stringContaining('not stored twice'),
    });
    down = false;
    const { id } = (error as { details: { id: string } }).details;
    expect(await shaky.enqueue(plain, { n: 1 }, { id })).toMatchObject({ id, created: true });
  });

  test('an outage in the middle of many names every id, and the list can be sent again', async () => {
    let left = 1;
    const failing: Broker = {
      ...broker,
      enqueue: (tasks) =>
        left-- > 0 ? broker.enqueue(tasks) : Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'gone' })),
    };
    const shaky = makeClient({ open: async () => ({ broker: failing, close: async () => {} }) });
    const inputs = Array.from({ length: 1_500 }, (_, n) => ({ n }));
    const error = await shaky.enqueueMany(plain, inputs).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'STORE_UNREACHABLE', details: { stored: 1_000 } });
    const { ids } = (error as { details: { ids: string[] } }).details;
    const items = inputs.map((input, n) => ({ input, options: { id: ids[n]! } }));
    const handles = await client.enqueueMany(plain, items);
    expect(handles.filter((handle) => handle.created).length).toBe(500);
  });

  test('a conflict among many names its item, and the others are stored', async () => {
    const items = ['a', 'b', 'a'].map((key) => ({ input: { n: 1 }, options: { key, ifExists: 'error' as const } }));
    await expect(client.enqueueMany(plain, items)).rejects.toMatchObject({
      code: 'KEY_CONFLICT',
      message: expect.stringMatching(/^Item 2: /),
    });
    const [queue] = await broker.getQueues();
    expect(queue?.counts.queued).toBe(2);
  });

  test('one refused task does not fail its neighbours', async () => {
    const picky: Broker = {
      ...broker,
      enqueue: (tasks) =>
        tasks.some((each) => each.payload === '{"n":13}')
          ? Promise.reject(taskFlowError('INVALID_OPTION', { what: 'n', problem: 'unlucky' }))
          : broker.enqueue(tasks),
    };
    const careful = makeClient({ open: async () => ({ broker: picky, close: async () => {} }) });
    const answers = await Promise.allSettled(Array.from({ length: 40 }, (_, n) => careful.enqueue(plain, { n })));
    expect(answers.flatMap((answer, n) => (answer.status === 'rejected' ? [n] : []))).toEqual([13]);
  });

  test('opening is tried again after a failure, once at a time', async () => {
    let opens = 0;
    const late = makeClient({
      open: async () =>
        ++opens === 1
          ? Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'x' }))
          : { broker, close: async () => {} },
    });
    await expect(late.enqueue(plain, { n: 1 })).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await Promise.all([late.enqueue(plain, { n: 1 }), late.enqueue(plain, { n: 2 })]);
    expect(opens).toBe(2);
    await late.close();
    await expect(late.enqueue(plain, { n: 3 })).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });
});

describe('handle', () => {
  test('gives the result when the task finishes, hurried by a signal', async () => {
    const handle = await client.enqueue<number>(plain, { n: 7 });
    const result = handle.result({ timeout: '10s' });
    await finish(handle.id, '7');
    expect(await result).toBe(7);
    expect(await handle.state()).toBe('succeeded');
    expect(await handle.cancel()).toEqual({ already: 'succeeded' });
  });

  test('gives the result without any signal', async () => {
    const deaf = makeClient({
      open: async () => ({ broker: { ...broker, subscribe: () => () => {} }, close: async () => {} }),
    });
    const handle = await deaf.enqueue(plain, { n: 7 });
    const result = handle.result({ timeout: '10s' });
    await finish(handle.id, null);
    expect(await result).toBe(undefined);
  });

  test('never hangs: it says how the task stands when the time is up', async () => {
    const handle = await client.enqueue(plain, { n: 7 });
    await expect(handle.result({ timeout: 30 })).rejects.toMatchObject({
      code: 'RESULT_TIMEOUT',
      message: expect.stringContaining('queued'),
    });
    const stuck = makeClient({
      open: async () => ({
        broker: { ...broker, getTasks: () => new Promise<never>(() => {}) },
        close: async () => {},
      }),
    });
    await expect((await stuck.enqueue(plain, { n: 8 })).result({ timeout: 30 })).rejects.toMatchObject({
      code: 'RESULT_TIMEOUT',
    });
  });

  test('rejects with the handler’s error as the cause', async () => {
    const handle = await client.enqueue(plain, { n: 7 });
    const [claimed] = await broker.claim({
      workerId: 'w',
      token: '0'.repeat(32),
      queues: [{ name: 'default', limit: 1 }],
      limit: 1,
      leaseMs: 30_000,
    });
    const error = {
      name: 'RangeError',
      message: 'too far',
      stack: 'RangeError: too far\n    at there',
      fingerprint: 'f',
    };
    await broker.settle([
      {
        lease: claimed!.lease,
        verdict: { to: 'failed', reason: 'error', charge: 'attempt', keepMs: 1, result: null, error },
        ranMs: 1,
        progress: null,
        logs: [],
        spawn: [],
      },
    ]);
    await expect(handle.result()).rejects.toMatchObject({
      code: 'TASK_FAILED',
      cause: { name: 'RangeError', message: 'too far' },
    });
  });

  test('cancels, and says why to those who wait', async () => {
    const handle = await client.enqueue(plain, { n: 7 });
    const result = handle.result().catch((thrown: unknown) => thrown);
    expect(await handle.cancel('not needed')).toBe('cancelled');
    expect(await result).toMatchObject({ code: 'TASK_CANCELLED', message: expect.stringContaining('not needed') });
  });

  test('stops waiting when told to, and finds no task that is gone', async () => {
    const handle = await client.enqueue(plain, { n: 7 });
    await expect(handle.result({ signal: AbortSignal.abort(new Error('left')) })).rejects.toThrow('left');
    const controller = new AbortController();
    const result = handle.result({ signal: controller.signal });
    controller.abort(new Error('left later'));
    await expect(result).rejects.toThrow('left later');
    await handle.cancel();
    await broker.remove([handle.id]);
    for (const call of [handle.state(), handle.result(), handle.cancel()])
      await expect(call).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  });
});

describe('close', () => {
  test('every call of it ends when the store is closed', async () => {
    const closing = Promise.withResolvers<void>();
    const slow = makeClient({ open: async () => ({ broker, close: () => closing.promise }) });
    await slow.open();
    let closed = 0;
    const both = [slow.close(), slow.close()].map((call) => call.then(() => closed++));
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(0);
    closing.resolve();
    await Promise.all(both);
  });

  test('a store that never opened has nothing to close', async () => {
    const away = makeClient({ open: () => Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'away' })) });
    const opening = away.open();
    await away.close();
    await expect(opening).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });
});

test.each([['x'.repeat(1_001)], [7], [{}]])(
  'a reason to cancel that is no short text is refused: %#',
  async (reason) => {
    const handle = await client.enqueue(plain, { n: 1 });
    await expect(handle.cancel(reason as string)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    expect((await stored(handle.id)).state).toBe('queued');
  },
);

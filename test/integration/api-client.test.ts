/** Tests the typed client: a method for every operation, errors as they are thrown here, and retries of what is safe alone. */

import { beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import { type ApiClient, createApiClient } from '../../src/api/api-client.ts';
import { readContract } from '../../src/api/contract.ts';
import { pagesOf } from '../../src/api/pages-of.ts';
import { apiRoutes } from '../../src/api/routes.ts';
import { seededChance } from '../../src/core/chance.ts';
import { limits } from '../../src/core/limits.ts';
import { operations } from '../../src/operations/registry.ts';
import type { TaskRecordDocument } from '../../src/operations/task-document.ts';
import { createManualClock, turn } from '../../src/testing/manual-clock.ts';
import { sampleId } from '../conformance/samples.ts';
import { base, startServer, type TestServer } from '../support/http.ts';
import { startLiveServer } from '../support/live-server.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

/** Time that passes at once for whoever waits. */
const hasty = {
  clock: {
    now: () => Date.UTC(2026, 0, 1),
    elapsed: () => 0,
    schedule(ms: number, go: () => void) {
      // What ends a try is waited for in vain.
      if (ms < limits.apiCallMs) void turn().then(go);
      return () => {};
    },
  },
  chance: seededChance(3),
};

function clientOf(answer: (request: Request, count: number) => Response | Promise<Response>): {
  readonly client: ApiClient;
  readonly requests: Request[];
} {
  const requests: Request[] = [];
  const fetch = async (request: Request) => answer(request.clone() as Request, requests.push(request));
  return { client: createApiClient({ url: `${base}/`, token: 'secret', fetch }, hasty), requests };
}

const busy = () => Response.json({ code: 'STORE_UNREACHABLE', detail: 'away', status: 503 }, { status: 503 });

test('every operation is a method of it, a route, and in the description', async () => {
  const { endpoints } = await readContract();
  const called: string[] = [];
  const client = createApiClient({
    url: base,
    async fetch(request) {
      called.push(`${request.method} ${new URL(request.url).pathname}`);
      return Response.json({});
    },
  }) as unknown as Readonly<Record<string, Readonly<Record<string, (input: object) => Promise<unknown>>>>>;
  const addresses: string[] = [];
  for (const { operation } of endpoints) {
    const [noun = '', verb = ''] = operation.name.split('.');
    const names = [...operation.rest.path.matchAll(/:(\w+)/g)].map(([, name]) => [name, 'x']);
    const method = client[noun]?.[verb.replace(/-(\w)/g, (_dash, letter: string) => letter.toUpperCase())];
    await method?.(Object.fromEntries(names));
    addresses.push(`${operation.rest.method} /api/v1${operation.rest.path.replaceAll(/:\w+/g, 'x')}`);
  }
  expect(called).toEqual(addresses);
  const routed = new Set(apiRoutes.map(({ operation }) => operation));
  expect(Object.keys(operations).filter((name) => !routed.has(name))).toEqual([]);
});

test('inputs and answers have the types of the operations', () => {
  expectTypeOf<ReturnType<ApiClient['task']['get']>>().resolves.toEqualTypeOf<TaskRecordDocument>();
  expectTypeOf<ApiClient['task']['enqueueMany']>().parameter(0).toHaveProperty('tasks');
  expectTypeOf<ApiClient['queue']['list']>().toBeCallableWith();
  // @ts-expect-error an id is needed
  expectTypeOf<ApiClient['task']['get']>().toBeCallableWith();
});

test('a session against a real server', async () => {
  const { url } = await startLiveServer();
  const client = createApiClient({ url });
  const { id, result } = await client.task.enqueue({ name: 'double', input: { n: 4 }, wait: '30s' });
  expect(result?.result).toEqual({ n: 8 });
  expect(await client.task.result({ id, wait: 1_000 })).toMatchObject({ finished: true, result: { n: 8 } });
  expect(await client.handle<{ n: number }>(id).result()).toEqual({ n: 8 });
  expect((await client.task.list({ q: 'state:succeeded', limit: 5 })).tasks.map((task) => task.id)).toEqual([id]);
  expect((await client.queue.pause({ name: 'default', reason: 'lunch' })).pause?.reason).toBe('lunch');
  await expect(client.task.cancel({ id })).rejects.toMatchObject({ name: 'TaskFlowError', code: 'TASK_FINISHED' });
});

describe('an error', () => {
  const client = () => createApiClient({ url: base, fetch: server.fetch });

  test('of the server is thrown here, with its words', async () => {
    await expect(client().task.get({ id: sampleId(9) })).rejects.toMatchObject({
      ...{ name: 'TaskFlowError', code: 'TASK_NOT_FOUND', status: 404, exitCode: 4 },
      ...{ message: `There is no task ${sampleId(9)}.`, hint: expect.stringContaining('keep.succeeded') },
    });
    await expect(client().task.list({ limit: 0 })).rejects.toMatchObject({
      details: { problems: [{ path: 'limit' }] },
    });
  });

  test('of no server names the host and not the token', async () => {
    const { client: lost, requests } = clientOf(() =>
      Promise.reject(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })),
    );
    const error: unknown = await lost.queue.list().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SERVER_UNREACHABLE', message: expect.stringContaining('ECONNREFUSED') });
    expect(JSON.stringify(error)).not.toContain('secret');
    expect(requests).toHaveLength(limits.apiTriesMax);
  });

  test.each([
    [200, '<html>'],
    [200, 'null'],
    [200, '["a"]'],
    [200, '5'],
    [502, '<html>'],
    [404, '{"code":"FROM_TOMORROW","detail":"x"}'],
    [404, 'null'],
  ])('of something else that answers %i %s is said to be one', async (status, body) => {
    const { client: other } = clientOf(() => new Response(body, { status }));
    await expect(other.queue.list()).rejects.toMatchObject({ code: 'SERVER_ANSWER_UNKNOWN' });
  });

  test('of the caller is none of the server', async () => {
    expect(() => createApiClient({ url: 'nonsense' })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    const { client: mine, requests } = clientOf(busy);
    await expect(mine.task.get({ id: '' })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    const unknown = (mine as unknown as { task: { explode(): Promise<unknown> } }).task.explode();
    await expect(unknown).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    expect(requests).toEqual([]);
  });
});

describe('a retry', () => {
  test('of what reads, and of an enqueue under the same id, until it succeeds', async () => {
    const { client, requests } = clientOf(async (request, count) => (count % 2 === 1 ? busy() : server.fetch(request)));
    await client.queue.list();
    await client.task.enqueue({ name: 'any' });
    await client.task.enqueueMany({ tasks: [{ name: 'any' }, { name: 'any', id: sampleId(2) }] });
    const bodies = await Promise.all(requests.slice(2).map((request) => request.text()));
    expect([bodies[0], bodies[2]]).toEqual([bodies[1], bodies[3]]);
    expect(bodies[0]).toMatch(/"id":"\w{26}"/);
    expect(requests[0]?.headers.get('authorization')).toBe('Bearer secret');
  });

  test('of anything else is not made', async () => {
    const { client, requests } = clientOf(busy);
    await expect(client.task.retry({ id: sampleId(1) })).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(requests).toHaveLength(1);
  });

  test('ends with the signal of the caller', async () => {
    const controller = new AbortController();
    const { client, requests } = clientOf(() => {
      controller.abort(new Error('enough'));
      return busy();
    });
    await expect(client.queue.list({}, { signal: controller.signal })).rejects.toThrow('enough');
    expect(requests).toHaveLength(1);
  });
});

describe('a server that asks for patience', () => {
  /** A client on a clock that is moved by hand. */
  function patient(answer: (count: number) => Response | Promise<Response>) {
    const clock = createManualClock(Date.UTC(2026, 0, 1));
    let count = 0;
    const fetch = async ({ signal }: Request) => {
      const given = answer(++count);
      if (given instanceof Response) return given;
      const aborted = new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
      return Promise.race([given, aborted]);
    };
    const client = createApiClient({ url: base, fetch, timeout: '10s' }, { clock, chance: seededChance(3) });
    return { client, clock, asked: () => count };
  }

  const away = (retryAfter: string) =>
    Response.json(
      { code: 'STORE_UNREACHABLE', detail: 'away' },
      { status: 503, headers: { 'retry-after': retryAfter } },
    );
  const well = () => Response.json({ queues: [], next: null });

  test.each(['7', new Date(Date.UTC(2026, 0, 1, 0, 0, 7)).toUTCString()])(
    'for %s is asked again after it',
    async (text) => {
      const { client, clock, asked } = patient((count) => (count === 1 ? away(text) : well()));
      const list = client.queue.list();
      await waitFor(() => expect(clock.timers()).toBe(1));
      await clock.moveTo(Date.UTC(2026, 0, 1, 0, 0, 6));
      expect(asked()).toBe(1);
      await clock.moveTo(Date.UTC(2026, 0, 1, 0, 0, 7));
      expect(await list).toMatchObject({ queues: [] });
    },
  );

  test('for longer than anybody waits is told to the caller', async () => {
    const { client, asked } = patient(() => away('3600'));
    await expect(client.queue.list()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(asked()).toBe(1);
  });

  test('through a proxy, in words of its own, is asked again', async () => {
    const { client, clock, asked } = patient((count) =>
      count === 1 ? new Response('<html>', { status: 503 }) : well(),
    );
    const list = client.queue.list();
    await waitFor(() => expect(asked()).toBe(1));
    await clock.moveTo(clock.now() + limits.apiRetryMs);
    expect(await list).toMatchObject({ queues: [] });
  });

  test('and does not answer is given up in time, beside what it was asked to wait', async () => {
    const { client, clock, asked } = patient(() => new Promise<Response>(() => {}));
    const cancel = client.task.cancel({ id: sampleId(1) }).catch((error: unknown) => error);
    const result = client.task.result({ id: sampleId(1), wait: '30s' }, { timeout: '5s' }).catch(() => null);
    await waitFor(() => expect(asked()).toBe(2));
    await clock.moveTo(clock.now() + 10_000);
    expect(await cancel).toMatchObject({ code: 'SERVER_UNREACHABLE', message: expect.stringContaining('10s') });
    await clock.moveTo(clock.now() + 24_000);
    expect(asked()).toBe(2);
    await clock.moveTo(clock.now() + 120_000);
    await result;
    expect(asked()).toBeGreaterThan(2);
  });

  test('is not waited for by a caller who has gone', async () => {
    const { client, clock } = patient(() => away('20'));
    const gone = new AbortController();
    const list = client.queue.list({}, { signal: gone.signal }).catch((error: unknown) => error);
    await waitFor(() => expect(clock.timers()).toBe(1));
    gone.abort(new Error('enough'));
    expect(await list).toMatchObject({ message: 'enough' });
    expect(clock.timers()).toBe(0);
  });
});

test('pages come one after the other, as they are wanted', async () => {
  const { client, requests } = clientOf((request) => server.fetch(request));
  await client.task.enqueueMany({ tasks: Array.from({ length: 5 }, () => ({ name: 'any' })) });
  const sizes: number[] = [];
  for await (const { tasks } of pagesOf(client.task.list, { limit: 2 })) sizes.push(tasks.length);
  expect(sizes).toEqual([2, 2, 1]);
  const before = requests.length;
  for await (const { tasks } of pagesOf(client.task.list, { limit: 2 })) if (tasks.length > 0) break;
  expect(requests.length).toBe(before + 1);
});

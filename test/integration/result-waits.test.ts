/** Waits for results through a server: by one held request, by live updates where many wait, and by whatever is left of these. */

import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createApiClient } from '../../src/api/api-client.ts';
import { createApp } from '../../src/api/app.ts';
import { createLiveEndpoint } from '../../src/api/live/endpoint.ts';
import { serve } from '../../src/api/serve.ts';
import { createSqliteStore } from '../../src/broker/connect.ts';
import { systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import type { FinishedState } from '../../src/core/states.ts';
import { type Clock, systemClock } from '../../src/core/time.ts';
import { createLiveHub } from '../../src/live/hub.ts';
import { createContext } from '../../src/operations/context.ts';
import { claimRequest, finish, newTask, settlement } from '../conformance/samples.ts';
import { waitFor } from '../support/wait-for.ts';

const ids = createIds(systemClock, systemChance);
/** Waits a twentieth of the time between looks, and as long as ever for answers. */
const hasty: Clock = {
  ...systemClock,
  schedule: (ms, callback) => systemClock.schedule(ms >= limits.apiCallMs ? ms : ms / 20, callback),
};

type Send = (request: Request) => Promise<Response>;

async function start() {
  const store = createSqliteStore({ file: ':memory:' });
  await store.broker.open();
  const context = createContext({ store, actor: { name: 'ada', role: 'viewer' } });
  const live = createLiveEndpoint({ hub: createLiveHub({ context, report: () => undefined }), clock: systemClock });
  const app = createApp({ context, live, report: () => undefined });
  const server = await serve({ fetch: app, host: '127.0.0.1', port: 0, insecure: false, clock: systemClock });
  onTestFinished(async () => {
    await live.close();
    await server.close(0);
    await store.close();
  });
  const { broker } = store;
  return {
    live,
    broker,
    /** Paths that were asked for, and the client that asks through `send`. */
    client(send: Send = fetch) {
      const paths: string[] = [];
      const counted: Send = (request) => {
        paths.push(new URL(request.url).pathname.replace('/api/v1', ''));
        return send(request);
      };
      const client = createApiClient({ url: server.url, fetch: counted }, { clock: hasty, chance: systemChance });
      return { ...client, handle: client.handle, count: (path: string) => paths.filter((one) => one === path).length };
    },
    async enqueue(count: number): Promise<readonly string[]> {
      const made = ids.many(count);
      await broker.enqueue(made.map((id) => newTask(id)));
      return made;
    },
    /** Ends all that wait. */
    async end(to: FinishedState = 'succeeded', limit = 100): Promise<void> {
      const claimed = await broker.claim(claimRequest(randomBytes(16).toString('hex'), { limit }));
      await broker.settle(claimed.map(({ lease }) => settlement(lease.taskId, lease, finish(to))));
    },
  };
}

let world: Awaited<ReturnType<typeof start>>;
beforeEach(async () => {
  world = await start();
});

const done = { ok: true };

test('one who waits holds one request, and is answered when the task ends', async () => {
  const client = world.client();
  const [id = ''] = await world.enqueue(1);
  const handle = client.handle(id);
  expect(await handle.state()).toBe('queued');
  const result = handle.result();
  await waitFor(() => expect(client.count('/tasks/results')).toBe(2));
  await world.end();
  expect(await result).toEqual(done);
  expect([await handle.result(), client.count('/events')]).toEqual([done, 0]);
});

test('many who wait share a connection, whose messages say whom to look at', async () => {
  const client = world.client();
  const first = (await world.enqueue(40)).map((id) => client.handle(id).result());
  await waitFor(() => expect(world.live.connected).toBe(1));
  await world.end('succeeded', 20);
  // They begin one by one, while others end.
  const more: Promise<unknown>[] = [];
  for (const id of await world.enqueue(30)) more.push(client.handle(id).result());
  await world.end();
  expect(await Promise.all([...first, ...more])).toEqual(Array.from({ length: 70 }, () => done));
  expect(client.count('/tasks/results')).toBeLessThan(30);
  await waitFor(() => expect(world.live.connected).toBe(0));
});

test('more than one connection may follow are waited for over several', async () => {
  const client = world.client();
  const results = (await world.enqueue(2 * limits.resultsMax + 5)).map((id) => client.handle(id).result());
  await waitFor(() => expect(world.live.connected).toBe(3));
  for (const _part of [1, 2, 3]) await world.end();
  expect(new Set((await Promise.all(results)).map((one) => JSON.stringify(one)))).toEqual(new Set(['{"ok":true}']));
});

const isFeed = ({ url }: Request): boolean => url.includes('/events');
const silent = (): Response => new Response(new ReadableStream({ start: () => undefined }));

describe('results come all the same where the live updates', () => {
  test.each<[string, (request: Request, count: number) => Promise<Response>]>([
    ['are refused', async () => Response.json({ code: 'NOT_FOUND', detail: 'none', status: 404 }, { status: 404 })],
    ['are full', async () => Response.json({ code: 'LIVE_FULL', detail: 'full', status: 429 }, { status: 429 })],
    ['are not reached', () => Promise.reject(new TypeError('fetch failed'))],
    ['say nothing', async () => silent()],
    [
      'break again and again',
      (request) => {
        const cut = new AbortController();
        systemClock.schedule(systemChance.float() * 100, () => cut.abort());
        return fetch(request, { signal: AbortSignal.any([cut.signal, request.signal]) });
      },
    ],
  ])('%s', async (_what, feed) => {
    let feeds = 0;
    const client = world.client((request) => (isFeed(request) ? feed(request, feeds++) : fetch(request)));
    const results = (await world.enqueue(30)).map((id) => client.handle(id).result());
    for (let ended = 0; ended < 30; ended += 5) {
      await waitFor(() => expect(feeds).toBeGreaterThan(0));
      await world.end('succeeded', 5);
    }
    expect(await Promise.all(results)).toHaveLength(30);
  });

  test('tell of an end, and the look at it fails', async () => {
    let isAway = false;
    const client = world.client((request) =>
      isAway && !isFeed(request) ? Promise.reject(new TypeError('fetch failed')) : fetch(request),
    );
    const results = (await world.enqueue(10)).map((id) => client.handle(id).result());
    await waitFor(() => expect(world.live.connected).toBe(1));
    isAway = true;
    const before = client.count('/tasks/results');
    await world.end();
    await waitFor(() => expect(client.count('/tasks/results')).toBeGreaterThan(before));
    isAway = false;
    expect(await Promise.all(results)).toHaveLength(10);
  });
});

describe('a wait ends', () => {
  test('with the error of the task', async () => {
    const client = world.client();
    const failing = await world.enqueue(6);
    const errors = failing.map((id) =>
      client
        .handle(id)
        .result()
        .catch((error: unknown) => error),
    );
    await world.end('failed');
    expect(await Promise.all(errors)).toMatchObject(
      failing.map(() => ({ code: 'TASK_FAILED', cause: { message: 'connection refused' } })),
    );
    const [cancelled = ''] = await world.enqueue(1);
    await world.broker.cancel({ taskIds: [cancelled], reason: 'not wanted' });
    const { message } = (await client
      .handle(cancelled)
      .result()
      .catch((error: Error) => error)) as Error;
    expect(message).toContain('not wanted');
  });

  test('for a task that is not there, and with what the server refuses for good', async () => {
    const unknown = world.client().handle(ids.next());
    await expect(unknown.result()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    await expect(unknown.state()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    expect(() => world.client().handle('nonsense')).toThrow(expect.objectContaining({ code: 'INVALID_ID' }));
    const refused = world.client(async () =>
      Response.json({ code: 'UNAUTHENTICATED', detail: 'Not let in: x.', status: 401 }, { status: 401 }),
    );
    const all = ids.many(8).map((id) =>
      refused
        .handle(id)
        .result()
        .catch(({ code }: { code: string }) => code),
    );
    expect(new Set(await Promise.all(all))).toEqual(new Set(['UNAUTHENTICATED']));
  });

  test.each([1, 8])('after its time, and with its signal, while %i wait and no server answers', async (count) => {
    const client = world.client(() => Promise.reject(new TypeError('fetch failed')));
    const made = ids.many(count);
    const timeouts = made.map((id) =>
      client
        .handle(id)
        .result({ timeout: '20s' })
        .catch((error: unknown) => error),
    );
    const reason = new Error('nobody wants to know');
    const ending = new AbortController();
    const aborted = made.map((id) =>
      client
        .handle(id)
        .result({ signal: ending.signal })
        .catch((error: unknown) => error),
    );
    ending.abort(reason);
    expect(new Set(await Promise.all(aborted))).toEqual(new Set([reason]));
    for (const error of await Promise.all(timeouts))
      expect(error).toMatchObject({ code: 'RESULT_TIMEOUT', cause: { code: 'SERVER_UNREACHABLE' } });
  });
});

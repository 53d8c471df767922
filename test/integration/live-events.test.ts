/** Tests live updates as a browser gets them: server-sent events of a server on a real port. */
import { connect as connectSocket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import type { ConnectionLimits } from '../../src/api/live/connections.ts';
import { createLiveEndpoint, type LiveEndpoint } from '../../src/api/live/endpoint.ts';
import { type RunningServer, serve } from '../../src/api/serve.ts';
import { createSqliteStore } from '../../src/broker/connect.ts';
import { systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import type { LiveMessage } from '../../src/core/live.ts';
import { systemClock } from '../../src/core/time.ts';
import type { Store } from '../../src/history/history.ts';
import { createLiveHub } from '../../src/live/hub.ts';
import { createContext } from '../../src/operations/context.ts';
import { liveMessageOutput } from '../../src/operations/live-output.ts';
import type { Actor } from '../../src/operations/operation.ts';
import { newTask } from '../conformance/samples.ts';
import { expectProblem } from '../support/http.ts';
import { waitFor } from '../support/wait-for.ts';

const ids = createIds(systemClock, systemChance);

interface LiveServer {
  readonly store: Store;
  readonly live: LiveEndpoint;
  readonly server: RunningServer;
  readonly followed: () => number;
}

interface Given {
  readonly authenticate?: (request: Request) => Promise<Actor>;
  readonly connectionLimits?: ConnectionLimits;
}

async function start({ authenticate, connectionLimits }: Given = {}): Promise<LiveServer> {
  const store = createSqliteStore({ file: ':memory:' });
  await store.broker.open();
  const context = createContext({ store, actor: { name: 'ada', role: 'viewer' } });
  const hub = createLiveHub({ context, report: () => undefined });
  const live = createLiveEndpoint({
    hub,
    clock: systemClock,
    ...(connectionLimits && { connectionLimits }),
  });
  const fetch = createApp({ context, live, report: () => undefined, ...(authenticate && { authenticate }) });
  const server = await serve({ fetch, host: '127.0.0.1', port: 0, insecure: false, clock: systemClock });
  onTestFinished(async () => {
    await live.close();
    await server.close(0);
    await store.close();
  });
  return { store, live, server, followed: () => hub.followed };
}

interface Stream {
  readonly messages: LiveMessage[];
  readonly ids: string[];
  readonly ended: Promise<void>;
  stop(): void;
}

/** Reads until it is stopped, or the server ends it. */
async function follow(server: RunningServer, query: string, headers: Record<string, string> = {}): Promise<Stream> {
  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const response = await fetch(`${server.url}/api/v1/events?${query}`, { headers, signal: abort.signal });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  const messages: LiveMessage[] = [];
  const seen: string[] = [];
  const read = async (): Promise<void> => {
    let text = '';
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        const [, id, data] = /^id: (.*)\ndata: (.*)$/.exec(event) ?? [];
        if (data === undefined) continue;
        messages.push(JSON.parse(data) as LiveMessage);
        seen.push(id ?? '');
      }
    }
  };
  const ended = read().catch(() => undefined);
  return { messages, ids: seen, ended, stop: () => abort.abort() };
}

const put = async ({ broker }: Store): Promise<string> => {
  const id = ids.next();
  await broker.enqueue([newTask(id)]);
  return id;
};

const told = ({ messages }: Stream): readonly string[] =>
  messages.flatMap((message) => (message.type === 'changes' ? message.changes.map(({ id }) => id) : []));

test('what happens comes as events, whose ids are the cursors of their messages', async () => {
  const { store, server } = await start();
  const stream = await follow(server, 'topics=all,counts');
  await waitFor(() => expect(stream.messages[0]).toMatchObject({ type: 'open', topics: ['all', 'counts'] }));
  const made = await put(store);
  await waitFor(() => expect(told(stream)).toEqual([made]));
  await waitFor(() =>
    expect(stream.messages.findLast(({ type }) => type === 'state')).toMatchObject({ data: { counts: { queued: 1 } } }),
  );
  expect(stream.ids).toEqual(stream.messages.map(({ cursor }) => cursor));
  expect(stream.messages.map((message) => liveMessageOutput.parse(message))).toEqual(stream.messages);
});

test('a browser that comes back hears what it missed, and nothing twice', async () => {
  const { store, server } = await start();
  const first = await follow(server, 'topics=all');
  await waitFor(() => expect(first.messages).toHaveLength(1));
  const heard = await put(store);
  await waitFor(() => expect(told(first)).toEqual([heard]));
  first.stop();
  const missed = [await put(store), await put(store)];
  const second = await follow(server, 'topics=all', { 'last-event-id': first.ids.at(-1) ?? '' });
  await waitFor(() => expect(told(second)).toEqual(missed));
  const third = await follow(server, `topics=all&after=${encodeURIComponent(first.ids.at(-1) ?? '')}`);
  await waitFor(() => expect(told(third)).toEqual(missed));
});

test('a browser that comes back with anything else is told to ask anew', async () => {
  const { server } = await start();
  const stream = await follow(server, 'topics=all', { 'last-event-id': 'nonsense' });
  await waitFor(() => expect(stream.messages).toMatchObject([{ type: 'resync', reason: 'store' }]));
});

test.each([
  ['', 'topics'],
  ['topics=', 'topics'],
  ['topics=al', 'Did you mean all?'],
  ['topics=task:1', 'has 1 characters'],
  ['topics=queue:a%20b', 'topic queue'],
  ['topics=all&after=x', 'not the cursor'],
  ['topics=all&topic=counts', 'topic'],
  [`topics=${Array.from({ length: 101 }, (_, at) => `queue:q${at}`).join(',')}`, 'at most 100'],
])('a request that is not valid is refused: %s', async (query, problem) => {
  const { server } = await start();
  const response = await fetch(`${server.url}/api/v1/events?${query}`);
  const { status, detail } = (await response.json()) as { status: number; detail: string };
  expect([status, response.status]).toEqual([400, 400]);
  expect(detail).toContain(problem);
});

test('connections that are too many are refused, and free their places', async () => {
  const most = { liveConnectionsMax: 3, livePerActorMax: 2, livePerSessionMax: 1, livePerAddressMax: 3 };
  const authenticate = async ({ headers }: Request): Promise<Actor> => {
    const sessionId = headers.get('cookie');
    return { name: 'ada', role: 'viewer', ...(sessionId === null ? {} : { sessionId }) };
  };
  const { server, live } = await start({ connectionLimits: most, authenticate });
  const streams = [await follow(server, 'topics=all'), await follow(server, 'topics=all')];
  const url = `${server.url}/api/v1/events?topics=all`;
  await expectProblem(await fetch(url), 429, 'LIVE_FULL', 'ada has 2');
  const page = await follow(server, 'topics=all', { cookie: 'session=1' });
  await expectProblem(await fetch(url, { headers: { cookie: 'session=2' } }), 429, 'LIVE_FULL', 'This server has 3');
  page.stop();
  for (const stream of streams) stream.stop();
  await waitFor(() => expect(live.connected).toBe(0));
  await follow(server, 'topics=all');
});

test('one address has its share of the connections, whoever is behind it', async () => {
  const most = { liveConnectionsMax: 9, livePerActorMax: 9, livePerSessionMax: 9, livePerAddressMax: 2 };
  const { server, live } = await start({ connectionLimits: most });
  const streams = [await follow(server, 'topics=all'), await follow(server, 'topics=all')];
  const url = `${server.url}/api/v1/events?topics=all`;
  await expectProblem(await fetch(url), 429, 'LIVE_FULL', 'This address has 2');
  for (const stream of streams) stream.stop();
  await waitFor(() => expect(live.connected).toBe(0));
  await follow(server, 'topics=all');
});

test('whoever reaches some queues hears of no other', async () => {
  const authenticate = async (): Promise<Actor> => ({ name: 'bob', role: 'viewer', queues: ['mail*'] });
  const { store, server } = await start({ authenticate });
  const stream = await follow(server, 'topics=all,queue:default');
  await waitFor(() => expect(stream.messages.length).toBeGreaterThan(0));
  await put(store);
  const id = ids.next();
  await store.broker.enqueue([newTask(id, { queue: 'mail.out' })]);
  await waitFor(() => expect(told(stream)).toEqual([id]));
  expect(JSON.stringify(stream.messages)).not.toContain('"waiting":1');
});

test('who may look no more is cut off', async () => {
  let isRevoked = false;
  const authenticate = async (): Promise<Actor> => ({
    name: 'bob',
    role: 'viewer',
    isStillAllowed: async () => !isRevoked,
  });
  const { server, live } = await start({ authenticate });
  const stream = await follow(server, 'topics=all');
  await waitFor(() => expect(stream.messages).toHaveLength(1));
  isRevoked = true;
  await stream.ended;
  await waitFor(() => expect(live.connected).toBe(0));
});

test('a thousand who vanish leave nothing behind', { timeout: 120_000 }, async () => {
  const { server, live, followed } = await start();
  for (let round = 0; round < 20; round++) {
    const sockets = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const socket = connectSocket(server.port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.write('GET /api/v1/events?topics=all,counts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
        await new Promise((resolve) => socket.once('data', resolve));
        return socket;
      }),
    );
    for (const socket of sockets) socket.resetAndDestroy();
  }
  await waitFor(() => expect([live.connected, followed()]).toEqual([0, 0]), { timeout: 60_000 });
});

test('one who does not read costs a bounded memory, and is told to ask anew', async () => {
  const { store, server } = await start();
  const good = await follow(server, 'topics=all');
  const socket = connectSocket(server.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  socket.write('GET /api/v1/events?topics=all HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  await waitFor(() => expect(good.messages).toHaveLength(1));
  const made: string[] = [];
  // 60 messages of some 230 kB: more than what any buffer on the way holds.
  for (let round = 0; round < 60; round++) {
    const batch = ids.many(1_000);
    await store.broker.enqueue(batch.map((id) => newTask(id)));
    made.push(...batch);
    await waitFor(() => expect(told(good)).toHaveLength(made.length));
  }
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.resume();
  await waitFor(() => expect(text).toContain('"reason":"slow"'));
  expect(text.length).toBeLessThan(60 * 200_000);
  expect(good.messages.filter(({ type }) => type === 'resync')).toEqual([]);
});

test('a server that closes ends what is followed', async () => {
  const { server, live } = await start();
  const stream = await follow(server, 'topics=all');
  await waitFor(() => expect(stream.messages).toHaveLength(1));
  await live.close();
  await stream.ended;
  expect(live.connected).toBe(0);
});

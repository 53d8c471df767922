/** Tests clients of WebSockets that do what nobody should: go on after they were told to end, leave in between, never end, or speak badly. */
import { expect, test } from 'vitest';
import { systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import { systemClock } from '../../src/core/time.ts';
import type { Actor } from '../../src/operations/operation.ts';
import { newTask } from '../conformance/samples.ts';
import { frame, handshake, openRaw, openSocket, startSocketServer } from '../support/socket-server.ts';
import { waitFor } from '../support/wait-for.ts';

const ids = createIds(systemClock, systemChance);
const bob: Actor = { name: 'bob', role: 'viewer' };

/** Writes without an end, and never mind what comes back. */
function flood(client: Awaited<ReturnType<typeof openRaw>>, bytes: Buffer): void {
  const many = Buffer.concat(Array.from({ length: 200 }, () => bytes));
  const write = (): void => {
    if (!client.socket.destroyed) client.socket.write(many, () => setTimeout(write, 10));
  };
  write();
}

test.each([
  ['messages', frame('{"follow":["counts"]}')],
  ['nonsense', frame('}')],
  ['pings', frame('', 9)],
  ['pongs', frame('', 10)],
  ['empty messages', frame('')],
])('who goes on with %s after it was told to stop is cut off at once', async (_what, bytes) => {
  const { server, live } = await startSocketServer();
  const client = await openRaw(server, handshake());
  await waitFor(() => expect(live.connected).toBe(1));
  flood(client, bytes);
  // Far from what the protocol gives a closing.
  await waitFor(() => expect(live.connected).toBe(0), { timeout: 15_000 });
  await waitFor(() => expect(server.sockets.open).toBe(0));
});

test('a message in pieces without end is cut off', async () => {
  const { server, live } = await startSocketServer();
  const client = await openRaw(server, handshake());
  await waitFor(() => expect(live.connected).toBe(1));
  // The beginning of a text, and empty continuations that are never the last.
  client.socket.write(Buffer.from([0x01, 0x80, 0, 0, 0, 0]));
  for (let count = 0; count < 100; count++) client.socket.write(Buffer.from([0x00, 0x80, 0, 0, 0, 0]));
  await waitFor(() => expect(live.connected).toBe(0), { timeout: 15_000 });
  expect(client.bytes().subarray(-2).readUInt16BE()).toBe(1008);
});

test('what is followed and left in one breath is heard in its order', async () => {
  const { store, url, hub } = await startSocketServer();
  const client = await openSocket(url);
  client.ask({ follow: ['all'] });
  client.ask({ unfollow: ['all'] });
  client.ask({ follow: ['worker'] });
  await waitFor(() => expect(client.messages.some(({ topic }) => topic === 'worker')).toBe(true));
  expect(hub.followed).toBe(1);
  await store.broker.enqueue([newTask(ids.next())]);
  client.ask({ follow: ['counts'] });
  await waitFor(() => expect(client.messages.some(({ topic }) => topic === 'counts')).toBe(true));
  expect(client.told()).toEqual([]);
});

test('who comes back after a great deal hears all of it, as fast as it reads', { timeout: 120_000 }, async () => {
  const { store, url } = await startSocketServer();
  const before = await openSocket(url);
  before.ask({ follow: ['all'] });
  await waitFor(() => expect(before.messages).toHaveLength(1));
  before.socket.close();
  await before.closed;
  for (let count = 0; count < 60; count++) await store.broker.enqueue(ids.many(1_000).map((id) => newTask(id)));
  const client = await openSocket(url);
  client.ask({ follow: ['all'], after: before.messages[0]?.cursor });
  await waitFor(() => expect(client.told()).toHaveLength(60_000), { timeout: 60_000 });
  expect(client.messages.map(({ type }) => type)).not.toContain('resync');
  expect(client.socket.readyState).toBe(client.socket.OPEN);
});

test('who is gone before anybody knows who it is takes no place', async () => {
  const asked: PromiseWithResolvers<Actor>[] = [];
  const authenticate = (): Promise<Actor> => {
    const asking = Promise.withResolvers<Actor>();
    asked.push(asking);
    return asking.promise;
  };
  const { server, live } = await startSocketServer({ authenticate });
  const client = await openRaw(server, handshake());
  await waitFor(() => expect(asked).toHaveLength(1));
  client.socket.resetAndDestroy();
  await waitFor(() => expect(server.sockets.open).toBe(0));
  asked[0]?.resolve(bob);
  await openSocket(`ws://127.0.0.1:${server.port}/api/v1/ws`, await letIn(asked, bob));
  expect(live.connected).toBe(1);
});

/** Lets the next one in. */
async function letIn(asked: PromiseWithResolvers<Actor>[], actor: Actor): Promise<Record<string, string>> {
  const { length } = asked;
  void waitFor(() => expect(asked.length).toBeGreaterThan(length)).then(() => asked.at(-1)?.resolve(actor));
  return {};
}

test('who is refused and does not hang up is hung up on', async () => {
  const { server } = await startSocketServer({
    authenticate: async () => {
      const { taskFlowError } = await import('../../src/core/errors.ts');
      throw taskFlowError('UNAUTHENTICATED', { problem: 'no key' });
    },
  });
  const clients = [];
  for (let count = 0; count < 20; count++) clients.push(await openRaw(server, handshake()));
  for (const client of clients) await client.ended;
  for (const client of clients) expect(client.text()).toContain('"code":"UNAUTHENTICATED"');
  await waitFor(() => expect(server.sockets.open).toBe(0));
});

test.each([
  ['without its key', handshake({ 'Sec-WebSocket-Key': null }), 400],
  ['with a key that is none', handshake({ 'Sec-WebSocket-Key': 'x' }), 400],
  ['in another version', handshake({ 'Sec-WebSocket-Version': '12' }), 400],
  ['with a protocol that is none', handshake({ 'Sec-WebSocket-Protocol': ',,' }), 400],
  ['as a POST', handshake({}, 'POST /api/v1/ws HTTP/1.1'), 405],
])('a WebSocket that is asked for %s is refused in words, and closed', async (_what, text, status) => {
  const { server, live } = await startSocketServer();
  const client = await openRaw(server, text);
  await client.ended;
  expect(client.text()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(client.text()).toContain('content-type: application/problem+json');
  await waitFor(() => expect([server.sockets.open, live.connected]).toEqual([0, 0]));
});

test.each(['h2c', 'TLS/1.0', 'websocketx'])('a request that offers %s is answered as any other', async (protocol) => {
  const { server } = await startSocketServer();
  const client = await openRaw(server, handshake({ Upgrade: protocol }, 'GET /anything HTTP/1.1'));
  await waitFor(() => expect(client.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*ok$/));
});

test('all connections of one address follow a bounded number of topics, and those they leave are free', async () => {
  const { url, hub } = await startSocketServer();
  const topics = Array.from({ length: limits.liveTopicsMax }, (_, at) => `queue:q${at}`);
  const clients = [];
  for (let count = 0; count < limits.liveTopicsPerOwnerMax / limits.liveTopicsMax; count++) {
    const client = await openSocket(url);
    client.ask({ follow: topics });
    clients.push(client);
  }
  await waitFor(() => expect(hub.followed).toBe(limits.liveTopicsPerOwnerMax));
  const late = await openSocket(url);
  late.ask({ follow: ['all'] });
  await waitFor(() => expect(late.messages).toMatchObject([{ type: 'error', code: 'LIVE_FULL' }]));
  clients[0]?.ask({ unfollow: ['queue:q0'] });
  await waitFor(() => expect(hub.followed).toBe(limits.liveTopicsPerOwnerMax - 1));
  late.ask({ follow: ['all'] });
  await waitFor(() => expect(late.messages.at(-1)).toMatchObject({ type: 'open', topics: ['all'] }));
  for (const { socket } of clients) socket.terminate();
  await waitFor(() => expect(hub.followed).toBe(1));
});

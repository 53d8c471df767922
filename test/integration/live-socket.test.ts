/** Tests live updates over a WebSocket of a server on a real port: what is followed, refused, and cut off. */
import { connect as connectSocket } from 'node:net';
import { expect, test } from 'vitest';
import { systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import { systemClock } from '../../src/core/time.ts';
import type { Actor } from '../../src/operations/operation.ts';
import { newTask } from '../conformance/samples.ts';
import { openSocket, refusal, startSocketServer } from '../support/socket-server.ts';
import { waitFor } from '../support/wait-for.ts';

const ids = createIds(systemClock, systemChance);

test('a client follows and leaves topics as it likes, and goes on where it was', async () => {
  const { store, url } = await startSocketServer();
  const client = await openSocket(url);
  client.ask({ follow: ['all', 'counts'] });
  await waitFor(() => expect(client.messages.filter(({ type }) => type === 'open')).toHaveLength(2));
  const [first, second, third] = ids.many(3) as [string, string, string];
  await store.broker.enqueue([newTask(first)]);
  await waitFor(() => expect(client.told()).toEqual([first]));
  const cursor = client.messages.findLast(({ type }) => type === 'changes')?.cursor;
  client.ask({ unfollow: ['all'] });
  client.ask({ follow: ['nonsense'] });
  await waitFor(() => expect(client.messages.at(-1)).toMatchObject({ type: 'error', code: 'INVALID_OPTION' }));
  await store.broker.enqueue([newTask(second)]);
  client.ask({ follow: ['all'], after: cursor });
  await waitFor(() => expect(client.told()).toEqual([first, second]));
  await store.broker.enqueue([newTask(third)]);
  await waitFor(() => expect(client.told()).toEqual([first, second, third]));
});

test.each([
  ['no JSON', 'INVALID_JSON'],
  ['[]', 'INVALID_JSON'],
  ['{"folow":["all"]}', 'INVALID_OPTION'],
  ['{"follow":"all"}', 'INVALID_OPTION'],
  ['{"follow":["all,counts"]}', 'INVALID_OPTION'],
  ['{"follow":["all"],"after":7}', 'INVALID_OPTION'],
  ['{"follow":["all"],"after":"x"}', 'INVALID_OPTION'],
  ['{"follow":["task:1"]}', 'INVALID_ID'],
  [JSON.stringify({ follow: Array.from({ length: 101 }, (_, at) => `queue:q${at}`) }), 'INVALID_OPTION'],
])('a message that is not valid is answered, and the next one is heard: %s', async (text, code) => {
  const { url } = await startSocketServer();
  const client = await openSocket(url);
  client.socket.send(text);
  await waitFor(() => expect(client.messages).toMatchObject([{ type: 'error', code }]));
  client.ask({ follow: ['all'] });
  await waitFor(() => expect(client.messages.at(-1)).toMatchObject({ type: 'open' }));
});

test('pages of another origin, and strangers, are not let in', async () => {
  const authenticate = async ({ headers }: Request): Promise<Actor> => {
    const { taskFlowError } = await import('../../src/core/errors.ts');
    if (headers.get('authorization') === null) throw taskFlowError('UNAUTHENTICATED', { problem: 'no key' });
    return { name: 'bob', role: 'viewer' };
  };
  const { url, port } = await startSocketServer({ authenticate });
  const key = { authorization: 'Bearer x' };
  for (const origin of [
    'https://evil.example',
    'null',
    `http://127.0.0.1:${port + 1}`,
    'http://127.0.0.1.evil.example',
  ])
    expect(await refusal(url, { ...key, origin })).toEqual([403, 'CROSS_ORIGIN']);
  expect(await refusal(url, { ...key, cookie: 'a=b' })).toEqual([403, 'CROSS_ORIGIN']);
  expect(await refusal(url, { ...key, host: 'evil.example' })).toEqual([403, 'HOST_NOT_ALLOWED']);
  expect(await refusal(url)).toEqual([401, 'UNAUTHENTICATED']);
  expect(await refusal(url.replace('/ws', '/wss'), key)).toEqual([404, 'NOT_FOUND']);
  await openSocket(url, { ...key, origin: `http://127.0.0.1:${port}` });
  await openSocket(url, key);
});

test('who may look no more is cut off with 1008', async () => {
  let isRevoked = false;
  const authenticate = async (): Promise<Actor> => ({
    name: 'bob',
    role: 'viewer',
    isStillAllowed: async () => !isRevoked,
  });
  const { url, live } = await startSocketServer({ authenticate });
  const client = await openSocket(url);
  client.ask({ follow: ['all'] });
  isRevoked = true;
  expect(await client.closed).toBe(1008);
  await waitFor(() => expect(live.connected).toBe(0));
});

test('a flood is cut off and leaves good clients unharmed', { timeout: 120_000 }, async () => {
  const most = { liveConnectionsMax: 60, livePerActorMax: 60, livePerSessionMax: 5, livePerAddressMax: 60 };
  const { store, url, port, live } = await startSocketServer({ connectionLimits: most });
  const good = await openSocket(url);
  good.ask({ follow: ['all'] });
  await waitFor(() => expect(good.messages).toHaveLength(1));
  // Messages without end, one that is too large, one that is no text, and one that does not speak the protocol.
  const loud = await openSocket(url);
  for (let count = 0; count < 10_000; count++) loud.socket.send('{"follow":["counts"]}');
  const large = await openSocket(url);
  large.socket.send('x'.repeat(limits.liveFrameBytesMax + 1));
  const binary = await openSocket(url);
  binary.socket.send(Buffer.from([1, 2]));
  expect(await Promise.all([loud.closed, large.closed, binary.closed])).toEqual([1008, 1009, 1003]);
  const rude = connectSocket(port, '127.0.0.1');
  rude.on('error', () => undefined);
  rude.write(
    'GET /api/v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  rude.once('data', () => rude.write(Buffer.alloc(1_000, 0xff)));
  // Connections without end.
  const tries = await Promise.all(
    Array.from({ length: 400 }, () =>
      openSocket(url).then(
        () => 'open',
        () => 'refused',
      ),
    ),
  );
  expect(tries.filter((each) => each === 'open').length).toBeLessThanOrEqual(60);
  expect(live.connected).toBeLessThanOrEqual(60);
  const made = ids.many(3);
  for (const id of made) await store.broker.enqueue([newTask(id)]);
  await waitFor(() => expect(good.told()).toEqual(made));
  expect(good.messages.filter(({ type }) => type === 'resync')).toEqual([]);
  rude.destroy();
});

test('a client that never reads is closed with 1013 at a bounded memory', { timeout: 120_000 }, async () => {
  const { store, url, live } = await startSocketServer();
  const [good, slow] = [await openSocket(url), await openSocket(url)];
  for (const client of [good, slow]) client.ask({ follow: ['all'] });
  for (const client of [good, slow]) await waitFor(() => expect(client.messages).toHaveLength(1));
  slow.socket.pause();
  const made: string[] = [];
  while (live.connected > 1 && made.length < 200_000) {
    const batch = ids.many(1_000);
    await store.broker.enqueue(batch.map((id) => newTask(id)));
    made.push(...batch);
    await waitFor(() => expect(good.told()).toHaveLength(made.length));
  }
  expect(live.connected).toBe(1);
  expect(good.messages.filter(({ type }) => type === 'resync')).toEqual([]);
});

test('a thousand who vanish leave nothing behind', { timeout: 120_000 }, async () => {
  const { url, live, hub } = await startSocketServer();
  for (let round = 0; round < 20; round++) {
    const clients = await Promise.all(Array.from({ length: 50 }, () => openSocket(url)));
    for (const client of clients) client.ask({ follow: ['all', 'counts'] });
    if (round === 0)
      for (const client of clients) await waitFor(() => expect(client.messages.length).toBeGreaterThan(1));
    for (const { socket } of clients) socket.terminate();
  }
  await waitFor(() => expect([live.connected, hub.followed]).toEqual([0, 0]), { timeout: 60_000 });
});

/** Tests the connections of a server on a real port: caps, what is no request, and clients that do not read. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type RunningServer, type ServeOptions, serve } from '../../src/api/serve.ts';
import { limits } from '../../src/core/limits.ts';
import { readProxies } from '../../src/core/proxies.ts';
import { systemClock } from '../../src/core/time.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { waitFor } from '../support/wait-for.ts';

const running: RunningServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of running.splice(0)) await server.close(0);
});

async function start(options: Partial<ServeOptions> = {}): Promise<RunningServer> {
  const fetch: ServeOptions['fetch'] = async () => new Response('ok');
  const host = '127.0.0.1';
  const server = await serve({ fetch, host, port: 0, insecure: false, clock: systemClock, ...options });
  running.push(server);
  return server;
}

/** A connection from an address of this machine, and what was said on it. */
async function open(server: RunningServer, localAddress = '127.0.0.1', text = '') {
  const socket = connect({ port: server.port, host: '127.0.0.1', localAddress });
  sockets.push(socket);
  const heard: string[] = [];
  socket.on('data', (data) => heard.push(String(data)));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
  return { socket, text: () => heard.join('') };
}

const request = 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n';

test('more connections than there may be are told so and closed, and their places are free again', async () => {
  const server = await start({ connections: 3 });
  const held = [await open(server), await open(server), await open(server)];
  await waitFor(() => expect(server.sockets.open).toBe(3));
  const late = await open(server, '127.0.0.2', request);
  await once(late.socket, 'close');
  expect(late.text()).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
  expect(late.text()).toMatch(/retry-after: 1\r\n/);
  expect(late.text()).toContain('"code":"TOO_MANY_CONNECTIONS"');
  expect(server.sockets).toMatchObject({ open: 3, refused: 1 });
  held[0]?.socket.destroy();
  await waitFor(() => expect(server.sockets.open).toBe(2));
  const next = await open(server, '127.0.0.1', request);
  await waitFor(() => expect(next.text()).toContain('200 OK'));
  for (const { socket } of [...held, next]) socket.destroy();
  await waitFor(() => expect(server.sockets.open).toBe(0));
});

test('one address has its share, others the rest, and a proxy as many as there are', async () => {
  const server = await start({ connectionsPerAddress: 2, proxies: readProxies(['127.0.0.3']) });
  for (let count = 0; count < 2; count++) await open(server);
  const third = await open(server);
  await once(third.socket, 'close');
  expect(third.text()).toContain('This address has 2 connections');
  const other = await open(server, '127.0.0.2', request);
  await waitFor(() => expect(other.text()).toContain('200 OK'));
  for (let count = 0; count < 5; count++) await open(server, '127.0.0.3');
  await waitFor(() => expect(server.sockets).toMatchObject({ open: 8, refused: 1 }));
});

test.each([
  ['nonsense\r\n\r\n', 400, 'NOT_HTTP'],
  ['GET / HTTP/9.9\r\n\r\n', 400, 'NOT_HTTP'],
  ['POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', 400, 'NOT_HTTP'],
  ['POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd', 400, 'NOT_HTTP'],
  ['GET / HTTP/1.1\r\nhost: a\r\nx y: 1\r\n\r\n', 400, 'NOT_HTTP'],
  [`GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
  [`GET / HTTP/1.1\r\nhost: a\r\n${'x: 1\r\n'.repeat(150)}\r\n`, 431, 'HEADERS_TOO_LARGE'],
] as const)('what is no request is told so and closed: %j', async (text, status, code) => {
  const asked: unknown[] = [];
  const server = await start({
    fetch: async (one) => {
      asked.push(one.url);
      return new Response('ok');
    },
  });
  const { socket, text: heard } = await open(server, '127.0.0.1', text);
  await once(socket, 'close');
  expect(heard()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(heard()).toContain(`"code":"${code}"`);
  expect(asked).toEqual([]);
});

/** An answer of so many parts, made as they are read. */
function parts(count: number): Response {
  let left = count;
  return new Response(
    new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(new Uint8Array(64 * 1024));
        else controller.close();
      },
    }),
  );
}

test('who does not read an answer is cut off, and who reads slowly is not', async () => {
  const clock = createManualClock();
  // More than the buffers of the system take.
  const server = await start({ clock, fetch: async () => parts(1_000) });
  const never = await open(server, '127.0.0.1', request);
  never.socket.pause();
  const slow = await open(server, '127.0.0.2', request);
  let mayRead = 0;
  slow.socket.on('data', () => {
    if (slow.socket.bytesRead >= mayRead) slow.socket.pause();
  });
  for (let waited = 0; waited <= limits.socketStuckMs + limits.socketLookMs; waited += limits.socketLookMs) {
    mayRead += 1024 * 1024;
    slow.socket.resume();
    await waitFor(() => expect(slow.socket.bytesRead).toBeGreaterThanOrEqual(mayRead));
    await clock.advance(limits.socketLookMs);
  }
  await waitFor(() => expect(server.sockets).toMatchObject({ open: 1, stuck: 1 }));
  expect(slow.socket.destroyed).toBe(false);
});

test('a connection is closed in good order after very many requests', async () => {
  const server = await start();
  const one = await open(server);
  let closes = 0;
  let answers = 0;
  one.socket.on('data', (data) => {
    answers += String(data).split('200 OK').length - 1;
    closes += String(data).toLowerCase().split('connection: close').length - 1;
  });
  one.socket.write(request.repeat(limits.requestsPerConnectionMax));
  await once(one.socket, 'close');
  expect([answers, closes]).toEqual([limits.requestsPerConnectionMax, 1]);
});

test('of all that is asked at once one answer is made, and the next when that was read', async () => {
  const asked: string[] = [];
  // More than the buffers of the system take.
  const text = 'x'.repeat(16 * 1024 * 1024);
  const server = await start({
    async fetch({ url }) {
      const { pathname } = new URL(url);
      if (pathname === '/other') return new Response('other');
      asked.push(pathname);
      return new Response(text + pathname);
    },
  });
  const one = await open(server);
  one.socket.removeAllListeners('data');
  const ends: string[] = [];
  let last = '';
  one.socket.on('data', (data) => {
    const heard = last + data.toString('latin1');
    ends.push(...(heard.match(/x\/\d/g) ?? []));
    last = heard.slice(-2);
  });
  one.socket.pause();
  const paths = Array.from({ length: 5 }, (_, at) => `/${at}`);
  one.socket.write(paths.map((path) => request.replace('/', path)).join(''));
  await waitFor(() => expect(asked).toHaveLength(1));
  const other = await open(server, '127.0.0.2', request.replace('/', '/other'));
  await waitFor(() => expect(other.text()).toContain('other'));
  expect(asked).toEqual(['/0']);
  one.socket.resume();
  await waitFor(() => expect(ends).toEqual(paths.map((path) => `x${path}`)), { timeout: 50_000 });
  expect(asked).toEqual(paths);
});

test('a body that waits for its turn comes whole', async () => {
  const first = Promise.withResolvers<void>();
  const server = await start({
    async fetch(asked) {
      if (asked.method === 'GET') await first.promise;
      return new Response(asked.method === 'GET' ? 'first' : `${(await asked.arrayBuffer()).byteLength} bytes`);
    },
  });
  const one = await open(server, '127.0.0.1', request);
  // In pieces: also what comes while nothing is read.
  const body = 'x'.repeat(500_000);
  one.socket.write(`POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${3 * body.length}\r\n\r\n`);
  for (let count = 0; count < 3; count++) one.socket.write(body);
  one.socket.write(request);
  const other = await open(server, '127.0.0.2', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx');
  await waitFor(() => expect(other.text()).toContain('1 bytes'));
  first.resolve();
  await waitFor(() => expect(one.text().match(/first|\d+ bytes/g)).toEqual(['first', '1500000 bytes', 'first']));
});

test('who has too many requests wait is cut off, and nothing of those is done', async () => {
  const asked: string[] = [];
  const server = await start({
    pipelined: 10,
    async fetch({ url }) {
      asked.push(url);
      return url.endsWith('/never') ? new Promise(() => {}) : new Response('ok');
    },
  });
  const one = await open(server, '127.0.0.1', request.replace('/', '/never') + request.repeat(20));
  await once(one.socket, 'close');
  expect(asked).toHaveLength(1);
  const other = await open(server, '127.0.0.1', request.repeat(8));
  await waitFor(() => expect(other.text().match(/200 OK/g)).toHaveLength(8));
  expect(server.sockets.refused).toBe(1);
});

test('what waits on a connection that is closed is forgotten', async () => {
  const asked: string[] = [];
  const server = await start({
    pipelined: 10,
    async fetch({ url }) {
      asked.push(url);
      return new Promise(() => {});
    },
  });
  for (let count = 1; count <= 5; count++) {
    const one = await open(server, '127.0.0.1', request.repeat(9));
    await waitFor(() => expect(asked).toHaveLength(count));
    one.socket.destroy();
    await waitFor(() => expect(server.sockets.open).toBe(0));
  }
  expect(server.sockets.refused).toBe(0);
});

test('an address that reads nothing gets nothing more, and others and probes do', async () => {
  const server = await start({
    unread: 20 * 1024 * 1024,
    fetch: async ({ url }) => new Response(url.endsWith('/large') ? 'x'.repeat(16 * 1024 * 1024) : 'small'),
  });
  const deaf = [];
  for (let count = 0; count < 2; count++) {
    const one = await open(server, '127.0.0.2', request.replace('/', '/large'));
    one.socket.pause();
    deaf.push(one);
  }
  const codeOf = async (address: string, path: string): Promise<string> => {
    const one = await open(server, address, request.replace('/', path));
    await waitFor(() => expect(one.text()).toMatch(/small|"code"/));
    one.socket.destroy();
    return /"code":"(\w+)"/.exec(one.text())?.[1] ?? 'small';
  };
  await waitFor(async () => expect(await codeOf('127.0.0.2', '/')).toBe('ANSWERS_UNREAD'));
  expect([await codeOf('127.0.0.1', '/'), await codeOf('127.0.0.2', '/healthz')]).toEqual(['small', 'small']);
  for (const { socket } of deaf) socket.destroy();
  await waitFor(async () => expect(await codeOf('127.0.0.2', '/')).toBe('small'));
});

test('who has not read is known by address and by key, and behind a proxy by key alone', async () => {
  const proxies = readProxies(['127.0.0.3']);
  const server = await start({
    proxies,
    async fetch({ url }, peer) {
      const { pathname, searchParams } = new URL(url);
      const hasRead = peer?.hasRead?.(searchParams.get('key') ?? undefined);
      return new Response(pathname === '/large' ? 'x'.repeat(32 * 1024 * 1024) : `${hasRead} `);
    },
  });
  const hasRead = async (address: string, key: string): Promise<string> => {
    const one = await open(server, address, request.replace('/', `/small?key=${key}`));
    await waitFor(() => expect(one.text()).toMatch(/(true|false) /));
    one.socket.destroy();
    return /(true|false) /.exec(one.text())?.[1] ?? '';
  };
  const deaf = await open(server, '127.0.0.2', request.replace('/', '/large?key=a'));
  deaf.socket.pause();
  await waitFor(async () => expect(await hasRead('127.0.0.2', 'b')).toBe('false'));
  expect([await hasRead('127.0.0.1', 'a'), await hasRead('127.0.0.1', 'b')]).toEqual(['false', 'true']);
  const proxied = await open(server, '127.0.0.3', request.replace('/', '/large?key=c'));
  proxied.socket.pause();
  await waitFor(async () => expect(await hasRead('127.0.0.3', 'c')).toBe('false'));
  expect(await hasRead('127.0.0.3', 'b')).toBe('true');
  for (const { socket } of [deaf, proxied]) socket.destroy();
  await waitFor(async () => expect(await hasRead('127.0.0.2', 'a')).toBe('true'));
});

/** Tests the server on a real port: where it listens, slow clients, and how it closes. */
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type RunningServer, type ServeOptions, serve } from '../../src/api/serve.ts';
import { readProxies } from '../../src/core/proxies.ts';
import { systemClock } from '../../src/core/time.ts';

const running: RunningServer[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close(0);
});

async function start(options: Partial<ServeOptions> = {}): Promise<RunningServer> {
  const server = await serve({
    fetch: async () => new Response('ok'),
    host: '127.0.0.1',
    port: 0,
    insecure: false,
    clock: systemClock,
    ...options,
  });
  running.push(server);
  return server;
}

test('listens on a free port of this machine and says where', async () => {
  const server = await start();
  expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
  expect(await (await fetch(server.url)).text()).toBe('ok');
});

test('listens on IPv6 and on localhost', async () => {
  for (const host of ['localhost', '::1']) {
    const server = await start({ host });
    expect((await fetch(server.url)).status).toBe(200);
  }
});

test.each(['0.0.0.0', '::', 'example.com', '192.168.1.2', ''])(
  'refuses to listen on %j, which others may reach',
  async (host) => {
    await expect(start({ host })).rejects.toMatchObject({ code: 'INSECURE_BIND' });
  },
);

test('says that a port is taken, and names the next one', async () => {
  const { port } = await start();
  await expect(start({ port })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    hint: `Use another one: --port ${port + 1}`,
  });
});

test('says that a host is not of this machine', async () => {
  await expect(start({ host: '203.0.113.7', insecure: true })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
});

test('waits for a request in flight when it closes, and takes no new one', async () => {
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let asked = () => {};
  const inFlight = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const server = await start({
    fetch: async () => {
      asked();
      await answered;
      return new Response('late');
    },
  });
  const response = fetch(server.url);
  await inFlight;
  const closing = server.close();
  await expect(fetch(server.url)).rejects.toThrow();
  answer();
  expect(await (await response).text()).toBe('late');
  await closing;
});

test('does not wait for ever when it closes', async () => {
  const server = await start({ fetch: () => new Promise<Response>(() => {}) });
  const response = fetch(server.url).catch(() => 'cut off');
  await fetch(server.url, { signal: AbortSignal.timeout(100) }).catch(() => {});
  await server.close(50);
  expect(await response).toBe('cut off');
});

test('takes the word of proxies it was told of on who asks, and of nobody else', async () => {
  const heard: unknown[] = [];
  const fetchHandler: ServeOptions['fetch'] = async (_request, peer) => {
    heard.push(peer);
    return new Response('ok');
  };
  const headers = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' };
  await fetch((await start({ fetch: fetchHandler })).url, { headers });
  await fetch((await start({ fetch: fetchHandler, proxies: readProxies(['loopback']) })).url, { headers });
  expect(heard).toEqual([
    { address: '127.0.0.1', isHttps: false },
    { address: '203.0.113.9', isHttps: true },
  ]);
});

test('survives clients that speak nonsense or go away', async () => {
  const server = await start();
  for (const text of [
    'nonsense\r\n\r\n',
    'GET / HTTP/1.1\r\n',
    `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc',
  ]) {
    await new Promise<void>((resolve) => {
      const socket = connect(server.port, '127.0.0.1', () => {
        socket.write(text, () => setTimeout(() => socket.destroy(), 20));
      });
      socket.on('close', () => resolve());
      socket.on('error', () => {});
    });
  }
  expect((await fetch(server.url)).status).toBe(200);
});

/** Tests the server on a real port: where it listens, slow clients, and how it closes. */
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type RunningServer, type ServeOptions, serve } from '../../src/api/serve.ts';
import { limits } from '../../src/core/limits.ts';
import { readProxies } from '../../src/core/proxies.ts';
import { systemClock } from '../../src/core/time.ts';
import type { Role } from '../../src/operations/operation.ts';
import { startServer } from '../support/http.ts';
import { waitFor } from '../support/wait-for.ts';

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
  const fetchHandler: ServeOptions['fetch'] = async (_request, { address, isHttps } = {}) => {
    heard.push({ address, isHttps });
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

describe('a request that does not come to its end', () => {
  /** Sends a head and what follows, and keeps the connection open. */
  function send(port: number, type: string, chunk: string, path = '/api/v1/tasks/batch') {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => {
      answer += String(data);
    });
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(`POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${type}\r\n`);
    socket.write(`Transfer-Encoding: chunked\r\n\r\n${chunked(chunk)}`);
    return { socket, closed, answer: () => answer };
  }

  const chunked = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
  const line = `${JSON.stringify({ name: 'text.stats', input: { path: '.' } })}\n`;

  async function startApi(role: Role = 'operator') {
    const app = await startServer(role);
    const arrived = Promise.withResolvers<void>();
    const { clock } = app.context;
    const server = await start({
      clock,
      fetch(request) {
        arrived.resolve();
        return app.fetch(request);
      },
    });
    return { app, port: server.port, arrived: arrived.promise };
  }

  test('is cut off after its time', async () => {
    const { app, port, arrived } = await startApi();
    const { closed, answer } = send(port, 'application/json', '{');
    await arrived;
    await app.move(limits.requestMs + 1_000);
    await closed;
    expect(answer()).toBe('');
  });

  test('is read on as a stream while something comes, and then told what of it was accepted', async () => {
    const { app, port, arrived } = await startApi();
    const { socket, closed, answer } = send(port, 'application/x-ndjson', line);
    await arrived;
    for (let sent = 1; sent < 4; sent++) {
      await waitFor(() => expect(answer()).toContain(`"line":${sent}`));
      await app.move(limits.streamIdleMs - 1_000);
      socket.write(chunked(line));
    }
    await waitFor(() => expect(answer()).toContain('"line":4'));
    await app.move(limits.streamIdleMs);
    // Also the end of the last chunk: whoever reads it knows that nothing was cut off.
    await waitFor(() => expect(answer()).toMatch(/"end":"stopped","lines":4.*STREAM_STALLED.*\r\n0\r\n\r\n$/s));
    await app.move(limits.requestMs);
    await closed;
  });

  test.each(['/api/v1/tasks', '/tasks/selected'])('has no more time at %s, which takes no stream', async (path) => {
    const { app, port, arrived } = await startApi();
    const { closed, answer } = send(port, 'application/x-ndjson', '{', path);
    await arrived;
    await app.move(limits.requestMs + 1_000);
    await closed;
    expect(answer()).toBe('');
  });

  test('has no more time as a stream when it is refused', async () => {
    const { app, port, arrived } = await startApi('viewer');
    const { closed, answer } = send(port, 'application/x-ndjson', line);
    await arrived;
    await waitFor(() => expect(answer()).toContain('FORBIDDEN'));
    await app.move(limits.requestMs + 1_000);
    await closed;
  });
});

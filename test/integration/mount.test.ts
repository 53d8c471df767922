/** Tests the dashboard in other people's programs: links, forms, bodies, who may look, and whatever prefix stands before it. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { securityHeaders } from '../../src/api/guard.ts';
import { type Dashboard, type DashboardOptions, dashboard } from '../../src/index.ts';
import { type Host, hosts, listening, proxyTo } from '../support/hosts.ts';
import { expectProblem, json } from '../support/http.ts';
import { waitFor } from '../support/wait-for.ts';

const folder = mkdtempSync(join(tmpdir(), 'taskflow-mount-'));
afterAll(() => rmSync(folder, { recursive: true }));
const broker = `sqlite:${join(folder, 'tasks.db')}`;

const asAda: DashboardOptions['authorize'] = () => ({ name: 'ada', role: 'admin' });
const errors: unknown[] = [];
const make = (options: Partial<DashboardOptions>): Dashboard =>
  dashboard({ broker, authorize: asAda, onError: (error) => void errors.push(error), ...options });

/** What a browser follows on a page, as whole addresses. */
async function linksOf(url: string): Promise<readonly string[]> {
  const response = await fetch(url);
  expect([url, response.status]).toEqual([url, 200]);
  const text = await response.text();
  return [...text.matchAll(/ (?:href|action|src)="([^"]*)"/g)]
    .map(([, link = '']) => link.replaceAll('&amp;', '&'))
    .filter((link) => !link.startsWith('#'))
    .map((link) => new URL(link, response.url).href);
}

/** Checks that every link of the pages stays below `root` and leads somewhere. */
async function checkSite(root: string, pages = ['', '/', '/tasks', '/schedules']): Promise<void> {
  const links = new Set((await Promise.all(pages.map((page) => linksOf(root + page)))).flat());
  expect(links.size).toBeGreaterThan(5);
  for (const link of links) {
    expect(link === root || link.startsWith(`${root}/`) || link.startsWith(`${root}?`)).toBe(true);
    const response = await fetch(link);
    // What a form is sent to may take nothing else.
    expect([link, [200, 405].includes(response.status)]).toEqual([link, true]);
    await response.body?.cancel();
  }
}

/** Enqueues by the API and by a form of a page, and reads what was stored where the answers say it is. */
async function checkWrites(root: string): Promise<void> {
  const body = { name: 'mail.send', input: { to: 'ada' } };
  const created = await fetch(`${root}/api/v1/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(created.status).toBe(201);
  const location = new URL(created.headers.get('location') ?? '', created.url);
  expect(await json(await fetch(location))).toMatchObject(body);
  const run = await fetch(`${root}/tasks`, {
    method: 'POST',
    headers: { 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams({ name: 'by.form', input: '{"a":"ü&="}' }),
  });
  expect(run.status).toBe(200);
  expect(run.url.startsWith(`${root}/tasks/`)).toBe(true);
  expect(await run.text()).toContain('by.form');
  const bad = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name":' };
  const refused = await fetch(`${root}/api/v1/tasks`, bad);
  expect([refused.status, refused.headers.get('content-type')?.split(';')[0]]).toEqual([400, expect.any(String)]);
}

const base = '/admin/tasks';

describe.each(Object.entries(hosts))('in %s', (_name, start) => {
  let tf: Dashboard;
  let host: Host;
  beforeAll(async () => {
    tf = make({ basePath: base });
    host = await start(tf, base);
  });
  afterAll(async () => {
    await host.close();
    await tf.close();
  });

  test('all links of the pages lead into it, and somewhere', () => checkSite(host.url + base));

  test('tasks come by the API and by forms', () => checkWrites(host.url + base));

  test('events come as they happen, and end with the reader', async () => {
    const leave = new AbortController();
    const response = await fetch(`${host.url}${base}/api/v1/events?topics=all`, { signal: leave.signal });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let heard = '';
    const until = async (wanted: string) => {
      while (!heard.includes(wanted)) heard += (await reader.read()).value;
    };
    await until('"open"');
    const made = await fetch(`${host.url}${base}/api/v1/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"mail.send"}',
    });
    const { id } = await json(made);
    await until(String(id));
    leave.abort();
    await reader.cancel().catch(() => undefined);
  });

  test('a WebSocket hears what happens, through the upgrade of the host', async () => {
    host.server.on('upgrade', tf.upgrade());
    const socket = new WebSocket(`${host.url.replace('http', 'ws')}${base}/api/v1/ws`);
    const heard: string[] = [];
    socket.on('message', (data) => heard.push(String(data)));
    await once(socket, 'open');
    socket.send(JSON.stringify({ follow: ['all'] }));
    await waitFor(() => expect(heard.join('')).toContain('"open"'));
    const made = await fetch(`${host.url}${base}/api/v1/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"mail.send"}',
    });
    const { id } = await json(made);
    await waitFor(() => expect(heard.join('')).toContain(String(id)));
    socket.terminate();
    host.server.removeAllListeners('upgrade');
  });

  test('what is beside it is left alone', async () => {
    const response = await fetch(`${host.url}/else`);
    expect([response.status, response.headers.get('content-security-policy')]).toEqual([
      404,
      expect.not.stringContaining('form-action') as unknown,
    ]);
  });
});

describe('behind a proxy', () => {
  const running: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.close();
  });
  const keep = <One extends { close(): Promise<void> }>(one: One): One => {
    running.push(one);
    return one;
  };
  const start = async (basePath: string): Promise<Host> => {
    const handler = keep(make({ basePath })).node();
    return keep(await listening(createServer((request, response) => void handler(request, response))));
  };

  test('that takes the prefix off', async () => {
    const proxy = keep(await proxyTo(await start('/'), '/ops/tf', ''));
    // Its root needs the slash at its end: of a prefix that nobody told us of, nothing else could be known.
    await checkSite(`${proxy.url}/ops/tf`, ['/', '/tasks', '/schedules']);
  });

  test('that takes the prefix off, which it was told', async () => {
    const proxy = keep(await proxyTo(await start('/ops/tf'), '/ops/tf', ''));
    await checkSite(`${proxy.url}/ops/tf`);
    await checkWrites(`${proxy.url}/ops/tf`);
  });

  test('that keeps the prefix', async () => {
    const proxy = keep(await proxyTo(await start('/ops/tf'), '', ''));
    await checkSite(`${proxy.url}/ops/tf`);
    await checkWrites(`${proxy.url}/ops/tf`);
  });
});

describe('who may look', () => {
  const ask = (authorize: DashboardOptions['authorize'], path: string, init: RequestInit = {}) =>
    make({ authorize }).fetch(new Request(`http://tasks.example.com${path}`, init));

  test('is said by the host: nobody gets 401, and no page', async () => {
    const response = await ask(() => null, '/api/v1/tasks');
    await expectProblem(response, 401, 'UNAUTHENTICATED');
    for (const path of ['/', '/tasks', '/metrics', '/api/v1/queues'])
      expect([path, (await ask(async () => null, path)).status]).toEqual([path, 401]);
  });

  test('or its own answer, as it is', async () => {
    const own = new Response('please log in', { status: 302, headers: { location: '/login', 'x-own': '1' } });
    const response = await ask(() => own, '/tasks');
    expect([response.status, response.headers.get('location'), response.headers.get('x-own')]).toEqual([
      302,
      '/login',
      '1',
    ]);
    expect(response.headers.get('content-security-policy')).toBeNull();
  });

  test('is asked with the cookies of the request, and with each one', async () => {
    const asked: (string | null)[] = [];
    const authorize: DashboardOptions['authorize'] = (request) => {
      asked.push(request.headers.get('cookie'));
      return { name: 'ada', role: 'viewer' };
    };
    const headers = { cookie: 'sid=1' };
    expect((await ask(authorize, '/api/v1/queues', { headers })).status).toBe(200);
    expect(asked).toEqual(['sid=1']);
  });

  test('and what, by the role: a viewer changes nothing', async () => {
    const viewer = { name: 'ada', role: 'viewer' } as const;
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name":"a"}' };
    await expectProblem(await ask(() => viewer, '/api/v1/tasks', init), 403, 'FORBIDDEN');
  });

  test('probes ask for nobody', async () => {
    for (const path of ['/healthz', '/health']) expect((await ask(() => null, path)).status).toBe(200);
  });

  test.each([{ name: 'ada' }, { name: '', role: 'admin' }, { name: 'ada', role: 'root' }, 'ada', true])(
    'an answer that is none, %j, lets nobody in',
    async (answer) => {
      errors.length = 0;
      const response = await ask(() => answer as never, '/api/v1/queues');
      expect([response.status, errors.length]).toEqual([500, 1]);
    },
  );

  test('an error of the host lets nobody in, and is told to it alone', async () => {
    errors.length = 0;
    const response = await ask(() => Promise.reject(new Error('secret place')), '/api/v1/queues');
    const problem = await expectProblem(response, 500, 'INTERNAL');
    expect(JSON.stringify(problem)).not.toContain('secret');
    expect(errors).toHaveLength(1);
  });
});

describe('the upgrade', () => {
  const running: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.close();
  });

  async function start(options: Partial<DashboardOptions>) {
    const tf = make({ basePath: base, ...options });
    const server = createServer();
    server.on('upgrade', (request, socket, head) => {
      if (!tf.upgrade()(request, socket, head)) socket.end('HTTP/1.1 418 Its own\r\n\r\n');
    });
    const host = await listening(server);
    running.push(tf, host);
    return host.url.replace('http', 'ws');
  }

  /** The status of what is refused, or 101. */
  async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number | undefined> {
    const socket = new WebSocket(url, { headers });
    socket.on('error', () => undefined);
    const status = await Promise.race([
      once(socket, 'open').then(() => 101),
      new Promise<number | undefined>((resolve) =>
        socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode)),
      ),
    ]);
    socket.terminate();
    return status;
  }

  test('leaves what is elsewhere to the host', async () => {
    const url = await start({});
    expect(await statusOf(`${url}/api/v1/ws`)).toBe(418);
    expect(await statusOf(`${url}${base}s/api/v1/ws`)).toBe(418);
    expect(await statusOf(`${url}${base}/else`)).toBe(404);
    expect(await statusOf(`${url}${base}/api/v1/ws`)).toBe(101);
  });

  test('asks the host who it is, with the cookies, and again while it is open', async () => {
    let isSignedIn = true;
    const url = await start({
      authorize: ({ headers }) =>
        isSignedIn && headers.get('cookie') === 'sid=1' ? { name: 'ada', role: 'viewer' } : null,
    });
    expect(await statusOf(`${url}${base}/api/v1/ws`)).toBe(401);
    const socket = new WebSocket(`${url}${base}/api/v1/ws`, {
      headers: { cookie: 'sid=1', origin: url.replace('ws', 'http') },
    });
    await once(socket, 'open');
    isSignedIn = false;
    expect((await once(socket, 'close'))[0]).toBe(1008);
  });

  test('knows who has a name of any length while it is open', async () => {
    let asked = 0;
    const url = await start({
      authorize() {
        asked += 1;
        return { name: 'a'.repeat(300), role: 'viewer' };
      },
    });
    const socket = new WebSocket(`${url}${base}/api/v1/ws`);
    let code = 0;
    socket.on('close', (given) => {
      code = given;
    });
    await once(socket, 'open');
    await waitFor(() => expect(asked).toBeGreaterThanOrEqual(3));
    expect(code).toBe(0);
    socket.terminate();
  });

  test('refuses pages of other origins', async () => {
    const url = await start({});
    expect(await statusOf(`${url}${base}/api/v1/ws`, { origin: 'https://evil.example' })).toBe(403);
  });

  test('says 503 while the store cannot be opened', async () => {
    const url = await start({ broker: 'redis://127.0.0.1:1' });
    expect(await statusOf(`${url}${base}/api/v1/ws`)).toBe(503);
  });
});

test('takes the record from the host: one apart from a broker that has its own is refused', async () => {
  const tf = make({ store: `sqlite:${join(folder, 'record.db')}` });
  await expectProblem(await tf.fetch(new Request('http://host/api/v1/queues')), 503, 'NOT_READY', 'NOT_SUPPORTED');
  await tf.close();
});

test('refuses to be mounted without an answer to who may look, and misspelt options', () => {
  expect(() => dashboard({} as never)).toThrowError(/authorize/);
  expect(() => dashboard({ authorize: asAda, basepath: '/x' } as never)).toThrowError(/basePath/);
  expect(() => make({ basePath: 'admin' })).toThrowError(/basePath/);
});

test('a store that cannot be opened is 503 with the code alone, and is tried again', async () => {
  errors.length = 0;
  const tf = make({ broker: 'redis://127.0.0.1:1' });
  const response = await tf.fetch(new Request('http://host/api/v1/queues', { headers: { 'x-request-id': 'r-1' } }));
  expect(Object.fromEntries(response.headers)).toMatchObject({ 'x-request-id': 'r-1', ...securityHeaders });
  const problem = await expectProblem(response, 503, 'NOT_READY');
  expect(JSON.stringify(problem)).not.toContain('127.0.0.1');
  expect(errors).toHaveLength(1);
  await tf.close();
});

test('a person is shown a page meanwhile that asks again by itself, with its style sheet', async () => {
  const tf = make({ broker: 'redis://127.0.0.1:1', basePath: '/ops/tf' });
  const page = await tf.fetch(new Request('http://host/ops/tf/tasks'));
  const text = await page.text();
  expect([page.status, page.headers.get('retry-after')]).toEqual([503, '3']);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(text).toContain('<meta http-equiv="refresh" content="3"');
  expect(text).toContain('NOT_READY');
  expect(text).not.toContain('127.0.0.1');
  const [, sheet = ''] = /href="([^"]+\.css)"/.exec(text) ?? [];
  const style = await tf.fetch(new Request(new URL(sheet, 'http://host/ops/tf/tasks')));
  expect([style.status, style.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8']);
  await tf.close();
});

test('opens its store with the first request, and anew after a close', async () => {
  const tf = make({});
  await tf.close();
  const get = () => tf.fetch(new Request('http://host/api/v1/queues'));
  expect((await get()).status).toBe(200);
  await tf.close();
  expect((await get()).status).toBe(200);
  await tf.close();
});

/** Tests what the REST API refuses, and in which words. */
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { base, expectProblem, json, startServer, type TestServer } from '../support/http.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

describe('what is refused', () => {
  test('an invalid input, with the path and the reason', async () => {
    const problem = await expectProblem(
      await server.post('/api/v1/tasks', { name: 'text.stats', input: { path: 5, depth: 1.5 } }),
      400,
      'INVALID_INPUT',
      'text.stats',
    );
    expect(problem.details).toMatchObject({
      problems: [{ path: 'path', message: expect.stringContaining('expected string') }, { path: 'depth' }],
    });
    expect(await json(await server.get('/api/v1/tasks'))).toMatchObject({ tasks: [] });
  });

  test.each(['9999-12-31T23:59:59-00:01', '1970-01-01T00:00:00+00:01'])(
    'a time that no reader of four digits has: %s',
    async (at) => {
      await expectProblem(
        await server.post('/api/v1/tasks', { name: 'any', at }),
        400,
        'INVALID_OPTION',
        '1970 to 9999',
      );
    },
  );

  test('an unknown field, with the nearest known one', async () => {
    const problem = await expectProblem(
      await server.post('/api/v1/tasks', {
        name: 'text.stats',
        input: { path: '.' },
        dealy: '5s',
        retry: { atempts: 3 },
      }),
      400,
      'INVALID_OPTION',
    );
    expect(problem.details).toMatchObject({
      problems: expect.arrayContaining([{ path: 'dealy', message: 'unknown field. Did you mean delay?' }]),
    });
    await expectProblem(await server.get('/api/v1/tasks?limt=5'), 400, 'INVALID_OPTION', 'Did you mean limit?');
    await expectProblem(await server.get('/api/v1/tasks?after=zzzz'), 400, 'INVALID_OPTION', 'not the `next`');
    await expectProblem(await server.get('/api/v1/tasks?q=a&q=b'), 400, 'INVALID_OPTION', 'more than once');
  });

  test.each([
    [{ name: '' }, 'INVALID_OPTION'],
    [{ name: 'a b' }, 'INVALID_OPTION'],
    [{ name: 'x'.repeat(201) }, 'INVALID_OPTION'],
    [{}, 'INVALID_OPTION'],
    [[], 'INVALID_OPTION'],
    ['null', 'INVALID_OPTION'],
    [{ name: 'a', delay: '5 mins' }, 'INVALID_OPTION'],
    [{ name: 'a', delay: '5s', at: '2026-11-23T09:00:00Z' }, 'INVALID_OPTION'],
    [{ name: 'a', at: 'tomorrow' }, 'INVALID_OPTION'],
    [{ name: 'a', priority: 10 }, 'INVALID_OPTION'],
    [{ name: 'a', priority: 'hihg' }, 'INVALID_OPTION'],
    [{ name: 'a', queue: 'a,b' }, 'INVALID_OPTION'],
    [{ name: 'a', tags: Array(17).fill('t') }, 'INVALID_OPTION'],
    [{ name: 'a', keyFor: '1d' }, 'INVALID_OPTION'],
    [{ name: 'a', retry: 0 }, 'INVALID_OPTION'],
    [{ name: 'a', id: 'nonsense' }, 'INVALID_ID'],
    ['{"name":', 'INVALID_JSON'],
    ['', 'INVALID_OPTION'],
    ['\ud800', 'INVALID_JSON'],
    ['{"name":"a","input":{"__proto__":{"x":1}}}', 'PAYLOAD_NOT_JSON'],
    ['{"name":"a","__proto__":{"x":1}}', 'PAYLOAD_NOT_JSON'],
    ['{"name":"a","input":"\\u0000"}', 'PAYLOAD_NOT_JSON'],
    ['{"name":"a","input":"\\ud800"}', 'PAYLOAD_NOT_JSON'],
    [`{"name":"a","input":${'['.repeat(100)}${']'.repeat(100)}}`, 'PAYLOAD_TOO_DEEP'],
    [`{"name":"a","input":${'['.repeat(100_000)}`, 'INVALID_JSON'],
  ])('the body %j', async (body, code) => {
    const response = await server.post('/api/v1/tasks', body);
    expect(response.status).toBe(400);
    const problem = await json(response);
    expect(problem.code).toBe(code);
    expect(await json(await server.get('/api/v1/tasks'))).toMatchObject({ tasks: [] });
  });

  test('a body that is too large, before it is read', async () => {
    let read = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        read += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(0x20));
      },
    });
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: endless,
      duplex: 'half',
    } as RequestInit;
    await expectProblem(await server.fetch(new Request(`${base}/api/v1/tasks`, init)), 413, 'PAYLOAD_TOO_LARGE');
    expect(read).toBeLessThan(2 * 1024 * 1024);
    await expectProblem(
      await server.post('/api/v1/tasks', '{}', { 'content-length': '99999999999' }),
      413,
      'PAYLOAD_TOO_LARGE',
    );
    await expectProblem(
      await server.post('/api/v1/tasks', { name: 'a', input: 'x'.repeat(1024 * 1024) }),
      413,
      'PAYLOAD_TOO_LARGE',
    );
  });

  test('a body of another type', async () => {
    const form = { method: 'POST', body: new URLSearchParams({ name: 'a' }) };
    await expectProblem(await server.fetch(new Request(`${base}/api/v1/tasks`, form)), 415, 'UNSUPPORTED_MEDIA_TYPE');
    await expectProblem(
      await server.post('/api/v1/tasks', '{"name":"a"}', { 'content-type': 'text/plain' }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    );
  });

  test.each(['/api/v1/tasks', '/api/v1/tasks/batch'])('a body that is compressed: %s', async (path) => {
    const packed = gzipSync('{"name":"text.stats"}\n');
    for (const type of ['application/json', 'application/x-ndjson']) {
      if (type.endsWith('ndjson') && !path.endsWith('batch')) continue;
      const headers = { 'content-type': type, 'content-encoding': 'gzip' };
      const response = await server.fetch(new Request(base + path, { method: 'POST', headers, body: packed }));
      await expectProblem(response, 415, 'UNSUPPORTED_MEDIA_TYPE', 'sent as it is, not as gzip');
    }
    const plain = { method: 'POST', headers: { 'content-type': 'application/json', 'content-encoding': 'identity' } };
    const body = '{"name":"any","tasks":[]}';
    expect((await server.fetch(new Request(base + path, { ...plain, body }))).status).not.toBe(415);
  });

  test('a path that is not there, and a method a path does not have', async () => {
    await expectProblem(await server.get('/api/v1/taks'), 404, 'NOT_FOUND', '/api/v1/taks');
    const response = await server.fetch(new Request(`${base}/api/v1/tasks`, { method: 'PUT', body: '{}' }));
    expect(response.headers.get('allow')).toBe('POST, GET, HEAD');
    await expectProblem(response, 405, 'METHOD_NOT_ALLOWED', 'PUT');
  });

  test('an id that is none, and one that is not there', async () => {
    await expectProblem(await server.get('/api/v1/tasks/nonsense'), 400, 'INVALID_ID');
    await expectProblem(await server.get('/api/v1/tasks/01M5VJ1JKVEAEA4M5KQDB7PFVC'), 404, 'TASK_NOT_FOUND');
    await expectProblem(await server.get('/api/v1/tasks/01M5VJ1JKVEAEA4M5KQDB7PFVC/logs'), 404, 'TASK_NOT_FOUND');
    await expectProblem(await server.get('/api/v1/tasks/01M5VJ1JKVEAEA4M5KQDB7PFVC/explain'), 404, 'TASK_NOT_FOUND');
  });

  test('a filter with a mistake, with its position', async () => {
    const problem = await expectProblem(
      await server.get('/api/v1/tasks?q=name:a%20stat:failed'),
      400,
      'INVALID_FILTER',
      'Did you mean state',
    );
    expect(problem.details).toEqual({ position: 8 });
  });

  test('another host and another origin', async () => {
    await expectProblem(await server.fetch(new Request('http://evil.example/api/v1/tasks')), 403, 'HOST_NOT_ALLOWED');
    await expectProblem(await server.get('/api/v1/tasks', { host: 'evil.example:8000' }), 403, 'HOST_NOT_ALLOWED');
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ]) {
      await expectProblem(await server.post('/api/v1/tasks', { name: 'a' }, headers), 403, 'CROSS_ORIGIN');
    }
    for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { origin: base, host: '127.0.0.1:8000' }, {}]) {
      expect((await server.post('/api/v1/tasks', { name: 'a' }, headers)).status).toBe(201);
    }
    expect((await server.get('/', { host: 'localhost:8000' })).status).toBe(200);
  });

  test('what a viewer may not do', async () => {
    const viewer = await startServer('viewer');
    expect((await viewer.get('/api/v1/tasks')).status).toBe(200);
    await expectProblem(await viewer.post('/api/v1/tasks', { name: 'a' }), 403, 'FORBIDDEN', 'operator');
  });

  test('a store that is closed answers 503 and when to come back, without a stack', async () => {
    await server.store.close();
    const response = await server.get('/api/v1/queues');
    await expectProblem(response, 503, 'STORE_CLOSED');
    const page = await server.get('/');
    expect(page.status).toBe(503);
    expect(await page.text()).not.toMatch(/\.ts:\d+/);
  });

  test('an error of ours is reported in full and answered without its words', async () => {
    Object.assign(server.context.store.broker, { getQueues: () => Promise.reject(new Error('secret of the store')) });
    const problem = await expectProblem(await server.get('/api/v1/queues'), 500, 'INTERNAL');
    expect(JSON.stringify(problem)).not.toContain('secret');
    expect(server.reported).toMatchObject([{ message: 'secret of the store' }]);
  });
});

/** Tests the REST API as a client sees it: what is right, what is refused, and that nothing makes it fail. */
import { beforeEach, describe, expect, test } from 'vitest';
import { base, expectProblem, json, startServer, type TestServer } from '../support/http.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

async function enqueued(body: object = { name: 'text.stats', input: { path: '.' } }): Promise<string> {
  return String((await json(await server.post('/api/v1/tasks', body))).id);
}

/** Claims one task of the default queue. */
async function claimOne() {
  const request = {
    workerId: 'w-1',
    token: 'a'.repeat(32),
    queues: [{ name: 'default', limit: 1 }],
    limit: 1,
    leaseMs: 30_000,
  };
  const [claimed] = await server.store.broker.claim(request);
  return claimed!;
}

describe('a task over HTTP', () => {
  test('is enqueued with what its worker published, and shown as it is', async () => {
    const response = await server.post('/api/v1/tasks', {
      name: 'text.stats',
      input: { path: 'docs' },
      priority: 'high',
      tags: ['a', 'a'],
      delay: '5s',
    });
    expect(response.status).toBe(201);
    const answer = await json(response);
    expect(answer).toMatchObject({
      name: 'text.stats',
      queue: 'default',
      state: 'scheduled',
      created: true,
      outcome: 'created',
      note: null,
    });
    expect(response.headers.get('location')).toBe(`/api/v1/tasks/${answer.id}`);
    const task = await json(await server.get(`/api/v1/tasks/${answer.id}`));
    expect(task).toMatchObject({
      id: answer.id,
      state: 'scheduled',
      view: 'scheduled',
      priority: 2,
      attempt: 0,
      attempts: 3,
      input: { path: 'docs' },
      result: null,
      error: null,
      tags: ['a'],
      timeoutMs: 60_000,
      createdAt: '2026-11-23T09:00:00.000Z',
      dueAt: '2026-11-23T09:00:05.000Z',
      finishedAt: null,
      runs: [],
      timeline: [
        { at: '2026-11-23T09:00:00.000Z', kind: 'created', text: 'Enqueued.' },
        { at: '2026-11-23T09:00:05.000Z', kind: 'due', text: 'Due.' },
      ],
    });
  });

  test('keeps numbers as they were written', async () => {
    const id = await enqueued();
    const text = '{"name":"other","input":{"big":12345678901234567890,"small":0.1}}';
    const created = await json(await server.post('/api/v1/tasks', text));
    expect(await (await server.get(`/api/v1/tasks/${created.id}`)).text()).toContain(
      '"input":{"big":12345678901234567890,"small":0.1}',
    );
    expect(created.id).not.toBe(id);
  });

  test('of an unknown name is accepted, and the answer says so', async () => {
    const response = await server.post('/api/v1/tasks', { name: 'text.stat', input: 5 });
    expect(response.status).toBe(201);
    expect(await json(response)).toMatchObject({
      queue: 'default',
      note: 'no worker knows "text.stat"; nearest: text.stats',
    });
  });

  test('sent twice with its id is one task', async () => {
    const body = { name: 'text.stats', input: { path: '.' }, id: '01M5VJ1JKVEAEA4M5KQDB7PFVC' };
    expect((await server.post('/api/v1/tasks', body)).status).toBe(201);
    const again = await server.post('/api/v1/tasks', body);
    expect([again.status, await json(again)]).toMatchObject([
      200,
      { id: body.id, created: false, outcome: 'existing' },
    ]);
    await expectProblem(await server.post('/api/v1/tasks', { ...body, input: { path: 'other' } }), 409, 'ID_CONFLICT');
  });

  test('with a key is found again by its template, and refused on wish', async () => {
    const id = await enqueued({ name: 'email.welcome', input: { userId: 'u1' } });
    const again = await server.post('/api/v1/tasks', { name: 'email.welcome', input: { userId: 'u1' } });
    expect(await json(again)).toMatchObject({ id, created: false, outcome: 'duplicate', queue: 'email' });
    const problem = await expectProblem(
      await server.post('/api/v1/tasks', { name: 'email.welcome', input: { userId: 'u1' }, ifExists: 'error' }),
      409,
      'KEY_CONFLICT',
      'welcome:u1',
    );
    expect(problem.details).toEqual({ holder: id });
  });

  test('is listed newest first, page by page', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) ids.push(await enqueued());
    const first = await json(await server.get('/api/v1/tasks?q=name:text.*&limit=3'));
    const second = await json(await server.get(`/api/v1/tasks?q=name:text.*&limit=3&after=${first.next}`));
    const seen = [first, second].flatMap((page) => (page.tasks as { id: string }[]).map((task) => task.id));
    expect(seen).toEqual(ids.toReversed());
    expect(second.next).toBeNull();
  });

  test('is cancelled, run again, removed and explained', async () => {
    const id = await enqueued();
    expect(await json(await server.get(`/api/v1/tasks/${id}/explain`))).toMatchObject({ id, view: 'queued' });
    expect(await json(await server.post(`/api/v1/tasks/${id}/cancel`, { reason: 'a test' }))).toEqual({
      id,
      outcome: 'cancelled',
    });
    await expectProblem(await server.post(`/api/v1/tasks/${id}/cancel`), 409, 'TASK_FINISHED');
    expect(await json(await server.post(`/api/v1/tasks/${id}/retry`))).toEqual({
      id,
      outcome: 'queued',
      generation: 2,
    });
    await expectProblem(await server.post(`/api/v1/tasks/${id}/retry`), 409, 'TASK_NOT_FINISHED');
    await server.post(`/api/v1/tasks/${id}/cancel`);
    const removed = await server.fetch(new Request(`${base}/api/v1/tasks/${id}`, { method: 'DELETE' }));
    expect(await json(removed)).toEqual({ id, outcome: 'removed' });
    await expectProblem(await server.get(`/api/v1/tasks/${id}`), 404, 'TASK_NOT_FOUND');
  });

  test('shows its runs, its logs from a level on, and its result', async () => {
    const id = await enqueued();
    const { lease } = await claimOne();
    await server.move(1_500);
    const logs = (['debug', 'warn'] as const).map((level, at) => ({ at, level, message: level, fields: '{"n":1}' }));
    const verdict = {
      to: 'succeeded',
      reason: null,
      charge: 'attempt',
      keepMs: 60_000,
      result: '{"words":98765432109876543210}',
      error: null,
    } as const;
    await server.store.broker.settle([{ lease, verdict, ranMs: 1_000, progress: null, logs, spawn: [] }]);
    const text = await (await server.get(`/api/v1/tasks/${id}`)).text();
    expect(text).toContain('"result":{"words":98765432109876543210}');
    expect(JSON.parse(text)).toMatchObject({ state: 'succeeded', tookMs: 1_000, worker: 'w-1', attempt: 1 });
    const lines = await json(await server.get(`/api/v1/tasks/${id}/logs?level=warn`));
    expect(lines.logs).toMatchObject([{ level: 'warn', fields: { n: 1 } }]);
  });

  test('waits while its queue is paused', async () => {
    await enqueued();
    expect(await json(await server.post('/api/v1/queues/default/pause', { reason: 'month end' }))).toMatchObject({
      name: 'default',
      state: 'paused',
      pause: { by: 'ada', reason: 'month end' },
      waiting: 1,
      slots: 10,
    });
    expect(await json(await server.post('/api/v1/queues/default/resume'))).toMatchObject({
      state: 'active',
      pause: null,
    });
    const problem = await expectProblem(await server.post('/api/v1/queues/defualt/pause'), 404, 'QUEUE_NOT_FOUND');
    expect(problem.hint).toBe('Did you mean "default"?');
  });
});

describe('what is not a task', () => {
  test('health says that it answers, and nothing else', async () => {
    expect(await (await server.get('/health')).text()).toBe('{"status":"ok"}');
    expect(await json(await server.get('/api/v1/health'))).toMatchObject({
      status: 'ok',
      workers: 1,
      slots: 12,
      store: { kind: 'memory' },
    });
  });

  test('workers, queues and counts are lists of documents', async () => {
    await enqueued();
    expect(await json(await server.get('/api/v1/workers'))).toMatchObject({
      workers: [{ id: 'w-1', state: 'ready', tasks: ['text.stats', 'email.welcome'], silentMs: 0 }],
    });
    expect(await json(await server.get('/api/v1/counts'))).toEqual({
      counts: { queued: 1 },
      queues: { default: 1 },
      names: { 'text.stats': 1 },
      waiting: { 'text.stats': 1 },
      now: expect.stringMatching(/^2026-11-23T/),
    });
    expect((await json(await server.get('/api/v1/activity?minutes=5'))).minutes).toHaveLength(5);
    await server.move(60_000);
    expect(await json(await server.get('/api/v1/workers'))).toMatchObject({ workers: [{ state: 'silent' }] });
  });

  test('HEAD is GET without a body, and OPTIONS names the methods', async () => {
    const head = await server.fetch(new Request(`${base}/api/v1/queues`, { method: 'HEAD' }));
    expect([head.status, await head.text()]).toEqual([200, '']);
    const options = await server.fetch(new Request(`${base}/api/v1/tasks`, { method: 'OPTIONS' }));
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, GET, HEAD']);
  });

  test('every answer carries the security headers', async () => {
    for (const response of [
      await server.get('/'),
      await server.get('/nothing'),
      await server.get('/api/v1/nothing'),
      await server.get('/health'),
    ]) {
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    }
  });
});

/** Tests what requests ask for in headers: waits for results, ids that make them repeatable, links to the next page. */

import { beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { limits } from '../../src/core/limits.ts';
import { createResultPlaces, type ResultPlaceLimits } from '../../src/operations/result-places.ts';
import { claimRequest, finish, sampleId, settlement } from '../conformance/samples.ts';
import { base, expectProblem, json, startServer, type TestServer } from '../support/http.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

const body = { name: 'text.stats', input: { path: '.' } };

async function enqueued(): Promise<string> {
  return String((await json(await server.post('/api/v1/tasks', body))).id);
}

/** Runs whatever waits in the default queue, to its end. */
async function runAll(to: 'succeeded' | 'failed' = 'succeeded'): Promise<void> {
  const { broker } = server.store;
  const claimed = await broker.claim(claimRequest('a'.repeat(32), { workerId: 'w-1' }));
  await broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease, finish(to))));
}

/** Moves the time while the request waits. */
async function whileTimePasses(answer: Promise<Response>, then?: () => Promise<void>): Promise<Response> {
  let isAnswered = false;
  void answer.finally(() => (isAnswered = true));
  await server.move(100);
  await then?.();
  while (!isAnswered) await server.move(500);
  return answer;
}

describe('the result of a task', () => {
  test('is answered at once when nobody wants to wait', async () => {
    const response = await server.get(`/api/v1/tasks/${await enqueued()}/result`);
    expect([response.status, response.headers.get('preference-applied')]).toEqual([202, null]);
    expect(await json(response)).toMatchObject({ state: 'queued', finished: false, result: null });
  });

  test('is waited for, and comes as soon as it is there', async () => {
    const asked = server.get(`/api/v1/tasks/${await enqueued()}/result`, { prefer: 'respond-async, wait=10' });
    const response = await whileTimePasses(asked, () => runAll());
    expect([response.status, response.headers.get('preference-applied')]).toEqual([200, 'wait=10']);
    expect(await json(response)).toMatchObject({ state: 'succeeded', finished: true, result: { ok: true } });
  });

  test('is a failure with its error, which is a good answer too', async () => {
    const id = await enqueued();
    await runAll('failed');
    const response = await server.get(`/api/v1/tasks/${id}/result?wait=1s`);
    expect(response.status).toBe(200);
    expect(await json(response)).toMatchObject({ state: 'failed', error: { message: 'connection refused' } });
  });

  test('that does not come in time is told as it stands', async () => {
    const response = await whileTimePasses(server.get(`/api/v1/tasks/${await enqueued()}/result?wait=2s`));
    expect(response.status).toBe(202);
    expect(await json(response)).toMatchObject({ state: 'queued', finished: false });
  });

  test('is not waited for longer than a request may: a preference is cut, a wish is refused', async () => {
    const id = await enqueued();
    await runAll();
    const preferred = await server.get(`/api/v1/tasks/${id}/result`, { prefer: 'wait=86400' });
    expect(preferred.headers.get('preference-applied')).toBe(`wait=${limits.resultAskMs / 1_000}`);
    await expectProblem(await server.get(`/api/v1/tasks/${id}/result?wait=1d`), 400, 'INVALID_OPTION', 'wait');
    await expectProblem(await server.get(`/api/v1/tasks/${sampleId(5)}/result?wait=1s`), 404, 'TASK_NOT_FOUND');
  });

  test('comes with an enqueue that prefers to wait', async () => {
    const response = await whileTimePasses(server.post('/api/v1/tasks', body, { prefer: 'wait=5' }), () => runAll());
    expect([response.status, response.headers.get('preference-applied')]).toEqual([201, 'wait=5']);
    expect(await json(response)).toMatchObject({ created: true, result: { finished: true, result: { ok: true } } });
  });
});

describe('Idempotency-Key', () => {
  const uuid = '019ac1b2-5d2f-7d0e-9d53-3a1c0e9f4c11';

  test.each([sampleId(7), `"${sampleId(7)}"`, uuid])('%s is the id of the task', async (key) => {
    const first = await server.post('/api/v1/tasks', body, { 'idempotency-key': key });
    const second = await server.post('/api/v1/tasks', body, { 'idempotency-key': key });
    expect([first.status, second.status]).toEqual([201, 200]);
    const { id } = await json(first);
    expect(await json(second)).toMatchObject({ id, created: false, outcome: 'existing' });
    const other = await server.post('/api/v1/tasks', { ...body, input: { path: '/' } }, { 'idempotency-key': key });
    await expectProblem(other, 409, 'ID_CONFLICT');
  });

  test.each(['order-17', '7b0e1c2a-5d2f-4d0e-9d53-3a1c0e9f4c11', ''])('%j is none', async (key) => {
    await expectProblem(await server.post('/api/v1/tasks', body, { 'idempotency-key': key }), 400, 'INVALID_ID');
    expect(await json(await server.get('/api/v1/tasks'))).toMatchObject({ tasks: [] });
  });

  test('must not say another id than the body', async () => {
    const headers = { 'idempotency-key': sampleId(7) };
    const response = await server.post('/api/v1/tasks', { ...body, id: sampleId(8) }, headers);
    await expectProblem(response, 400, 'INVALID_OPTION', 'Idempotency-Key');
    expect((await server.post('/api/v1/tasks', { ...body, id: sampleId(7) }, headers)).status).toBe(201);
  });
});

test('pages are linked until the last one', async () => {
  const ids = [await enqueued(), await enqueued(), await enqueued()];
  const seen: unknown[] = [];
  let path: string | undefined = '/api/v1/tasks?limit=2&q=state%3Aqueued';
  while (path !== undefined) {
    const response: Response = await server.get(path);
    const { tasks } = (await json(response)) as unknown as { tasks: readonly { id: string }[] };
    seen.push(...tasks.map(({ id }) => id));
    path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
  }
  expect(seen).toEqual(ids.reverse());
});

describe('more waits than there may be', () => {
  const limited = (most: Partial<ResultPlaceLimits>) => {
    const context = { ...server.context, resultPlaces: createResultPlaces({ ...limits, ...most }) };
    const app = createApp({ context, report: () => undefined });
    return (path: string, init: RequestInit = {}) => app(new Request(`${base}${path}`, init));
  };

  test('are refused, with when to come again, and let in when another has ended', async () => {
    const ask = limited({ resultAsksPerCallerMax: 1 });
    const path = `/api/v1/tasks/${await enqueued()}/result?wait=10s`;
    const first = ask(path);
    await server.move(1);
    const second = await ask(path);
    await expectProblem(second, 429, 'TOO_MANY_WAITS');
    expect(second.headers.get('retry-after')).toBe('1');
    expect((await ask(path.replace('?wait=10s', ''))).status).toBe(202);
    const sent = await ask('/api/v1/tasks', {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer: 'wait=10' },
      body: JSON.stringify(body),
    });
    expect([sent.status, await json(sent)]).toMatchObject([201, { note: expect.stringContaining('it is stored') }]);
    expect((await whileTimePasses(first)).status).toBe(202);
    expect((await whileTimePasses(ask(path))).status).toBe(202);
  });

  test('are counted by the tasks that they are for', async () => {
    const ask = limited({ resultTasksMax: 3 });
    const ids = [await enqueued(), await enqueued()];
    const path = `/api/v1/tasks/results?ids=${ids.join(',')}&wait=10s`;
    const first = ask(path);
    await server.move(1);
    await expectProblem(await ask(path), 503, 'WAITS_FULL');
    const one = ask(`/api/v1/tasks/${ids[0]}/result?wait=10s`);
    expect((await whileTimePasses(first)).status).toBe(200);
    expect((await whileTimePasses(one)).status).toBe(202);
  });
});

/** Tests the protocol of workers over HTTP as a worker in any language sees it. */
import { beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createContext } from '../../src/operations/context.ts';
import type { Actor } from '../../src/operations/operation.ts';
import { base, expectProblem, json, startServer, type TestServer } from '../support/http.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer('operator');
});

type Body = Record<string, unknown>;
interface Claimed extends Body {
  readonly id: string;
  readonly lease: { readonly id: string; readonly token: string; readonly epoch: number };
}

const worker = { id: 'py-1', name: 'python on ada', queues: { default: 2 } };
const token = (number: number): string => `claim-${number}-of-py-1`;

async function call(verb: string, body: unknown): Promise<Body> {
  const response = await server.post(`/api/v1/worker/${verb}`, body);
  const answer = await json(response);
  expect({ status: response.status, answer }).toMatchObject({ status: 200 });
  return answer;
}

async function enqueue(body: Body = {}): Promise<string> {
  return String((await json(await server.post('/api/v1/tasks', { name: 'py.resize', input: {}, ...body }))).id);
}

async function claim(number = 1, more: Body = {}): Promise<readonly Claimed[]> {
  const { tasks } = await call('claim', { worker: 'py-1', token: token(number), queues: { default: 2 }, ...more });
  return tasks as readonly Claimed[];
}

async function claimOne(number = 1): Promise<Claimed> {
  const [claimed] = await claim(number);
  return claimed!;
}

async function outcome(...outcomes: readonly unknown[]): Promise<readonly unknown[]> {
  const { results } = await call('outcome', { worker: 'py-1', outcomes });
  return (results as readonly Body[]).map(({ result, to }) => to ?? result);
}

/** The messages as another actor of the same server sends them. */
function as(actor: Actor): (verb: string, body: unknown) => Promise<Response> {
  const { store, clock } = server.context;
  const app = createApp({
    context: createContext({ store, clock, actor }),
    report: (error) => server.reported.push(error),
  });
  const headers = { 'content-type': 'application/json' };
  return (verb, body) =>
    app(new Request(`${base}/api/v1/worker/${verb}`, { method: 'POST', headers, body: JSON.stringify(body) }));
}

const get = async (id: string): Promise<Body> => json(await server.get(`/api/v1/tasks/${id}`));

describe('a worker over HTTP', () => {
  test('makes itself and its tasks known, and they are validated and rendered from then on', async () => {
    const definitions = [
      {
        name: 'py.resize',
        queue: 'images',
        policy: { attempts: 2 },
        timeoutMs: 5_000,
        key: 'resize:{file}',
        inputSchema: { type: 'object', properties: { file: { type: 'string' } }, required: ['file'] },
      },
    ];
    const registered = await call('register', { worker, definitions });
    expect(registered).toMatchObject({ leaseMs: 30_000, beatMs: 10_000, waitMaxMs: 30_000, commands: [] });
    await server.move(1_000);
    await expectProblem(await server.post('/api/v1/tasks', { name: 'py.resize', input: {} }), 400, 'INVALID_INPUT');
    const id = await enqueue({ input: { file: 'a.png' } });
    expect(await get(id)).toMatchObject({ queue: 'images', key: 'resize:a.png', attempts: 2, timeoutMs: 5_000 });
    const { workers } = await json(await server.get('/api/v1/workers'));
    expect(workers).toContainEqual(
      expect.objectContaining({ id: registered.id, name: 'python on ada', tasks: ['py.resize'], state: 'ready' }),
    );
    await call('deregister', { worker });
    expect(JSON.stringify(await json(await server.get('/api/v1/workers')))).not.toContain('python on ada');
  });

  test('claims, beats and settles; numbers stay as they were written', async () => {
    const response = await server.post('/api/v1/tasks', '{"name":"py.resize","input":{"big":12345678901234567890}}');
    const { id } = await json(response);
    const raw = { worker: 'py-1', token: token(1), queues: { default: 2 } };
    const claimed = await (await server.post('/api/v1/worker/claim', raw)).text();
    expect(claimed).toContain('"input":{"big":12345678901234567890}');
    const [{ lease, attempt, idempotencyKey }] = JSON.parse(claimed).tasks;
    expect({ attempt, idempotencyKey }).toEqual({ attempt: 1, idempotencyKey: `${id}:1` });
    const beats = [
      {
        lease,
        ranMs: 12.5,
        progress: { done: 1, total: 4, note: 'quarter' },
        logs: [{ message: 'began', fields: { file: 'a.png' } }],
        steps: [{ name: 'load', value: { bytes: 5 } }],
      },
    ];
    expect(await call('heartbeat', { worker, beats })).toMatchObject({ answers: ['ok'], commands: [] });
    const text = `{"worker":"py-1","outcomes":[{"lease":${JSON.stringify(lease)},"outcome":"done","ranMs":20,"result":{"n":98765432109876543210}}]}`;
    expect(await json(await server.post('/api/v1/worker/outcome', text))).toEqual({
      results: [{ id, result: 'applied', to: null }],
      tasks: [],
    });
    const shown = await (await server.get(`/api/v1/tasks/${id}`)).text();
    expect(shown).toContain('"result":{"n":98765432109876543210}');
    expect(JSON.parse(shown)).toMatchObject({
      state: 'succeeded',
      progress: { done: 1, total: 4, note: 'quarter' },
      steps: [{ name: 'load', value: { bytes: 5 } }],
    });
    const { logs } = await json(await server.get(`/api/v1/tasks/${id}/logs`));
    expect(logs).toMatchObject([{ level: 'info', message: 'began', fields: { file: 'a.png' } }]);
  });

  test('says how a run ended, and the server decides what that means', async () => {
    const error = { name: 'ValueError', message: 'no such file', stack: 'File "work.py", line 3\nraise ValueError' };
    const ends = [
      [
        { outcome: 'error', error },
        { state: 'scheduled', view: 'retrying', attempt: 1 },
      ],
      [
        { outcome: 'error', error, retryable: false },
        { state: 'failed', reason: 'error' },
      ],
      [
        { outcome: 'giveUp', error },
        { state: 'failed', reason: 'error' },
      ],
      [
        { outcome: 'snooze', delayMs: 5_000 },
        { state: 'scheduled', view: 'scheduled', snoozes: 1 },
      ],
      [{ outcome: 'released' }, { state: 'queued', attempt: 0 }],
      [{ outcome: 'unknownTask' }, { state: 'scheduled', reason: 'unknown_task' }],
      [{ outcome: 'timedOut' }, { state: 'scheduled', reason: 'timeout' }],
      [
        { outcome: 'crashed', error },
        { state: 'queued', crashes: 1 },
      ],
      [
        { outcome: 'done', result: 'x'.repeat(300_000) },
        { state: 'failed', reason: 'error' },
      ],
      [{ outcome: 'done' }, { state: 'succeeded', result: null }],
    ] as const;
    for (const [number, [said, becomes]] of ends.entries()) {
      const id = await enqueue({ queue: `q${number}` });
      const [claimed] = await claim(number, { queues: { [`q${number}`]: 1 } });
      const ranMs = said.outcome === 'released' || said.outcome === 'unknownTask' ? null : 5;
      expect(await outcome({ lease: claimed!.lease, ranMs, ...said })).toEqual(['applied']);
      expect({ said, task: await get(id) }).toMatchObject({ said, task: becomes });
      if ('error' in said && said.outcome === 'giveUp')
        expect((await get(id)).error).toMatchObject({
          name: 'ValueError',
          message: 'no such file',
          stack: error.stack,
        });
    }
  });

  test('gets the same tasks for the same claim, and an answer for what it sends twice', async () => {
    await enqueue();
    const first = await claim(1);
    await enqueue();
    expect(await claim(1)).toEqual(first);
    const done = { lease: first[0]!.lease, outcome: 'done', ranMs: 1 };
    expect(await outcome(done)).toEqual(['applied']);
    expect(await outcome(done)).toEqual(['alreadyApplied']);
    expect(await claim(2)).toHaveLength(1);
  });

  test('claims the next with its outcomes', async () => {
    await enqueue();
    const { lease } = await claimOne();
    const second = await enqueue();
    const next = { token: token(2), queues: { default: 1 } };
    const answer = await call('outcome', { worker: 'py-1', outcomes: [{ lease, outcome: 'done' }], claim: next });
    expect(answer).toMatchObject({ results: [{ result: 'applied' }], tasks: [{ id: second }] });
  });

  test('is told of a cancellation, whatever it says then', async () => {
    const id = await enqueue();
    const { lease } = await claimOne();
    await server.post(`/api/v1/tasks/${id}/cancel`, {});
    expect(await call('heartbeat', { worker, beats: [{ lease, ranMs: 1 }] })).toMatchObject({ answers: ['cancel'] });
    expect(await outcome({ lease, outcome: 'error', error: { message: 'stopped' }, ranMs: 2 })).toEqual(['cancelled']);
    expect(await get(id)).toMatchObject({ state: 'cancelled', reason: 'user' });
  });

  test('hears commands with its heartbeat until it confirms them', async () => {
    await call('register', { worker });
    const draining = server.post('/api/v1/workers/python%20on%20ada/drain', {});
    const { commands } = await waitFor(async () => {
      const answer = await call('heartbeat', { worker });
      expect(answer.commands).toMatchObject([{ command: { kind: 'drain' } }]);
      return answer;
    });
    const id = (commands as readonly { id: number }[])[0]?.id;
    expect(await call('heartbeat', { worker: { ...worker, state: 'draining' }, heard: id })).toMatchObject({
      commands: [],
    });
    await server.move(100);
    expect(await json(await draining)).toMatchObject({ state: 'draining', commands: [] });
  });

  test('brings tasks along with a success', async () => {
    await enqueue();
    const { lease } = await claimOne();
    const spawn = [
      {
        id: '01M5VJ1JKVEAEA4M5KQDB7PFVC',
        name: 'py.next',
        queue: 'default',
        input: { n: 1 },
        schemaVersion: null,
        priority: 5,
        delayMs: 0,
        at: null,
        startWithinMs: null,
        expiresInMs: null,
        timeoutMs: 60_000,
        policy: { attempts: 3 },
        keepMs: 1_000,
        strictCancel: false,
        group: null,
        limits: [],
        key: null,
        keyForMs: null,
        ifExists: 'return',
        dependsOn: [],
        blocks: [],
        flowId: null,
        tags: [],
        traceparent: null,
      },
    ];
    expect(await outcome({ lease, outcome: 'done', ranMs: 1, spawn })).toEqual(['applied']);
    expect(await get('01M5VJ1JKVEAEA4M5KQDB7PFVC')).toMatchObject({ state: 'queued', attempts: 3, input: { n: 1 } });
  });
});

describe('a claim that waits', () => {
  test('is answered as soon as there is a task', async () => {
    const waiting = claim(1, { waitMs: 20_000 });
    const id = await enqueue();
    expect(await waiting).toMatchObject([{ id }]);
  });

  test('is answered with nothing when its time is over', async () => {
    const waiting = claim(1, { waitMs: 5_000 });
    await waitFor(async () => {
      await server.move(2_000);
      expect(await Promise.race([waiting, Promise.resolve('waits')])).toEqual([]);
    });
  });

  test('of somebody who is gone takes nothing', async () => {
    const gone = new AbortController();
    const request = new Request(`${base}/api/v1/worker/claim`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ worker: 'py-1', token: token(1), queues: { default: 1 }, waitMs: 20_000 }),
      signal: gone.signal,
    });
    const waiting = server.fetch(request);
    await waitFor(() => expect(server.context.remote.hints.waiting).toBe(1));
    gone.abort();
    expect(await json(await waiting)).toEqual({ tasks: [] });
    const id = await enqueue();
    expect(await claim(2)).toMatchObject([{ id }]);
  });

  test('ends when the server stops', async () => {
    const waiting = claim(1, { waitMs: 20_000 });
    await waitFor(() => expect(server.context.remote.hints.waiting).toBe(1));
    server.context.remote.hints.end();
    expect(await waiting).toEqual([]);
  });

  test('a worker that listens hears that a run is to be cancelled', async () => {
    const id = await enqueue();
    await claimOne();
    const listening = call('listen', { worker: 'py-1', waitMs: 20_000 });
    await waitFor(() => expect(server.context.remote.hints.waiting).toBe(1));
    await server.post(`/api/v1/tasks/${id}/cancel`, {});
    expect(await listening).toEqual({ cancel: [id], commands: false });
  });
});

describe('a lease of somebody else', () => {
  test('renews nothing and settles nothing, whoever knows its words', async () => {
    const id = await enqueue();
    const { lease } = await claimOne();
    const stranger = as({ name: 'key:mallory', role: 'operator' });
    const mallory = async (verb: string, body: unknown): Promise<Body> => json(await stranger(verb, body));
    const done = { lease, outcome: 'done', ranMs: 1 };
    expect(await mallory('heartbeat', { worker, beats: [{ lease }] })).toMatchObject({ answers: ['lost'] });
    expect(await mallory('outcome', { worker: 'py-1', outcomes: [done] })).toMatchObject({
      results: [{ result: 'stale' }],
    });
    expect(await call('outcome', { worker: 'py-2', outcomes: [done] })).toMatchObject({
      results: [{ result: 'stale' }],
    });
    expect(await mallory('claim', { worker: 'py-1', token: token(1), queues: {}, limit: 5 })).toEqual({ tasks: [] });
    for (const wrong of [{ epoch: lease.epoch + 1 }, { token: 'another-token' }])
      expect(await outcome({ ...done, lease: { ...lease, ...wrong } })).toEqual(['stale']);
    expect(await outcome({ ...done, lease: { ...lease, id: '01M5VJ1JKVEAEA4M5KQDB7PFVC' } })).toEqual(['unknown']);
    expect(await get(id)).toMatchObject({ state: 'running' });
    expect(await outcome(done)).toEqual(['applied']);
  });

  test('a key for some queues claims, spawns and publishes for those alone', async () => {
    const post = as({ name: 'key:mail', role: 'operator', queues: ['mail.*', 'exact'] });
    const asks = (queue: string) => ({ worker: 'm', token: 'claim-of-mail', queues: { [queue]: 1 } });
    for (const queue of ['mail.in', 'mail.', 'exact']) expect((await post('claim', asks(queue))).status).toBe(200);
    for (const queue of ['default', 'mail', 'exact.not', 'xmail.in'])
      await expectProblem(await post('claim', asks(queue)), 403, 'QUEUE_FORBIDDEN', queue);
    const definitions = [{ name: 'email.welcome', queue: 'default' }];
    await expectProblem(await post('register', { worker: { id: 'm' }, definitions }), 403, 'QUEUE_FORBIDDEN');
  });
});

describe('a message that is wrong', () => {
  test.each([
    ['claim', { worker: 'py-1', token: 'short', queues: {} }, 'token'],
    ['claim', { worker: 'py-1', token: 'long-enough', queues: { default: -1 } }, 'queues.default'],
    ['claim', { worker: 'py-1', token: 'long-enough', queues: {}, waitMs: 1e9 }, 'waitMs'],
    ['claim', { worker: 'py-1', token: 'long-enough', queus: {} }, 'queus'],
    ['heartbeat', { worker: { id: '' } }, 'worker.id'],
    ['heartbeat', { worker: { id: 'w' }, beats: [{ lease: { id: 'x', token: 't', epoch: 1 } }] }, 'beats[0].lease.id'],
    ['outcome', { worker: 'w', outcomes: [{ lease: {}, outcome: 'done' }] }, 'outcomes[0].lease.id'],
    ['outcome', { worker: 'w', outcomes: [{ outcome: 'finished' }] }, 'outcomes[0]'],
    ['register', { worker: { id: 'w' }, definitions: [{ name: 'a b' }] }, 'definitions[0].name'],
    ['register', { worker: { id: 'w' }, definitions: [{ name: 'a', key: '{unclosed' }] }, 'definitions[0].key'],
  ])('%s %j is refused with its place', async (verb, body, place) => {
    const problem = await expectProblem(await server.post(`/api/v1/worker/${verb}`, body), 400, 'INVALID_OPTION');
    expect(JSON.stringify(problem)).toContain(place);
    expect(server.reported).toEqual([]);
  });

  test('a task told of twice in one message is refused, and nothing of it is done', async () => {
    const id = await enqueue();
    const { lease } = await claimOne();
    const twice = { worker: 'py-1', outcomes: [1, 2].map((result) => ({ lease, outcome: 'done', result })) };
    await expectProblem(await server.post('/api/v1/worker/outcome', twice), 400, 'INVALID_OPTION', 'twice');
    expect(await get(id)).toMatchObject({ state: 'running' });
  });

  test('more steps than a task may remember are refused, and the beat with them', async () => {
    await enqueue();
    const { lease } = await claimOne();
    const steps = (count: number, from: number) =>
      Array.from({ length: count }, (_, at) => ({ name: `step ${from + at}`, value: at }));
    await call('heartbeat', { worker, beats: [{ lease, steps: steps(400, 0) }] });
    await expectProblem(
      await server.post('/api/v1/worker/heartbeat', { worker, beats: [{ lease, steps: steps(200, 400) }] }),
      422,
      'STEP_TOO_LARGE',
    );
    await expectProblem(
      await server.post('/api/v1/worker/heartbeat', {
        worker,
        beats: [{ lease, steps: [{ name: 'x', value: 'y'.repeat(300_000) }] }],
      }),
      422,
      'STEP_TOO_LARGE',
    );
  });

  test('a handler that logs without end is cut short', async () => {
    const id = await enqueue();
    const { lease } = await claimOne();
    const logs = Array.from({ length: 600 }, (_, at) => ({ message: `line ${at}` }));
    for (let round = 0; round < 3; round++) await call('heartbeat', { worker, beats: [{ lease, logs }] });
    const kept = await server.store.history.task(id);
    expect(kept?.logs).toHaveLength(1_001);
    expect(kept?.logs.at(-1)?.message).toContain('Only 1000 lines');
  });
});

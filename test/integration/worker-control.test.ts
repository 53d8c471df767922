/** Tests what people tell workers over HTTP: it waits for the worker's word, and says so when none comes. */

import { beforeEach, expect, test } from 'vitest';
import type { SentCommand } from '../../src/core/commands.ts';
import { limits } from '../../src/core/limits.ts';
import { expectProblem, json, startServer, type TestServer } from '../support/http.ts';

let server: TestServer;
let heard: SentCommand[];
beforeEach(async () => {
  server = await startServer();
  heard = [];
});

/** A worker that beats whenever it is told something, and obeys. */
async function listen(): Promise<void> {
  const { broker } = server.store;
  const [record] = await broker.getWorkers();
  const { commands: _commands, stack: _stack, startedAt: _startedAt, beatAt: _beatAt, ...presence } = record!;
  const beat = async (last: number): Promise<void> => {
    const worker = { ...presence, state: last > 0 ? 'draining' : 'ready', definitions: null } as const;
    const stack = { answers: last, slots: [{ taskId: 'T', name: 'text.stats', ranMs: 5, doing: null }], loop: null };
    const { commands } = await broker.heartbeat({ worker, leaseMs: 30_000, beats: [], heard: last, stack });
    heard.push(...commands);
    if (commands.length > 0) await beat(commands.at(-1)!.id);
  };
  broker.subscribe((signal) => signal.kind === 'command' && void beat(0));
}

async function tell(path: string, body?: object): Promise<Response> {
  let answered = false;
  const answer = server.post(`/api/v1/workers/${path}`, body).finally(() => (answered = true));
  // For as long as it takes: the first request loads its modules while the clock is already moved.
  while (!answered) await server.move(limits.confirmLookMs);
  return answer;
}

test.each(['drain', 'resume', 'restart', 'stack'] as const)(
  '%s is heard and answered with the worker',
  async (kind) => {
    await listen();
    const answer = await json(await tell(`w-1/${kind}`));
    expect(heard.map(({ command }) => command)).toEqual([{ kind }]);
    expect(answer).toMatchObject({ id: 'w-1', state: 'draining', commands: [], stack: { answers: 1 } });
  },
);

test('scale takes a number of slots', async () => {
  await listen();
  expect((await tell('w-1/scale', { concurrency: 7 })).status).toBe(200);
  expect(heard.map(({ command }) => command)).toEqual([{ kind: 'scale', concurrency: 7 }]);
});

test.each([0, 1.5, limits.concurrencyMax + 1, '7', null])('scale to %j is refused', async (concurrency) => {
  await expectProblem(await tell('w-1/scale', { concurrency }), 400, 'INVALID_OPTION');
  expect((await server.store.broker.getWorkers())[0]?.commands).toEqual([]);
});

test('a worker that does not listen is answered with what it has not heard', async () => {
  const answer = await json(await tell('w-1/drain'));
  expect(answer).toMatchObject({ state: 'ready', commands: [{ command: { kind: 'drain' } }] });
});

test('a worker is named by its name too, and an unknown one is not found', async () => {
  expect(await json(await server.get('/api/v1/workers/ada-mbp-4121'))).toMatchObject({ id: 'w-1', stack: null });
  await expectProblem(await server.get('/api/v1/workers/ada-mbp-4122'), 404, 'WORKER_NOT_FOUND');
  await expectProblem(await tell('nobody/drain'), 404, 'WORKER_NOT_FOUND');
});

test('a name that two workers have asks for an id, and a server takes no commands', async () => {
  const [record] = await server.store.broker.getWorkers();
  const { commands: _commands, stack: _stack, startedAt: _startedAt, beatAt: _beatAt, ...presence } = record!;
  const beat = (given: object) =>
    server.store.broker.heartbeat({ worker: { ...presence, ...given }, leaseMs: 30_000, beats: [] });
  await beat({ workerId: 'w-2' });
  await beat({ workerId: 's-1', name: 'host', server: true, queues: {} });
  await expectProblem(await tell('ada-mbp-4121/drain'), 400, 'INVALID_OPTION');
  await expectProblem(await tell('host/drain'), 400, 'INVALID_OPTION');
});

test('who may only look may not tell workers anything', async () => {
  server = await startServer('viewer');
  await expectProblem(await tell('w-1/drain'), 403, 'FORBIDDEN');
  expect((await server.get('/api/v1/workers/w-1')).status).toBe(200);
});

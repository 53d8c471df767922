/** Tests that whoever was let in goes on for no more than five seconds when the key is revoked in the middle of what takes long. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CreatedKey } from '../../src/core/access.ts';
import { limits } from '../../src/core/limits.ts';
import { type GuardedServer, startGuarded } from '../support/guarded.ts';
import { expectProblem, json } from '../support/http.ts';
import { waitFor } from '../support/wait-for.ts';

let server: GuardedServer;
let key: CreatedKey;
beforeEach(async () => {
  server = await startGuarded();
  key = await server.newKey();
});
afterEach(() => server.close());

const send = (path: string, body: unknown, token = key.token) =>
  server.askWith(token, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const enqueue = async () => String((await json(await send('/api/v1/tasks', { name: 'a' }, other))).id);
const stateOf = async (id: string) => (await server.store.broker.getTasks([id]))[0]?.state;
let other = '';
beforeEach(async () => {
  other = (await server.newKey()).token;
});

/** As another server does it: this one hears of it when it looks. */
async function revoke(): Promise<void> {
  await server.access.keys.revoke(key.key.id);
  await server.move(limits.liveAccessMs);
}

/** The request is past the door, and holds its place. */
const somebodyWaits = () => waitFor(() => expect(server.context.remote.hints.waiting).toBe(1));

test('a stream of tasks ends, and what was answered is stored', async () => {
  let write: (line: string) => void = () => undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      write = (line) => controller.enqueue(new TextEncoder().encode(`${line}\n`));
    },
  });
  const answering = server.askWith(key.token, '/api/v1/tasks/batch', {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body,
    duplex: 'half',
  } as RequestInit);
  write('{"name":"a","queue":"mail"}');
  const reader = (await answering).body!.pipeThrough(new TextDecoderStream()).getReader();
  expect(JSON.parse((await reader.read()).value ?? '')).toMatchObject({ line: 1, outcome: 'created' });
  await revoke();
  write('{"name":"a","queue":"mail"}');
  const end = JSON.parse((await reader.read()).value ?? '');
  expect(end).toMatchObject({ end: 'stopped', lines: 1, created: 1, problem: { code: 'UNAUTHENTICATED' } });
  expect((await server.store.broker.getQueues()).find(({ name }) => name === 'mail')?.counts).toEqual({ queued: 1 });
});

test('a claim that waits takes nothing', async () => {
  const claim = { worker: 'w', token: 'a-token-of-this-claim', queues: { default: 1 }, waitMs: 20_000 };
  const waiting = send('/api/v1/worker/claim', claim);
  await somebodyWaits();
  await revoke();
  for (let looks = 0; looks < 5; looks++) await server.move(limits.claimLookMs);
  await expectProblem(await waiting, 401, 'UNAUTHENTICATED');
  expect(await stateOf(await enqueue())).toBe('queued');
});

test('a worker that listens hears nothing', async () => {
  const waiting = send('/api/v1/worker/listen', { worker: 'w', waitMs: 10_000 });
  await somebodyWaits();
  await revoke();
  await server.move(10_000);
  await expectProblem(await waiting, 401, 'UNAUTHENTICATED');
});

test.each([
  (id: string) => `/api/v1/tasks/${id}/result?wait=20s`,
  (id: string) => `/api/v1/tasks/results?ids=${id}&wait=20s`,
])('a result that is waited for is not told (%#)', async (pathOf) => {
  const id = await enqueue();
  const waiting = server.askWith(key.token, pathOf(id));
  await server.move(1);
  await revoke();
  await send(`/api/v1/tasks/${id}/cancel`, {}, other);
  await server.move(20_000);
  await expectProblem(await waiting, 401, 'UNAUTHENTICATED');
});

test('an enqueue that waits for the result says that the task is stored, and no more', async () => {
  const waiting = send('/api/v1/tasks', { name: 'a', wait: '20s' });
  await waitFor(async () => expect(await server.store.broker.getQueues()).toHaveLength(1));
  await server.move(1);
  await revoke();
  await server.move(20_000);
  const answer = await json(await waiting);
  expect(answer).toMatchObject({ created: true, result: null, note: expect.stringContaining('Not let in') });
  expect(await stateOf(String(answer.id))).toBe('queued');
});

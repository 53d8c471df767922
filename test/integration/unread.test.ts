/** Tests that nothing large is looked for while its caller has not read what came before, on a clock that the test moves. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import { type GuardedServer, startGuarded } from '../support/guarded.ts';
import { expectProblem } from '../support/http.ts';

let server: GuardedServer;
let token = '';
let searches = 0;
beforeEach(async () => {
  server = await startGuarded();
  ({ token } = await server.newKey());
  const { history } = server.store;
  const { search } = history;
  searches = 0;
  history.search = (...asked) => {
    searches++;
    return search(...asked);
  };
});
afterEach(() => server.close());

/** A list, asked for on a connection whose caller reads when `reader.reads`. */
function askList(reader: { reads: boolean }, init: RequestInit = {}, path = '/api/v1/tasks') {
  const headers = { authorization: `Bearer ${token}` };
  const answer = server.ask(path, { headers, ...init }, { address: '192.0.2.1', hasRead: () => reader.reads });
  const state = { answer, isAnswered: false };
  void answer.then(() => {
    state.isAnswered = true;
  });
  return state;
}

test('a list waits until its caller has read, and is then answered', async () => {
  const reader = { reads: false };
  const asked = askList(reader);
  await server.move(1_000);
  expect([asked.isAnswered, searches]).toEqual([false, 0]);
  reader.reads = true;
  await server.move(limits.unreadLookMs);
  expect((await asked.answer).status).toBe(200);
  expect(searches).toBe(1);
});

test('what is small is answered to who does not read, and everything to others', async () => {
  const asked = askList({ reads: false });
  await server.move(0);
  expect((await askList({ reads: false }, {}, '/api/v1/queues/default').answer).status).toBe(404);
  expect((await askList({ reads: true }).answer).status).toBe(200);
  expect(asked.isAnswered).toBe(false);
});

test('who never reads is told so, and nothing was looked for', async () => {
  const asked = askList({ reads: false });
  await server.move(limits.unreadWaitMs + limits.unreadLookMs);
  const answer = await asked.answer;
  expect(answer.headers.get('retry-after')).toBe('1');
  await expectProblem(answer, 429, 'ANSWERS_UNREAD', 'has not read 16 MiB of what it was answered');
  expect([searches, server.gate.refused.unread]).toEqual([0, 1]);
});

test('nothing is looked for where nobody waits for it any more', async () => {
  const reader = { reads: false };
  const gone = new AbortController();
  const asked = askList(reader, { headers: { authorization: `Bearer ${token}` }, signal: gone.signal });
  await server.move(1_000);
  gone.abort();
  reader.reads = true;
  await server.move(limits.unreadLookMs);
  expect((await asked.answer).status).toBe(499);
  expect(searches).toBe(0);
});

test('nothing of a stream is read whose caller has gone before its turn', async () => {
  const send = (signal: AbortSignal | null) =>
    server.ask('/api/v1/tasks/batch', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
      body: '{"name":"a"}\n',
      signal,
    });
  expect((await send(AbortSignal.abort())).status).toBe(499);
  expect((await server.store.broker.getQueues()).length).toBe(0);
  expect(await (await send(null)).text()).toContain('"created":1');
});

/** Tests that a request, its answer, its problem and the line in the log have one id. */

import { beforeEach, expect, test } from 'vitest';
import { isId } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import { expectProblem, startServer, type TestServer } from '../support/http.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

async function idOfAnswer(given?: string): Promise<string> {
  const response = await server.get('/api/v1/queues', given === undefined ? {} : { 'x-request-id': given });
  return response.headers.get('x-request-id') ?? '';
}

test.each(['7b0e1c2a-5d2f-4d0e-9d53-3a1c0e9f4c11', 'Root=1-67891233:abc/def+x@host', 'a'.repeat(limits.requestIdMax)])(
  'what a caller calls its request is taken: %s',
  async (given) => {
    expect(await idOfAnswer(given)).toBe(given);
  },
);

test.each([undefined, '', 'two words', '<script>', 'ä', 'a'.repeat(limits.requestIdMax + 1)])(
  'where it is not well-formed a new one is made: %s',
  async (given) => {
    expect(isId(await idOfAnswer(given))).toBe(true);
  },
);

test('a problem names it, whatever kind it is', async () => {
  const headers = { 'x-request-id': 'r-1' };
  const answers = [
    await expectProblem(await server.get('/api/v1/tasks/nonsense', headers), 400, 'INVALID_ID'),
    await expectProblem(await server.get('/api/v1/nothing', headers), 404, 'NOT_FOUND'),
    await expectProblem(await server.post('/api/v1/counts', {}, headers), 405, 'METHOD_NOT_ALLOWED'),
    await expectProblem(
      await server.get('/api/v1/tasks', { ...headers, host: 'evil.example' }),
      403,
      'HOST_NOT_ALLOWED',
    ),
  ];
  expect(answers.map(({ requestId }) => requestId)).toEqual(['r-1', 'r-1', 'r-1', 'r-1']);
});

test('a bug is reported with it, and without what the query held', async () => {
  const bug = new Error('oh');
  Object.assign(server.store.history, { search: () => Promise.reject(bug) });
  const response = await server.get('/api/v1/tasks?q=secret', { 'x-request-id': 'r-2' });
  const problem = await expectProblem(response, 500, 'INTERNAL');
  expect(problem.requestId).toBe('r-2');
  expect(server.reported).toEqual([bug]);
  expect(server.failed).toEqual([{ requestId: 'r-2', method: 'GET', path: '/api/v1/tasks' }]);
});

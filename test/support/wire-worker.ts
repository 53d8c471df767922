/** A worker over HTTP as its messages make it: what a worker in any language would send, written by hand. */

import { expect } from 'vitest';
import { json } from './http.ts';
import type { WorkerServer } from './worker-server.ts';

export type Body = Record<string, unknown>;
export interface Claimed extends Body {
  readonly id: string;
  readonly lease: { readonly id: string; readonly token: string; readonly epoch: number };
}

export type WireWorker = Awaited<ReturnType<typeof createWireWorker>>;

let worlds = 0;

/** One worker with a key of its own, and a queue that nobody else has. */
export async function createWireWorker(server: WorkerServer) {
  worlds += 1;
  const queue = `q${worlds}`;
  const worker = { id: `py-${worlds}`, name: `python ${worlds}`, queues: { [queue]: 2 } };
  const { token: key } = await server.newKey();
  const token = (number: number): string => `claim-${number}-of-${worker.id}`;
  const post = (verb: string, body: unknown, as = key): Promise<Response> =>
    server.ask(as, `/api/v1/worker/${verb}`, body);
  async function call(verb: string, body: unknown): Promise<Body> {
    const response = await post(verb, body);
    const answer = await json(response);
    expect({ status: response.status, answer }).toMatchObject({ status: 200 });
    return answer;
  }
  const person = (path: string, body?: unknown): Promise<Response> => server.ask(server.admin, `/api/v1${path}`, body);
  async function claim(number = 1, more: Body = {}): Promise<readonly Claimed[]> {
    const asks = { worker: worker.id, token: token(number), queues: { [queue]: 2 }, ...more };
    return (await call('claim', asks)).tasks as readonly Claimed[];
  }
  return {
    queue,
    worker,
    token,
    post,
    call,
    person,
    claim,
    claimOne: async (number = 1): Promise<Claimed> => (await claim(number))[0]!,
    enqueue: async (body: Body = {}): Promise<string> =>
      String((await json(await person('/tasks', { name: 'py.resize', queue, input: {}, ...body }))).id),
    async outcome(...outcomes: readonly unknown[]): Promise<readonly unknown[]> {
      const { results } = await call('outcome', { worker: worker.id, outcomes });
      return (results as readonly Body[]).map(({ result, to }) => to ?? result);
    },
    get: async (id: string): Promise<Body> => json(await person(`/tasks/${id}`)),
  };
}

const error = { name: 'ValueError', message: 'no such file', stack: 'File "work.py", line 3\nraise ValueError' };
/** What a worker says of a run, and what that makes of the task. */
export const ends = [
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
    { outcome: 'snooze', delayMs: 600_000 },
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

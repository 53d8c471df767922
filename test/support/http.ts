/** A whole server without a port: the app over a store of its own, with one worker that publishes two tasks. */

import { expect } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createMetrics } from '../../src/api/metrics.ts';
import type { FailedRequest } from '../../src/api/problem.ts';
import { createMemoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { seededChance } from '../../src/core/chance.ts';
import type { Definition, Presence } from '../../src/core/presence.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import type { Store } from '../../src/history/history.ts';
import { createContext } from '../../src/operations/context.ts';
import type { OperationContext, Role } from '../../src/operations/operation.ts';
import { createManualClock } from './manual-clock.ts';
import { createMemoryHistory } from './memory-history.ts';

export interface TestServer {
  readonly store: Store;
  /** What its requests work with. */
  readonly context: OperationContext;
  /** What was reported as nobody's mistake but ours. */
  readonly reported: unknown[];
  /** In which requests. */
  readonly failed: FailedRequest[];
  fetch(request: Request): Promise<Response>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Sends JSON text as it is, or anything else as JSON. */
  post(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Sends a form, as the pages do. */
  submit(
    path: string,
    fields?: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Response>;
  move(ms: number): Promise<void>;
}

export const base = 'http://127.0.0.1:8000';
const startAt = Date.UTC(2026, 10, 23, 9, 0, 0);

export async function startServer(role: Role = 'admin'): Promise<TestServer> {
  const clock = createManualClock(startAt);
  const chance = seededChance(7);
  const broker = createMemoryBroker({ now: clock.now, chance });
  await broker.open();
  const store: Store = { broker, history: createMemoryHistory(broker.state), close: () => broker.close() };
  await broker.heartbeat({ worker: presence, leaseMs: 30_000, beats: [] });
  const reported: unknown[] = [];
  const failed: FailedRequest[] = [];
  const context = createContext({ store, clock, chance, actor: { name: 'ada', role } });
  const fetch = createApp({
    context,
    pages: createPages({ version: '0.0.0' }),
    report(error, request) {
      reported.push(error);
      failed.push(request);
    },
    metrics: createMetrics({ version: '0.0.0', clock }),
  });
  const send = (path: string, init: RequestInit) => fetch(new Request(base + path, init));
  return {
    // As its requests see it: what a test bends in it is bent for them.
    store: context.store,
    context,
    reported,
    failed,
    fetch,
    get: (path, headers = {}) => send(path, { headers }),
    post: (path, body, headers = {}) =>
      send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    submit: (path, fields = {}, headers = {}) =>
      send(path, {
        method: 'POST',
        headers: { 'sec-fetch-site': 'same-origin', ...headers },
        body: new URLSearchParams(fields),
      }),
    move: (ms) => clock.advance(ms),
  };
}

const pathSchema = {
  type: 'object',
  properties: { path: { type: 'string', minLength: 1 }, depth: { type: 'integer', default: 3 } },
  required: ['path'],
};

function definition(name: string, more: Partial<Definition> = {}): Definition {
  return {
    name,
    description: null,
    queue: 'default',
    inputSchema: null,
    schemaVersion: null,
    policy: '{}',
    timeoutMs: 60_000,
    key: null,
    keyForMs: null,
    ifExists: 'return',
    group: null,
    file: null,
    ...more,
  };
}

const definitions = [
  definition('text.stats', { inputSchema: pathSchema, schemaVersion: 'v1', policy: '{"attempts":3}' }),
  definition('email.welcome', { queue: 'email', key: 'welcome:{userId}', timeoutMs: null }),
];

const presence: Presence = {
  workerId: 'w-1',
  name: 'ada-mbp-4121',
  host: 'ada-mbp',
  pid: 4121,
  bootId: null,
  version: '0.0.0',
  queues: { default: 10, email: 2 },
  concurrency: 12,
  running: 0,
  state: 'ready',
  services: true,
  server: false,
  taskNames: definitions.map(({ name }) => name),
  definitions,
};

/** The body of an answer, whatever it is. */
export async function json(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

/** Checks that an answer is the problem document of a code, and returns it. */
export async function expectProblem(
  response: Response,
  status: number,
  code: string,
  detail?: string,
): Promise<Record<string, unknown>> {
  const problem = await json(response);
  expect({ status: response.status, code: problem.code, type: response.headers.get('content-type') }).toEqual({
    status,
    code,
    type: 'application/problem+json',
  });
  expect(problem).toMatchObject({ status, type: `urn:taskflow:error:${code}` });
  if (detail !== undefined) expect(problem.detail).toContain(detail);
  return problem;
}

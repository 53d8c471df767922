/** Servers that ask for keys, on a port, for workers over HTTP: one on each store, shared by the tests of a file, which keep to queues of their own. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createAuthenticate } from '../../src/api/authenticate.ts';
import { createGate } from '../../src/api/gate.ts';
import { serve } from '../../src/api/serve.ts';
import { connect } from '../../src/broker/connect.ts';
import type { CreatedKey, NewKey } from '../../src/core/access.ts';
import { systemClock } from '../../src/core/time.ts';
import { createEngine } from '../../src/engine/engine.ts';
import type { Store } from '../../src/history/history.ts';
import { createContext } from '../../src/operations/context.ts';
import type { OperationContext } from '../../src/operations/operation.ts';
import { onPostgres } from './postgres-tests.ts';
import { onOwnRedis } from './redis-tests.ts';

export interface WorkerServer {
  readonly store: Store;
  readonly context: OperationContext;
  readonly url: string;
  readonly port: number;
  /** What was reported as nobody's mistake but ours. */
  readonly reported: readonly unknown[];
  /** Secret of a key of an admin: for what people do. */
  readonly admin: string;
  /** Of a worker's key, unless told otherwise. */
  newKey(given?: Partial<NewKey>): Promise<CreatedKey>;
  /** Asks with a key; sends JSON text as it is, or anything else as JSON. Without a body it is a GET. */
  ask(token: string, path: string, body?: unknown): Promise<Response>;
  close(): Promise<void>;
}

/** Declares the same tests on every store. */
export async function onEachWorkerServer(declare: (server: () => WorkerServer) => void): Promise<void> {
  const on = (name: string, open: () => Promise<Store> | Store): void => {
    describe(name, () => {
      let server: WorkerServer;
      beforeAll(async () => {
        server = await startWorkerServer(await open());
      });
      afterAll(() => server.close());
      declare(() => server);
    });
  };
  on('memory', () => connect('sqlite::memory:'));
  on('SQLite', () => connect(`sqlite:${join(newFolder(), 'taskflow.db')}`));
  await onPostgres((postgres) => on('Postgres', async () => connect(await postgres.createDatabase())));
  await onOwnRedis(({ url }) =>
    on('Redis with its record', () =>
      connect(`${url}?durability=any`, {
        store: `sqlite:${join(newFolder(), 'record.db')}`,
        namespace: randomBytes(8).toString('hex'),
      }),
    ),
  );
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-worker-server-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Opens the store, and closes it with the server. */
export async function startWorkerServer(store: Store): Promise<WorkerServer> {
  await store.broker.open();
  const { access } = store;
  if (access === undefined) throw new Error('a store without keys');
  const reported: unknown[] = [];
  const context = createContext({ store, actor: { name: 'server', role: 'admin' } });
  const gate = createGate({ clock: systemClock });
  const fetch_ = createApp({
    context,
    access,
    authenticate: createAuthenticate(access, gate),
    gate,
    report: (error) => reported.push(error),
  });
  const server = await serve({ fetch: fetch_, host: '127.0.0.1', port: 0, insecure: false, clock: systemClock });
  const presence = { workerId: randomBytes(16).toString('hex'), name: 'server', version: '0.0.0' };
  const engine = createEngine({ store, recoveryMs: 0, report: () => undefined, presence });
  engine.start();
  const newKey: WorkerServer['newKey'] = (given = {}) =>
    access.keys.create({
      kind: 'worker',
      label: 'worker',
      role: 'operator',
      scopes: ['work'],
      queues: null,
      createdBy: 'test',
      expiresInMs: null,
      ...given,
    });
  const { token: admin } = await newKey({ kind: 'user', label: 'ada', role: 'admin', scopes: null });
  return {
    store,
    context,
    url: server.url,
    port: server.port,
    reported,
    admin,
    newKey,
    ask: (token, path, body) =>
      fetch(`${server.url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    async close() {
      context.remote.hints.end();
      await Promise.all([server.close(100), engine.stop()]);
      await access.audit.settled();
      await store.close();
    },
  };
}

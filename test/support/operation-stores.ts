/** Operations over each real store: SQLite, Postgres, and Redis with its record in SQLite, each empty and with a server's services. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { type ConnectOptions, connect } from '../../src/broker/connect.ts';
import { systemChance } from '../../src/core/chance.ts';
import type { TaskError } from '../../src/core/task.ts';
import { createEngine } from '../../src/engine/engine.ts';
import type { Store } from '../../src/history/history.ts';
import { createContext } from '../../src/operations/context.ts';
import { enqueueByName } from '../../src/operations/enqueue.ts';
import { type Operation, type OperationContext, perform, type Role } from '../../src/operations/operation.ts';
import { claimRequest, finish, settlement } from '../conformance/samples.ts';
import { onPostgres } from './postgres-tests.ts';
import { onOwnRedis } from './redis-tests.ts';
import { waitFor } from './wait-for.ts';

export interface OperationRig {
  readonly store: Store;
  readonly context: OperationContext;
  /** Every statement of SQL so far, of whoever has this store open: whoever counts them stops the engine first. */
  readonly statements: string[];
  /** Where it has one: the socket of its Redis. */
  readonly redisPath: string | null;
  /** Performs it as ada, an admin unless told otherwise. */
  ask<Input, Output>(operation: Operation<Input, Output>, input: unknown, role?: Role): Promise<Output>;
  enqueue(name: string, options?: object): Promise<string>;
  /** Claims what waits in these queues, at most `limit`, and ends it so; answers the ids. */
  end(to: 'succeeded' | 'failed', options?: EndOptions): Promise<readonly string[]>;
  claim(limit?: number, queue?: string): ReturnType<Store['broker']['claim']>;
  /** Stops the services, and starts those of another server. */
  stopEngine(): Promise<void>;
  startEngine(): void;
  /** Resolves when the record has all that happened so far. */
  recorded(): Promise<void>;
}

interface EndOptions {
  readonly limit?: number;
  readonly queue?: string;
  /** What a failure says. */
  readonly error?: TaskError;
}

export const token = (): string => Buffer.from(systemChance.bytes(16)).toString('hex');

/** Declares the same tests on every store. Each test opens one that nobody else has; it is closed with the test. */
export async function onEachStore(declare: (open: () => Promise<OperationRig>) => void): Promise<void> {
  describe('SQLite', () => declare(() => openRig(`sqlite:${join(newFolder(), 'taskflow.db')}`, {})));
  await onPostgres((postgres) => {
    describe('Postgres', () => declare(async () => openRig(await postgres.createDatabase(), {})));
  });
  await onOwnRedis((server) => {
    const redis = `${server.url}?durability=any`;
    const record = (): ConnectOptions => ({ store: `sqlite:${join(newFolder(), 'record.db')}`, namespace: token() });
    describe('Redis with its record', () => declare(() => openRig(redis, record(), server.path)));
  });
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-operations-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function openRig(url: string, options: ConnectOptions, redisPath: string | null = null): Promise<OperationRig> {
  const statements: string[] = [];
  const store = connect(url, { ...options, onStatement: (text) => void statements.push(text) });
  onTestFinished(() => store.close());
  await store.broker.open();
  const serve = () =>
    createEngine({ store, recoveryMs: 0, presence: { workerId: token(), name: 'server', version: '0.0.0' } });
  let engine = serve();
  engine.start();
  onTestFinished(() => engine.stop());
  const context = createContext({ store, actor: { name: 'ada', role: 'admin' } });
  const claim: OperationRig['claim'] = (limit = 100, queue = 'default') =>
    store.broker.claim(claimRequest(token(), { limit, queues: [{ name: queue, limit }] }));
  return {
    store,
    context,
    statements,
    redisPath,
    claim,
    stopEngine: () => engine.stop(),
    startEngine: () => {
      engine = serve();
      engine.start();
    },
    ask: (operation, input, role = 'admin') => perform(operation, { ...context, actor: { name: 'ada', role } }, input),
    enqueue: async (name, options = {}) => (await enqueueByName(context, { name, ...options })).id,
    end: async (to, { limit, queue, error } = {}) => {
      const claimed = await claim(limit, queue);
      const verdict = finish(to, { keepMs: 3_600_000, ...(error && { error }) });
      await store.broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease, verdict)));
      return claimed.map(({ task }) => task.id);
    },
    recorded: () => waitFor(async () => expect(await store.history.lagMs()).toBe(0)),
  };
}

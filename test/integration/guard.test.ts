/** Tests the guard's real thread over a real file: it begins with the first claim, is begun again when it dies, and ends with its worker. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSqliteStore } from '../../src/broker/connect.ts';
import type { Task } from '../../src/core/task.ts';
import { systemClock } from '../../src/core/time.ts';
import type { Store } from '../../src/history/history.ts';
import { createWorker, type Worker } from '../../src/worker/worker.ts';
import { until } from '../e2e/processes.ts';
import { livesFile } from '../support/dying-store.ts';
import { createDefinition, newTask } from '../support/worker-rig.ts';

let folder: string;
let store: Store;
let worker: Worker;
let stop: () => void;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-guard-'));
  store = createSqliteStore({ file: join(folder, 'store.db') });
  await store.broker.open();
});
afterEach(async () => {
  stop?.();
  await worker.stop();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function start(leaseMs: number, more: Partial<Store> = {}): void {
  const gate = new Promise<void>((resolve) => (stop = resolve));
  const spin = (): object => {
    const endAt = systemClock.elapsed() + 3 * leaseMs;
    while (systemClock.elapsed() < endAt);
    // Read within the same turn: as soon as the loop turns it would renew them itself.
    const database = new DatabaseSync(join(folder, 'store.db'));
    const leases = database.prepare("SELECT lease_until FROM tasks WHERE state = 'running'").all();
    database.close();
    return { kept: leases.map((lease) => Number(lease.lease_until) > systemClock.now()) };
  };
  const definitions = [
    createDefinition('gated', (_input, { signal }) => gate.then(() => ({ isAborted: signal.aborted }))),
    createDefinition('spin', spin),
  ];
  worker = createWorker({ store: { ...store, ...more }, definitions, leaseMs, services: 'never' });
  worker.start();
}

async function run(number: number, name: string): Promise<string> {
  const id = `01K8Q2M4ZJ${String(number).padStart(16, '0')}`;
  await store.broker.enqueue([newTask({ id, name })]);
  return id;
}

async function taskOf(id: string): Promise<Task | null | undefined> {
  return (await store.broker.getTasks([id]))[0];
}

async function stateOf(id: string): Promise<string | undefined> {
  return (await taskOf(id))?.state;
}

/** Blocks the loop beside the gated task: both keep their leases, and the gated one may go on. */
async function keepsLeasesBeside(gated: string): Promise<void> {
  const spun = await run(2, 'spin');
  await until('it is over', async () => (await stateOf(spun)) === 'succeeded');
  stop();
  await until('the other ends', async () => (await stateOf(gated)) === 'succeeded');
  expect(await taskOf(spun)).toMatchObject({ epoch: 1, result: '{"kept":[true,true]}' });
  expect(await taskOf(gated)).toMatchObject({ epoch: 1, result: '{"isAborted":false}' });
}

test('a loop that blocks with its very first task keeps its leases, and knows afterwards that it may trust them', async () => {
  start(2_000);
  const gated = await run(1, 'gated');
  await until('it runs', async () => (await stateOf(gated)) === 'running');
  await keepsLeasesBeside(gated);
});

test('a thread that dies is told of, and the next one keeps what the first was told of', async () => {
  const module = new URL('../support/dying-store.ts', import.meta.url).href;
  start(2_000, { address: { module, url: join(folder, 'store.db') } });
  const troubles: unknown[] = [];
  worker.on('trouble', (trouble) => troubles.push(trouble));
  const gated = await run(1, 'gated');
  await until('the thread has died', () => troubles.length > 0);
  await until('another one lives', () => existsSync(livesFile(join(folder, 'store.db'))));
  await keepsLeasesBeside(gated);
  expect(troubles).toMatchObject([{ service: 'guard', failures: 1, error: { message: 'the thread dies' } }]);
});

test('a worker that stops leaves neither a presence nor a thread that would write one', async () => {
  start(1_000);
  const id = await run(1, 'gated');
  await until('it runs', async () => (await stateOf(id)) === 'running');
  stop();
  await worker.stop();
  expect(await store.broker.getWorkers()).toEqual([]);
});

test('its presence tells how late the loop turns', async () => {
  start(1_000);
  await run(1, 'spin');
  await until('it is told', async () => {
    const [record] = await store.broker.getWorkers();
    return (record?.loopLagMs ?? 0) > 1_000;
  });
});

/** Tests the guard's real thread over a real file: it begins with the first claim, is begun again when it dies, and ends with its worker. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSqliteStore } from '../../src/broker/connect.ts';
import { systemClock } from '../../src/core/time.ts';
import type { Store } from '../../src/history/history.ts';
import { createWorker, type Worker } from '../../src/worker/worker.ts';
import { until } from '../e2e/processes.ts';
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

function start(leaseMs: number): void {
  const gate = new Promise<void>((resolve) => (stop = resolve));
  const spin = (): void => {
    const endAt = systemClock.elapsed() + 3 * leaseMs;
    while (systemClock.elapsed() < endAt);
  };
  const definitions = [createDefinition('gated', () => gate), createDefinition('spin', spin)];
  worker = createWorker({ store, definitions, leaseMs, services: 'never' });
  worker.start();
}

async function run(number: number, name: string): Promise<string> {
  const id = `01K8Q2M4ZJ${String(number).padStart(16, '0')}`;
  await store.broker.enqueue([newTask({ id, name })]);
  return id;
}

async function stateOf(id: string): Promise<string | undefined> {
  return (await store.broker.getTasks([id]))[0]?.state;
}

test('a loop that blocks with its very first task keeps its leases, and knows afterwards that it may trust them', async () => {
  start(1_000);
  const aborted: string[] = [];
  worker.on('dropped', ({ id }) => aborted.push(id));
  const gated = await run(1, 'gated');
  await until('it runs', async () => (await stateOf(gated)) === 'running');
  const spun = await run(2, 'spin');
  await until('it is over', async () => (await stateOf(spun)) === 'succeeded');
  stop();
  await until('the other ends', async () => (await stateOf(gated)) === 'succeeded');
  const [task] = await store.broker.getTasks([gated]);
  expect([task?.epoch, aborted]).toEqual([1, []]);
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

/** Checks workers as processes that share one SQLite file: together, killed, and told to stop. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { createSqliteBroker } from '../../src/broker/sqlite/store.ts';
import { systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import { isFinished } from '../../src/core/states.ts';
import type { Task } from '../../src/core/task.ts';
import { sleep, systemClock } from '../../src/core/time.ts';
import { newTask } from '../support/worker-rig.ts';

const script = fileURLToPath(new URL('../support/worker-child.ts', import.meta.url));
const ids = createIds(systemClock, systemChance);
let folder = '';
let broker: Broker;
let children: ChildProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'workers-'));
  broker = createSqliteBroker({ file: join(folder, 'tasks.db') });
  await broker.open();
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  await broker.close();
  rmSync(folder, { recursive: true });
});

async function startWorker(concurrency: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [script, join(folder, 'tasks.db'), join(folder, 'log'), String(concurrency)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

async function enqueue(count: number, ms: number, gate?: string): Promise<readonly string[]> {
  const tasks = Array.from({ length: count }, () =>
    newTask({ id: ids.next(), name: 'slow', payload: JSON.stringify({ ms, gate }), timeoutMs: 60_000 }),
  );
  await broker.enqueue(tasks);
  return tasks.map((task) => task.id);
}

async function tasksOf(taskIds: readonly string[]): Promise<readonly Task[]> {
  return (await broker.getTasks(taskIds)).filter((task) => task !== null);
}

async function whenAll(taskIds: readonly string[], holds: (task: Task) => boolean): Promise<readonly Task[]> {
  for (;;) {
    const tasks = await tasksOf(taskIds);
    if (tasks.length === taskIds.length && tasks.every(holds)) return tasks;
    await sleep(systemClock, 50);
  }
}

/** Runs by task: how many began, and how many ended. */
function runs(word: 'begin' | 'end'): Map<string, number> {
  const counts = new Map<string, number>();
  const text = existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8') : '';
  for (const [first, id = ''] of text.split('\n').map((line) => line.split(' '))) {
    if (first === word) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

test('two workers share the tasks and none runs twice', async () => {
  const gate = join(folder, 'gate');
  const taskIds = [...(await enqueue(20, 0, gate)), ...(await enqueue(400, 5))];
  await Promise.all([startWorker(10), startWorker(10)]);
  // However slowly one of them starts: twenty run at a time only where both have their slots full.
  while (runs('begin').size < 20) await sleep(systemClock, 20);
  writeFileSync(gate, '');
  const tasks = await whenAll(taskIds, (task) => isFinished(task.state));
  expect(tasks.every((task) => task.state === 'succeeded' && task.attempt === 1)).toBe(true);
  expect([...runs('begin').values()].every((count) => count === 1)).toBe(true);
  expect(new Set(tasks.map((task) => task.workerId)).size).toBe(2);
});

test('a worker killed with 50 tasks in flight: another one of the machine finishes them within seconds', async () => {
  const taskIds = await enqueue(120, 2_000);
  const victim = await startWorker(50);
  while (runs('begin').size < 50) await sleep(systemClock, 20);
  victim.kill('SIGKILL');
  await once(victim, 'exit');
  const killedAt = systemClock.elapsed();
  await startWorker(120);
  const tasks = await whenAll(taskIds, (task) => isFinished(task.state));
  expect(tasks.every((task) => task.state === 'succeeded')).toBe(true);
  // No waiting for the lease: the death of a process of the same machine is proved.
  expect(systemClock.elapsed() - killedAt).toBeLessThan(15_000);
  expect([...runs('end').values()].every((count) => count === 1)).toBe(true);
});

test('SIGTERM: what ends in time is done, the rest is handed back uncharged and at once', async () => {
  const quick = await enqueue(5, 500);
  const long = await enqueue(5, 60_000);
  const waiting = await enqueue(20, 10);
  const worker = await startWorker(10);
  while (runs('begin').size < 10) await sleep(systemClock, 20);
  worker.kill('SIGTERM');
  const [code] = (await once(worker, 'exit')) as [number | null];
  expect(code).toBe(0);
  expect((await tasksOf(quick)).every((task) => task.state === 'succeeded')).toBe(true);
  for (const task of await tasksOf(long))
    expect(task).toMatchObject({ state: 'queued', reason: 'released', attempt: 0, interruptions: 1 });
  for (const task of await tasksOf(waiting)) expect(['queued', 'succeeded']).toContain(task.state);
  expect((await tasksOf(waiting)).every((task) => task.state === 'succeeded' || task.attempt === 0)).toBe(true);
  expect(await broker.getWorkers()).toEqual([]);
});

test('a delayed task of another process starts soon after its time', async () => {
  await startWorker(5);
  await sleep(systemClock, 1_000);
  const id = ids.next();
  await broker.enqueue([newTask({ id, name: 'slow', payload: '{"ms":1}', delayMs: 300 })]);
  const [task] = await whenAll([id], (one) => isFinished(one.state));
  expect((task?.startedAt ?? Infinity) - (task?.dueAt ?? 0)).toBeLessThan(2_200);
});

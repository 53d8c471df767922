/** The zoo: whatever a handler does, in the worker or in a process of its own, it is recorded, and the worker lives. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/broker/connect.ts';
import { systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import { isFinished } from '../../src/core/states.ts';
import type { NewTask, Task } from '../../src/core/task.ts';
import { sleep, systemClock } from '../../src/core/time.ts';
import { newTask } from '../support/worker-rig.ts';

const folder = mkdtempSync(join(tmpdir(), 'taskflow-zoo-'));
const store = connect(`sqlite:${join(folder, 'tasks.db')}`);
const { broker, history } = store;
const ids = createIds(systemClock, systemChance);
let worker: ChildProcess;
let said = '';

beforeAll(async () => {
  await broker.open();
  await startWorker();
});

async function startWorker(graceMs = 300): Promise<void> {
  const program = fileURLToPath(new URL('../zoo/worker.ts', import.meta.url));
  said = '';
  worker = spawn(process.execPath, [program, join(folder, 'tasks.db'), `${graceMs}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  worker.stdout?.on('data', (chunk) => {
    said += chunk;
  });
  await until(() => said.includes('ready'));
}

afterAll(async () => {
  worker.kill('SIGKILL');
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(systemClock, 20);
}

async function taskOf(id: string): Promise<Task> {
  const [task] = await broker.getTasks([id]);
  if (task == null) throw new Error(`no task ${id}`);
  return task;
}

/** Enqueues one and waits for its end: of the first run, as the policy allows no more. */
async function run(name: string, given: Partial<NewTask> = {}): Promise<Task> {
  const id = ids.next();
  await broker.enqueue([newTask({ id, name, policy: '{"attempts":1,"isolate":"process"}', ...given })]);
  await until(async () => isFinished((await taskOf(id)).state));
  return taskOf(id);
}

async function logsOf(id: string) {
  return (await history.task(id))?.logs ?? [];
}

const isAlive = (): boolean => worker.exitCode === null && worker.signalCode === null;

/** Processes below the worker, by what they run. */
function processesBelow(pid: number): string[] {
  const lines = execFileSync('ps', ['-e', '-o', 'ppid=,pid=,args='], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => Number(line.trim().split(/\s+/, 1)[0]) === pid).map((line) => line.trim());
}

const outcomes: readonly (readonly [animal: string, ends: object])[] = [
  ['string', { state: 'failed', error: { message: 'text' } }],
  ['null', { state: 'failed', error: { message: 'null was thrown' } }],
  ['undefined', { state: 'failed', error: { message: 'undefined was thrown' } }],
  ['number', { state: 'failed', error: { message: '42 was thrown' } }],
  ['cyclic', { state: 'failed', error: { message: 'round' } }],
  ['getters', { state: 'failed', reason: 'error' }],
  ['proxy', { state: 'failed', reason: 'error' }],
  ['hugeMessage', { state: 'failed', error: { message: expect.stringMatching(/^m{900,1000}…$/) } }],
  ['hugeStack', { state: 'failed', error: { message: 'huge' } }],
  ['hugeResult', { state: 'failed', error: { message: expect.stringContaining('larger than 256 KiB') } }],
  ['bigint', { state: 'failed', error: { message: expect.stringContaining('cannot be written as JSON') } }],
  ['cyclicResult', { state: 'failed', error: { message: expect.stringContaining('cannot be written as JSON') } }],
  ['rejectsTwice', { state: 'failed', error: { message: 'first' } }],
  ['rejectsAside', { state: 'failed', error: { message: 'aside' } }],
  ['rejectsAfter', { state: 'succeeded' }],
  ['throwsInTimer', { state: 'failed', error: { message: 'in a timer' } }],
  ['throwsAfter', { state: 'succeeded' }],
  ['emitsError', { state: 'failed', error: { message: expect.stringContaining('ENOENT') } }],
  ['exitAfter', { state: 'succeeded' }],
  ['fine', { state: 'succeeded', result: '"fine"' }],
];

describe.each(['here', 'apart'])('%s', (place) => {
  test.each(outcomes)('%s is recorded, and the worker lives', async (animal, ends) => {
    const task = await run(`${place}.${animal}`);
    expect(task).toMatchObject(ends);
    expect((task.error?.stack ?? '').length).toBeLessThan(limits.errorFramesMax * limits.errorLineMax);
    expect(isAlive()).toBe(true);
  });

  test.each(['exit', 'exitAside'])('%s counts as a crash, and three are too many', async (animal) => {
    const task = await run(`${place}.${animal}`);
    expect(task).toMatchObject({ state: 'failed', reason: 'crash_loop', crashes: limits.crashesMax, attempt: 0 });
    expect(isAlive()).toBe(true);
  });

  test('a handler that ignores its abort for ever ends, and its slot is free again', async () => {
    const task = await run(`${place}.ignoresAbort`, { timeoutMs: 100 });
    expect(task).toMatchObject({ state: 'failed', reason: 'timeout' });
    expect((await run(`${place}.fine`)).state).toBe('succeeded');
  });
});

test('what a handler left behind in the worker is told with its name', () => {
  expect(said).toMatch(/stray here.throwsAfter afterwards/);
  expect(said).toMatch(/stray here.rejectsAfter afterwards/);
  expect(said).toMatch(/stray here.exitAfter The handler called process.exit\(4\)/);
});

test.each([
  ['abort', 'SIGABRT'],
  ['killsItself', 'SIGKILL'],
  ['heapBomb', 'out of memory (96 MB are allowed)'],
  ['bufferBomb', 'out of memory (96 MB are allowed)'],
])('%s ends its own process only, three times, and is quarantined with what is known', async (animal, words) => {
  const task = await run(`apart.${animal}`);
  expect(task).toMatchObject({ state: 'failed', reason: 'crash_loop', crashes: limits.crashesMax });
  expect(task.error).toMatchObject({ name: 'ProcessCrashError', message: expect.stringContaining(words) });
  expect(task.workerId).not.toBeNull();
  expect(isAlive()).toBe(true);
});

test('an endless loop is killed at the end of its timeout and its grace', async () => {
  const task = await run('apart.loops', { timeoutMs: 200 });
  expect(task).toMatchObject({ state: 'failed', reason: 'timeout', crashes: 0, attempt: 1 });
});

test('an endless loop is killed when it is cancelled', async () => {
  const id = ids.next();
  await broker.enqueue([newTask({ id, name: 'apart.loops' })]);
  await until(async () => (await taskOf(id)).startedAt !== null);
  await broker.cancel({ taskIds: [id], reason: null });
  await until(async () => isFinished((await taskOf(id)).state));
  expect(await taskOf(id)).toMatchObject({ state: 'cancelled', crashes: 0 });
});

test('a hundred megabytes of output are a thousand lines of its log', async () => {
  const task = await run('apart.shouts');
  expect(task).toMatchObject({ state: 'succeeded', result: '"hoarse"' });
  const lines = await logsOf(task.id);
  expect([lines.length, lines.at(-1)?.message]).toEqual([limits.logLinesMax, expect.stringContaining('dropped')]);
  expect(isAlive()).toBe(true);
});

test('what a handler prints, logs and reports is kept; it has the environment, and a process of its own', async () => {
  const task = await run('apart.speaks');
  const result = JSON.parse(task.result ?? '{}') as { readonly pid: number; readonly ppid: number };
  expect(result).toMatchObject({ ppid: worker.pid, secret: 'told' });
  expect(result.pid).not.toBe(worker.pid);
  expect(task.progress).toEqual({ done: 1, total: 2, note: 'half' });
  const lines = (await logsOf(task.id)).map(({ level, message, fields }) => `${level} ${message} ${fields}`);
  expect(lines.sort()).toEqual([
    'info to stdout {"stream":"stdout"}',
    'info to the log {"n":1}',
    'warn to stderr {"stream":"stderr"}',
  ]);
});

test('a handler may send to its worker what it likes', async () => {
  expect(await run('apart.talksToParent')).toMatchObject({ state: 'succeeded' });
});

test('processes that a handler started end with its own', async () => {
  await run('apart.hasChildren', { timeoutMs: 200 });
  const sleepers = execFileSync('ps', ['-e', '-o', 'args='], { encoding: 'utf8' }).match(/^sleep 300$/gm) ?? [];
  expect(sleepers).toEqual([]);
});

test('a step is kept although its process died right after it', async () => {
  const task = await run('apart.stepsThenDies');
  const { first, now } = JSON.parse(task.result ?? '{}') as { readonly first: number; readonly now: number };
  expect(task).toMatchObject({ state: 'succeeded', crashes: 1 });
  expect(first).not.toBe(now);
});

test('there are no more processes than slots, and a stop ends all of them', async () => {
  const enqueued = Array.from({ length: 40 }, () => newTask({ id: ids.next(), name: 'apart.fine' }));
  await broker.enqueue(enqueued);
  await until(async () =>
    (await broker.getTasks(enqueued.map(({ id }) => id))).every((one) => one?.state === 'succeeded'),
  );
  // Those that have just been let go are on their way.
  await until(() => processesBelow(worker.pid ?? 0).length <= 6);
  const busy = ids.next();
  await broker.enqueue([newTask({ id: busy, name: 'apart.loops' })]);
  await until(async () => (await taskOf(busy)).startedAt !== null);
  worker.kill('SIGTERM');
  await until(() => !isAlive());
  expect([worker.exitCode, processesBelow(worker.pid ?? 0)]).toEqual([0, []]);
  expect(await taskOf(busy)).toMatchObject({ state: 'queued', reason: 'released', crashes: 0, interruptions: 1 });
});

test('a stop that cannot wait for the grace ends processes without blaming their tasks', async () => {
  await startWorker(limits.graceMs);
  const id = ids.next();
  await broker.enqueue([newTask({ id, name: 'apart.loops' })]);
  await until(async () => (await taskOf(id)).startedAt !== null);
  worker.kill('SIGTERM');
  await until(() => !isAlive());
  expect(await taskOf(id)).toMatchObject({ state: 'queued', reason: 'released', crashes: 0, interruptions: 1 });
  await broker.cancel({ taskIds: [id], reason: null });
});

test('a worker that is killed takes its processes along, those that compute too', async () => {
  await startWorker();
  const id = ids.next();
  await broker.enqueue([newTask({ id, name: 'apart.loops' })]);
  await until(async () => (await taskOf(id)).startedAt !== null);
  const pids = processesBelow(worker.pid ?? 0).map((line) => Number(line.split(/\s+/)[1]));
  expect(pids.length).toBeGreaterThan(0);
  worker.kill('SIGKILL');
  await until(() => pids.every((pid) => !isThere(pid)));
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

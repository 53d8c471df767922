/** Runs the example worker in Python against real servers: its tasks, its ends, and servers that die under it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { serve } from '../../src/api/serve.ts';
import { systemChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';
import type { Store } from '../../src/history/history.ts';
import { createContext } from '../../src/operations/context.ts';
import { type OperationContext, perform } from '../../src/operations/operation.ts';
import { taskEnqueue, taskLogs } from '../../src/operations/task.ts';
import { freePort } from '../../src/servers/free-port.ts';
import { openTestStore } from '../../src/testing/stores.ts';
import { newTask } from '../conformance/samples.ts';
import { type Child, createScenario } from '../e2e/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const script = fileURLToPath(new URL('../../examples/python-worker/worker.py', import.meta.url));
const hasPython = spawnSync('python3', ['--version']).status === 0;
const undo: (() => unknown)[] = [];
afterEach(async () => {
  while (undo.length > 0) await undo.pop()?.();
});

interface Setup {
  readonly store: Store;
  readonly context: OperationContext;
  readonly python: ChildProcess;
}

function startPython(url: string, env: Readonly<Record<string, string>> = {}): ChildProcess {
  const python = spawn('python3', [script, url], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  undo.push(() => python.kill('SIGKILL'));
  return python;
}

async function setUp(): Promise<Setup> {
  const store = await openTestStore('memory', systemClock.now, systemChance);
  const context = createContext({ store, actor: { name: 'ada', role: 'admin' } });
  const fetch = createApp({ context, report: () => undefined });
  const server = await serve({ fetch, host: '127.0.0.1', port: 0, insecure: false, clock: systemClock });
  const python = startPython(server.url);
  undo.push(async () => {
    python.kill('SIGKILL');
    context.remote.hints.end();
    await server.close(100);
  });
  await waitFor(async () => expect(await context.definitions.find('python.word-count')).not.toBeNull());
  return { store, context, python };
}

async function enqueue({ context }: Setup, input: object): Promise<string> {
  return (await perform(taskEnqueue, context, { name: 'python.word-count', input })).id;
}

async function ended({ store }: Setup, id: string, state: string) {
  return waitFor(async () => {
    const [task] = await store.broker.getTasks([id]);
    expect(task).toMatchObject({ state });
    return task!;
  });
}

test('it is a complete worker in less than a hundred lines', () => {
  expect(readFileSync(script, 'utf8').split('\n').length).toBeLessThan(101);
});

test('it runs tasks with progress, logs and errors, and keeps long numbers', async ({ skip }) => {
  skip(!hasPython, 'python3 is not on this machine');
  const setup = await setUp();
  const id = await enqueue(setup, { text: 'as plain as can be', echo: 1 });
  expect(await ended(setup, id, 'succeeded')).toMatchObject({
    queue: 'python',
    result: '{"words":5,"echo":1}',
    progress: { done: 5, total: 5, note: 'be' },
  });
  const { logs } = await perform(taskLogs, setup.context, { id });
  expect(logs).toMatchObject([{ level: 'info', message: 'counted', fields: { words: 5 } }]);
  const bad = await enqueue(setup, { text: 'x', secondsPerWord: 'not a number' });
  const failed = await ended(setup, bad, 'scheduled');
  expect(failed).toMatchObject({ attempt: 1, error: { name: 'TypeError' } });
  expect(failed.error?.stack).toContain('worker.py');
});

test('it ends a run that is cancelled, and gives back what runs when it is told to stop', async ({ skip }) => {
  skip(!hasPython, 'python3 is not on this machine');
  const setup = await setUp();
  const slow = { text: 'word '.repeat(10_000), secondsPerWord: 0.05 };
  const cancelled = await enqueue(setup, slow);
  await ended(setup, cancelled, 'running');
  await setup.store.broker.cancel({ taskIds: [cancelled], reason: null });
  await ended(setup, cancelled, 'cancelled');
  const given = await enqueue(setup, slow);
  await ended(setup, given, 'running');
  setup.python.kill('SIGTERM');
  await waitFor(() => expect(setup.python.exitCode).toBe(0));
  expect(await ended(setup, given, 'queued')).toMatchObject({ attempt: 0 });
  expect(await setup.store.broker.getWorkers()).toEqual([]);
});

test('it ends a run whose time is over, and what is no JSON fails its run alone', async ({ skip }) => {
  skip(!hasPython, 'python3 is not on this machine');
  const setup = await setUp();
  const slow = { text: 'word '.repeat(10_000), secondsPerWord: 0.05 };
  const late = await perform(taskEnqueue, setup.context, { name: 'python.word-count', input: slow, timeout: '200ms' });
  expect(await ended(setup, late.id, 'scheduled')).toMatchObject({ attempt: 1, reason: 'timeout' });
  // Python reads it as infinity, which JSON cannot say.
  const odd = '01K8Q2M4ZJE008000000000001';
  const payload = '{"text":"a","echo":1e999}';
  await setup.store.broker.enqueue([newTask(odd, { name: 'python.word-count', queue: 'python', payload })]);
  expect(await ended(setup, odd, 'scheduled')).toMatchObject({ error: { name: 'ValueError' } });
  const good = await enqueue(setup, { text: 'a b' });
  expect(await ended(setup, good, 'succeeded')).toMatchObject({ result: '{"words":2,"echo":null}' });
});

test('it goes on when its server is killed and begins anew, and renews its leases for as long as a handler works', async ({
  skip,
}) => {
  skip(!hasPython, 'python3 is not on this machine');
  const scenario = createScenario();
  undo.push(() => scenario.end());
  const port = await freePort();
  const startServer = async (): Promise<Child> => {
    const server = scenario.command(['server', 'start', '--json', '--port', `${port}`]);
    await server.heard('ready');
    return server;
  };
  const ask = async (path: string, body?: object): Promise<Record<string, unknown>> => {
    const headers = { 'content-type': 'application/json' };
    const given = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) };
    return (await (await fetch(`http://127.0.0.1:${port}/api/v1${path}`, given)).json()) as Record<string, unknown>;
  };
  // The first command in a clone builds what it runs.
  await scenario.command(['version']).exited;
  const server = await startServer();
  const python = startPython(`http://127.0.0.1:${port}`, { LEASE_MS: '2000' });
  // Longer than its lease, several times over.
  const input = { text: 'word '.repeat(60), secondsPerWord: 0.1 };
  const { id } = await ask('/tasks', { name: 'python.word-count', queue: 'python', input });
  const progress = () =>
    waitFor(async () => expect(await ask(`/tasks/${id}`)).toMatchObject({ progress: { total: 60 } }));
  await progress();
  server.send('SIGKILL');
  await server.exited;
  await startServer();
  await waitFor(async () => expect(await ask(`/tasks/${id}`)).toMatchObject({ state: 'succeeded' }), {
    timeout: 60_000,
  });
  expect(await ask(`/tasks/${id}`)).toMatchObject({ result: { words: 60 } });
  const next = await ask('/tasks', { name: 'python.word-count', input: { text: 'one more' } });
  await waitFor(async () => expect(await ask(`/tasks/${next.id}`)).toMatchObject({ state: 'succeeded', attempt: 1 }));
  expect(python.exitCode).toBeNull();
}, 180_000);

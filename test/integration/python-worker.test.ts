/** Runs the example worker in Python against a real server. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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
import { openTestStore } from '../../src/testing/stores.ts';
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

async function setUp(): Promise<Setup> {
  const store = await openTestStore('memory', systemClock.now, systemChance);
  const context = createContext({ store, actor: { name: 'ada', role: 'admin' } });
  const fetch = createApp({ context, report: () => undefined });
  const server = await serve({ fetch, host: '127.0.0.1', port: 0, insecure: false, clock: systemClock });
  const python = spawn('python3', [script, server.url], { stdio: ['ignore', 'pipe', 'inherit'] });
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

/** The command line as people run it: servers, workers and clients that are killed, stopped, or given a bad file. */

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemChance } from '../../src/core/chance.ts';
import { createIds } from '../../src/core/ids.ts';
import { systemClock } from '../../src/core/time.ts';
import { freePort } from '../../src/servers/free-port.ts';
import { assertValid } from '../checker/run-history.ts';
import { lookAt } from './history.ts';
import { note, readClientLog, readEffects } from './logs.ts';
import { type Child, createScenario, nobody, type Scenario, until } from './processes.ts';

let scenario: Scenario;
beforeAll(async () => {
  // The first call builds what it runs.
  const first = createScenario();
  expect(await first.command(['version']).exited).toEqual({ code: 0, signal: null });
  await first.end();
});
beforeEach(() => {
  scenario = createScenario();
  const work = fileURLToPath(new URL('./fixtures/work.ts', import.meta.url));
  mkdirSync(join(scenario.folder, 'tasks'));
  const text = `import { createWork } from ${JSON.stringify(work)};\nexport const work = createWork(${JSON.stringify(scenario.folder)});\n`;
  writeFileSync(join(scenario.folder, 'tasks', 'work.mjs'), text);
});
afterEach(() => scenario.end());

async function produce(first: number, count: number, input: object): Promise<void> {
  await scenario.start('producer.ts', { file: scenario.file, first, count, input }).heard('done');
}

async function startWorker(...args: readonly string[]): Promise<Child> {
  const worker = scenario.command(['worker', 'start', '--json', ...args]);
  await worker.heard('ready');
  return worker;
}

test('up, told to stop in the middle of tasks, lets them end, hands the rest back and exits with 0', async () => {
  const { folder } = scenario;
  const up = scenario.command([
    'up',
    '--json',
    '--port',
    String(await freePort()),
    '--concurrency',
    '12',
    '--drain',
    '500ms',
  ]);
  await up.heard('ready');
  await produce(0, 6, { gate: 'short' });
  await produce(100, 6, { gate: 'long' });
  await until('all of them run', () => readEffects(folder).length === 12, { facts: () => readEffects(folder) });

  up.send('SIGTERM');
  await until('it says so', () => up.complaints().includes('Stopping'));
  scenario.open('short');
  expect(await up.exited).toEqual({ code: 0, signal: null });

  const look = await lookAt(scenario);
  const { tasks } = await look.history();
  expect(tasks.filter(({ state }) => state === 'succeeded')).toHaveLength(6);
  const rest = tasks.filter(
    ({ state, attempt, interruptions }) => state === 'queued' && attempt === 0 && interruptions === 1,
  );
  expect(rest).toHaveLength(6);
  scenario.open('long');
  await startWorker();
  await look.drained(12);
  assertValid(await look.history());
  look.close();
});

test.for(['SIGTERM', 'SIGINT'] as const)('a worker that goes on getting %s leaves at once with 1', async (signal) => {
  const { folder } = scenario;
  const worker = await startWorker();
  await produce(0, 3, { gate: 'go' });
  await until('all of them run', () => readEffects(folder).length === 3, { facts: () => readEffects(folder) });

  const sentAt = performance.now();
  // More than two: one that comes right behind another may be the same press of a key, passed on.
  await until('it leaves', () => {
    worker.send(signal);
    return !worker.isRunning();
  });
  expect(await worker.exited).toEqual({ code: 1, signal: null });
  // Its drain would have taken 25 s.
  expect(performance.now() - sentAt).toBeLessThan(10_000);

  scenario.open('go');
  await startWorker();
  const look = await lookAt(scenario);
  await look.drained(3);
  assertValid(await look.history());
  look.close();
});

test('servers and workers killed while clients of every kind enqueue lose nothing', async () => {
  const { file, folder } = scenario;
  const port = await freePort();
  const startServer = async (): Promise<Child> => {
    const server = scenario.command(['server', 'start', '--json', '--port', String(port)]);
    await server.heard('ready');
    return server;
  };
  let server = await startServer();
  const doomed = await startWorker('--concurrency', '50');
  await startWorker('--concurrency', '10');
  const count = 100;
  const over = scenario.start('producer.ts', {
    file,
    url: `http://127.0.0.1:${port}`,
    first: 0,
    count,
    width: 4,
    input: { ms: 20 },
  });
  const beside = scenario.start('producer.ts', {
    file,
    first: 1_000,
    count,
    width: 2,
    mixedDelayMs: 300,
    input: { ms: 20 },
  });
  const ids = createIds(systemClock, systemChance);
  const calls = Array.from({ length: 6 }, (_, n) => enqueueByCommand(2_000 + n, ids.next()));
  await until(
    'all are at it',
    () =>
      new Set(
        readClientLog(folder)
          .filter(({ step }) => step === 'ok')
          .map(({ pid }) => pid),
      ).size >= 2,
  );

  server.send('SIGKILL');
  doomed.send('SIGKILL');
  await server.exited;
  server = await startServer();
  await Promise.all([over.heard('done'), beside.heard('done'), ...calls]);
  const look = await lookAt(scenario);
  await look.drained(2 * count + calls.length);
  const history = await look.history();
  look.close();
  assertValid(history);
  expect(history.tasks).toHaveLength(2 * count + calls.length);
});

/** Twice with the same id, as a script does that was cut off. */
async function enqueueByCommand(n: number, taskId: string): Promise<void> {
  const entry = { taskId, n };
  for (let time = 1; time <= 2; time++) {
    note(scenario.folder, 'client', { step: 'invoke', ...entry });
    const { code } = await scenario.command(['run', 'e2e.work', JSON.stringify({ n }), '--no-wait', '--id', taskId])
      .exited;
    note(scenario.folder, 'client', { step: code === 0 ? 'ok' : 'info', ...entry });
    expect(code).toBe(0);
  }
}

test.for<readonly [sentence: string, code: string, make: (file: string) => void, uid: number | undefined]>([
  ['a text', 'STORE_CORRUPT', (file) => writeFileSync(file, 'name,price\n'.repeat(500)), undefined],
  ['a folder', 'STORE_READ_ONLY', (file) => mkdirSync(file), undefined],
  ['random bytes', 'STORE_CORRUPT', (file) => writeFileSync(file, systemChance.bytes(20_000)), undefined],
  [
    'a file of somebody else',
    'STORE_READ_ONLY',
    (file) => {
      writeFileSync(file, '');
      chmodSync(file, 0o400);
    },
    nobody,
  ],
])('%s in the place of the store is one clear error with exit code 6', async ([, code, make, uid]) => {
  make(scenario.file);
  for (const args of [
    ['task', 'list'],
    ['worker', 'start'],
    ['up', '--port', '0'],
  ]) {
    const command = scenario.command(args, uid === undefined ? {} : { uid });
    expect(await command.exited).toEqual({ code: 6, signal: null });
    const [cause = '', next = '', ...rest] = command.complaints().trim().split('\n');
    expect(cause).toContain(scenario.file);
    expect(next).toMatch(/^ {2}\S/);
    expect(rest).toEqual([]);
  }
  const json = scenario.command(['task', 'list', '--json'], uid === undefined ? {} : { uid });
  await json.exited;
  expect(JSON.parse(json.complaints())).toMatchObject({ error: { code } });
  if (code === 'STORE_CORRUPT') expect(readFileSync(scenario.file).length).toBeGreaterThan(0);
});

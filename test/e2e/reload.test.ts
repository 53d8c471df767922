/** `up` follows the task files: new code in a new process, while the old one ends what it runs; and it leaves nobody behind. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { freePort } from '../../src/servers/free-port.ts';
import { type Look, lookAt } from './history.ts';
import { type Child, createScenario, type Scenario, until } from './processes.ts';

const define = fileURLToPath(new URL('../../src/client/define.ts', import.meta.url));
let scenario: Scenario;
let up: Child;
let look: Look;

beforeAll(async () => {
  // The first call builds what it runs.
  const first = createScenario();
  expect(await first.command(['version']).exited).toEqual({ code: 0, signal: null });
  await first.end();
});
beforeEach(async () => {
  scenario = createScenario();
  mkdirSync(join(scenario.folder, 'tasks'));
  mkdirSync(join(scenario.folder, 'lib'));
  write('lib/answer.mjs', 'export const answer = 42;');
  write('tasks/tell.mjs', taskOf("'one'"));
});
afterEach(async () => {
  look?.close();
  up.send('SIGTERM');
  await up.exited;
  await scenario.end();
});

function write(file: string, text: string): void {
  writeFileSync(join(scenario.folder, file), text);
}

/** A task that waits for a gate, if it is told one, and then answers with this expression. */
function taskOf(expression: string): string {
  return `
    import { existsSync } from 'node:fs';
    import { setTimeout as wait } from 'node:timers/promises';
    import { task } from ${JSON.stringify(define)};
    import { answer } from '../lib/answer.mjs';
    const input = { '~standard': { version: 1, vendor: 'e2e', validate: (value) => ({ value }) } };
    export const tell = task('tell', { input, run: async ({ gate }, ctx) => {
      while (gate && !existsSync(${JSON.stringify(scenario.folder)} + '/' + gate + '.gate')) await wait(20, undefined, { signal: ctx.signal });
      return [${expression}, answer, process.pid];
    } });`;
}

async function start(...more: readonly string[]): Promise<void> {
  up = scenario.command(['up', '--json', '--port', String(await freePort()), '--drain', '20s', ...more]);
  await up.heard('ready');
  look = await lookAt(scenario);
}

const reloads = (): number => up.said.filter(({ event }) => event === 'reloaded').length;

async function reloaded(times: number): Promise<void> {
  await until(`it is reloaded ${times} times`, () => reloads() >= times, { facts: () => [up.said, up.complaints()] });
}

/** What the task answers now, with the pid of the process that ran it. */
async function answerOf(): Promise<readonly unknown[]> {
  const before = (await look.history()).tasks.length;
  expect(await scenario.command(['run', 'tell', '{}']).exited).toEqual({ code: 0, signal: null });
  const { tasks } = await look.history();
  expect(tasks).toHaveLength(before + 1);
  return JSON.parse(tasks.at(-1)?.result ?? 'null') as unknown[];
}

async function workerPids(): Promise<readonly number[]> {
  return (await look.workers()).filter(({ server }) => !server).map(({ pid }) => pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a saved file is loaded by a new process while the old one ends what it runs', async () => {
  await start();
  const [first] = await workerPids();
  const long = scenario.command(['run', 'tell', '{"gate":"go"}', '--json']);
  await until('it runs', async () => (await look.begun()) === 1);
  write('tasks/tell.mjs', taskOf("'two'"));
  await reloaded(1);
  expect(up.said.find(({ event }) => event === 'reloaded')).toMatchObject({ tasks: 1, changed: ['tell'] });
  const [words, , pid] = await answerOf();
  expect([words, pid === first]).toEqual(['two', false]);
  expect(isAlive(first!)).toBe(true);
  scenario.open('go');
  expect(await long.exited).toEqual({ code: 0, signal: null });
  const old = (await look.history()).tasks.find(({ payload }) => payload.includes('go'));
  expect(JSON.parse(old?.result ?? 'null')).toEqual(['one', 42, first]);
  await until('the old process ends', () => !isAlive(first!));
});

test('a file that does not compile is shown, the old code goes on, and the corrected file is loaded', async () => {
  await start();
  const [first] = await workerPids();
  write('tasks/tell.mjs', 'export const x = ;');
  await until('it is shown', () => up.complaints().includes('goes on'));
  expect(up.complaints()).toMatch(/tasks\/tell\.mjs/);
  expect(await answerOf()).toEqual(['one', 42, first]);
  write('tasks/tell.mjs', taskOf("'three'"));
  await reloaded(1);
  expect((await answerOf())[0]).toBe('three');
});

test('what a task file imports is followed too', async () => {
  await start();
  write('lib/answer.mjs', 'export const answer = 43;');
  await reloaded(1);
  expect((await answerOf())[1]).toBe(43);
});

test('told to stop it ends its worker as well, and what ran is done or back', async () => {
  await start('--drain', '100ms');
  const [pid] = await workerPids();
  scenario.command(['run', 'tell', '{"gate":"never"}', '--no-wait']);
  await until('it runs', async () => (await look.begun()) === 1);
  up.send('SIGTERM');
  expect(await up.exited).toEqual({ code: 0, signal: null });
  expect(isAlive(pid!)).toBe(false);
  expect((await look.history()).tasks).toMatchObject([{ state: 'queued', attempt: 0 }]);
  expect(await look.workers()).toEqual([]);
});

test('a worker that dies is followed by another one, and one that is told to restart too', async () => {
  await start();
  const [first] = await workerPids();
  process.kill(first!, 'SIGKILL');
  await until('another one works', async () => (await workerPids()).some((pid) => pid !== first));
  expect(up.complaints()).toMatch(/ended \(SIGKILL\)/);
  const [, , second] = await answerOf();
  const { workerId } = (await look.workers()).find(({ pid }) => pid === second)!;
  expect(await scenario.command(['worker', 'restart', workerId]).exited).toEqual({ code: 0, signal: null });
  await until('it has ended', () => !isAlive(Number(second)));
  const [, , third] = await answerOf();
  expect(third).not.toBe(second);
  // It ended because it was told to, and was followed once: the new one may answer before it is said to work.
  await reloaded(1);
  expect(up.complaints()).not.toMatch(/ended \(75\)/);
  expect(reloads()).toBe(1);
});

test('a worker whose parent was killed ends what it runs, and goes', async () => {
  await start();
  const [pid] = await workerPids();
  up.send('SIGKILL');
  await up.exited;
  await until('it goes', () => !isAlive(pid!));
  expect((await look.workers()).filter(({ server }) => !server)).toEqual([]);
});

test('with --no-reload there is one process, and files are left alone', async () => {
  await start('--no-reload');
  await until('it works', async () => (await workerPids())[0] === up.pid);
  write('tasks/tell.mjs', taskOf("'two'"));
  expect((await answerOf())[0]).toBe('one');
  expect(reloads()).toBe(0);
});

test('what was typed wrong ends it with 2, as without reloading', async () => {
  up = scenario.command(['up', '--json', '--port', '0', '--tasks', 'nowhere']);
  expect(await up.exited).toEqual({ code: 2, signal: null });
  expect(up.complaints()).toContain('nowhere');
});

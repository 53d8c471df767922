/** kill -9 of a worker, of the server and of a client, under load: what was accepted ends once, whoever dies. */

import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seededChance } from '../../src/core/chance.ts';
import { freePort } from '../../src/servers/free-port.ts';
import type { RunHistory } from '../checker/run-history.ts';
import { assertValid } from '../checker/run-history.ts';
import { lookAt } from './history.ts';
import { readClientLog, readEffects } from './logs.ts';
import { createScenario, type Scenario, until } from './processes.ts';

let scenario: Scenario;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(() => scenario.end());

async function drainedHistory(total: number): Promise<RunHistory> {
  const look = await lookAt(scenario);
  await look.drained(total);
  const history = await look.history();
  look.close();
  return history;
}

const accepted = (): number => readClientLog(scenario.folder).filter(({ step }) => step === 'ok').length;

test('the tasks of a killed worker are run by another one, soon and without a charge', async () => {
  const { file } = scenario;
  const held = 50;
  await scenario.start('server.ts', { file }).heard('ready');
  const doomed = scenario.start('worker.ts', { file, concurrency: held });
  await doomed.heard('ready');
  await scenario.start('producer.ts', { file, first: 0, count: held, input: { gate: 'go' } }).heard('done');
  const look = await lookAt(scenario);
  // A start that was not reported is an interruption, which costs less than a crash.
  await until('their starts are known', async () => (await look.begun()) === held);
  look.close();
  await scenario.start('worker.ts', { file, concurrency: 50 }).heard('ready');
  const load = scenario.start('producer.ts', { file, first: 1_000, count: 500, input: { ms: 5 }, mixedDelayMs: 300 });
  await until('the load comes in', () => accepted() > held + 100);

  doomed.send('SIGKILL');
  const killedAt = Date.now();
  scenario.open('go');
  await load.heard('done');
  const history = await drainedHistory(held + 500);

  assertValid(history);
  const taken = history.events.filter(({ kind }) => kind === 'judge');
  const judged = taken.flatMap(({ items }) => items);
  expect(new Set(judged.map(({ reason }) => reason))).toEqual(new Set(['lease_lost']));
  // Perhaps more: it may have claimed the next ones ahead.
  expect(judged.length).toBeGreaterThanOrEqual(held);
  expect(history.tasks.filter(({ crashes, attempt }) => crashes === 1 && attempt === 1)).toHaveLength(held);
  // Its leases last 30 s: only the proof of its death explains this.
  expect(Math.max(...taken.map(({ at }) => at)) - killedAt).toBeLessThan(15_000);
});

test('workers killed at random moments lose nothing and repeat no success', async () => {
  const { file } = scenario;
  const seed = Date.now() % 1_000_000;
  const chance = seededChance(seed);
  await scenario.start('server.ts', { file }).heard('ready');
  const workers = [1, 2, 3].map(() => scenario.start('worker.ts', { file, concurrency: 10 }));
  await Promise.all(workers.map((worker) => worker.heard('ready')));
  const count = 600;
  const load = scenario.start('producer.ts', { file, first: 0, count, width: 2, input: { ms: 20 }, mixedDelayMs: 400 });
  await until('the load comes in', () => accepted() > 20);
  for (let kills = 0; kills < 6; kills++) {
    // Not a wait for something, but the moment of the kill.
    await wait(20 + 300 * chance.float());
    const index = Math.floor(chance.float() * workers.length);
    workers[index]?.send('SIGKILL');
    workers[index] = scenario.start('worker.ts', { file, concurrency: 10 });
    await workers[index].heard('ready');
  }
  await load.heard('done');
  const history = await drainedHistory(count);

  assertValid(history, `seed ${seed}`);
  expect(new Set(history.tasks.map(({ state }) => state))).toEqual(new Set(['succeeded']));
});

test('a worker alone recovers what another one left when there is no server', async () => {
  const { file, folder } = scenario;
  const doomed = scenario.start('worker.ts', { file });
  await doomed.heard('ready');
  await scenario.start('producer.ts', { file, first: 0, count: 10, input: { gate: 'go' } }).heard('done');
  await until('all of them run', () => readEffects(folder).length === 10, { facts: () => readEffects(folder) });

  doomed.send('SIGKILL');
  await doomed.exited;
  scenario.open('go');
  await scenario.start('worker.ts', { file }).heard('ready');
  const history = await drainedHistory(10);

  assertValid(history);
  expect(
    history.tasks.every(({ state, attempt, epoch }) => state === 'succeeded' && attempt === 1 && epoch === 2),
  ).toBe(true);
});

test('workers soon do the work of a server that was killed and not replaced', async () => {
  const { file } = scenario;
  const server = scenario.start('server.ts', { file });
  await server.heard('ready');
  const workers = [1, 2].map(() => scenario.start('worker.ts', { file, leaseMs: 3_000 }));
  await Promise.all(workers.map((worker) => worker.heard('ready')));

  server.send('SIGKILL');
  await server.exited;
  const killedAt = Date.now();
  await scenario.start('producer.ts', { file, first: 0, count: 9, mixedDelayMs: 300 }).heard('done');
  const history = await drainedHistory(9);

  assertValid(history);
  // What the store knows of the server would count for 30 s.
  expect(Math.max(...history.tasks.map(({ finishedAt }) => finishedAt ?? 0)) - killedAt).toBeLessThan(15_000);
});

test('what a killed server had accepted survives, and clients that try again make no duplicates', async () => {
  const { file } = scenario;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await scenario.start('worker.ts', { file, concurrency: 20 }).heard('ready');
  let server = scenario.start('server.ts', { file, port });
  await server.heard('ready');
  const count = 300;
  const over = scenario.start('producer.ts', { file, url, first: 0, count, input: { ms: 2 } });
  const beside = scenario.start('producer.ts', { file, first: 10_000, count, input: { ms: 2 }, mixedDelayMs: 200 });
  for (const share of [0.2, 0.5, 0.8]) {
    const before = accepted();
    await until('more is accepted', () => accepted() >= Math.max(before + 10, share * count));
    server.send('SIGKILL');
    await server.exited;
    server = scenario.start('server.ts', { file, port });
    await server.heard('ready');
  }
  await over.heard('done');
  await beside.heard('done');
  const history = await drainedHistory(2 * count);

  assertValid(history);
  expect(history.tasks).toHaveLength(2 * count);
  expect(history.client.filter(({ step }) => step === 'info').length, 'calls were cut off').toBeGreaterThan(0);
});

test('another client may send again what a killed client had under way', async () => {
  const { file, folder } = scenario;
  await scenario.start('worker.ts', { file, concurrency: 20 }).heard('ready');
  const doomed = scenario.start('producer.ts', { file, first: 0, count: 100_000, width: 50 });
  await until('it is under way', () => accepted() > 300);

  doomed.send('SIGKILL');
  await doomed.exited;
  const sent = readClientLog(folder).filter(({ step }) => step === 'invoke');
  const last = sent.slice(-100);
  const ids = last.map(({ taskId }) => taskId);
  const first = Math.min(...last.map(({ n }) => n));
  await scenario.start('producer.ts', { file, first, count: ids.length, ids }).heard('done');
  const history = await drainedHistory(sent.length - 100);

  assertValid(history);
  const stored = new Set(history.tasks.map(({ id }) => id));
  expect(ids.filter((id) => !stored.has(id))).toEqual([]);
});

/** SIGTERM and SIGINT in the middle of tasks: what can end does, the rest goes back uncharged, a second signal leaves at once. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { assertValid } from '../checker/run-history.ts';
import { lookAt } from './history.ts';
import { readEffects } from './logs.ts';
import { createScenario, type Scenario, until } from './processes.ts';

let scenario: Scenario;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(() => scenario.end());

test('a worker told to stop lets tasks end, hands the rest back uncharged, and exits with 0', async () => {
  const { file, folder } = scenario;
  const worker = scenario.start('worker.ts', { file, concurrency: 12, drainMs: 500 });
  await worker.heard('ready');
  await scenario.start('producer.ts', { file, first: 0, count: 6, input: { gate: 'short' } }).heard('done');
  await scenario.start('producer.ts', { file, first: 100, count: 6, input: { gate: 'long' } }).heard('done');
  await until('all of them run', () => readEffects(folder).length === 12, { facts: () => readEffects(folder) });
  await scenario.start('producer.ts', { file, first: 200, count: 30, input: {} }).heard('done');

  worker.send('SIGTERM');
  await worker.heard('stopping');
  scenario.open('short');
  expect(await worker.exited).toEqual({ code: 0, signal: null });

  const look = await lookAt(scenario);
  const { tasks } = await look.history();
  const long = tasks.filter(({ payload }) => payload.includes('"long"'));
  expect(long.map(({ state, attempt, interruptions }) => ({ state, attempt, interruptions }))).toEqual(
    Array(6).fill({ state: 'queued', attempt: 0, interruptions: 1 }),
  );
  expect(tasks.filter(({ state }) => state === 'succeeded')).toHaveLength(6);
  expect(tasks.filter(({ state }) => state === 'running')).toHaveLength(0);
  scenario.open('long');
  await scenario.start('worker.ts', { file }).heard('ready');
  await look.drained(42);
  assertValid(await look.history());
  look.close();
});

test.for(['SIGTERM', 'SIGINT'] as const)(
  'a second %s ends a stopping worker at once with 1, and its task runs again',
  async (signal) => {
    const { file, folder } = scenario;
    const worker = scenario.start('worker.ts', { file });
    await worker.heard('ready');
    await scenario.start('producer.ts', { file, first: 0, count: 3, input: { gate: 'go' } }).heard('done');
    await until('all of them run', () => readEffects(folder).length === 3, { facts: () => readEffects(folder) });

    worker.send(signal);
    await worker.heard('stopping');
    const secondAt = performance.now();
    worker.send(signal);
    expect(await worker.exited).toEqual({ code: 1, signal: null });
    // Its drain would have taken 25 s.
    expect(performance.now() - secondAt).toBeLessThan(5_000);

    scenario.open('go');
    await scenario.start('worker.ts', { file }).heard('ready');
    const look = await lookAt(scenario);
    await look.drained(3);
    assertValid(await look.history());
    look.close();
  },
);

test('a worker killed at any moment of its stop loses nothing', async () => {
  const { file, folder } = scenario;
  const count = 40;
  let total = 0;
  for (const [round, mark] of (['stopping', 'released', 'abort'] as const).entries()) {
    const worker = scenario.start('worker.ts', { file, concurrency: 20, drainMs: 50 });
    await worker.heard('ready');
    const gate = `round${round}`;
    await scenario.start('producer.ts', { file, first: 1_000 * round, count, input: { gate } }).heard('done');
    total += count;
    await until('the slots are taken', () => readEffects(folder).filter(({ pid }) => pid === worker.pid).length >= 20);
    worker.send('SIGTERM');
    const isAt = (): boolean =>
      worker.said.some(({ event }) => event === mark) ||
      readEffects(folder).some(({ pid, what }) => pid === worker.pid && what === mark);
    await until(`it comes to ${mark}`, () => isAt() || !worker.isRunning());
    worker.send('SIGKILL');
    await worker.exited;
    scenario.open(gate);
  }
  await scenario.start('worker.ts', { file, concurrency: 20 }).heard('ready');
  const look = await lookAt(scenario);
  await look.drained(total);
  assertValid(await look.history());
  look.close();
});

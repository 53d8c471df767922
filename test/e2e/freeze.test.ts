/** A worker that stands still beyond its leases: another one takes over, and what the first says afterwards is refused. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSqliteBroker } from '../../src/broker/sqlite/store.ts';
import type { Settlement } from '../../src/core/task.ts';
import { assertValid } from '../checker/run-history.ts';
import { freeze } from './frozen.ts';
import { lookAt } from './history.ts';
import { readEffects } from './logs.ts';
import { createScenario, type Scenario, until } from './processes.ts';

let scenario: Scenario;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(() => scenario.end());

test('a worker frozen beyond its lease finds its tasks taken, its handlers aborted and its reports refused', async () => {
  const { file, folder } = scenario;
  await scenario.start('server.ts', { file, recoveryMs: 500 }).heard('ready');
  const frozen = scenario.start('worker.ts', { file, leaseMs: 1_000 });
  await frozen.heard('ready');
  await scenario.start('producer.ts', { file, first: 0, count: 3, input: { gate: 'go' } }).heard('done');
  await scenario
    .start('producer.ts', { file, first: 10, count: 3, input: { gate: 'late', stubborn: true } })
    .heard('done');
  await until('all of them run', () => readEffects(folder).length === 6, { facts: () => readEffects(folder) });
  const look = await lookAt(scenario);
  const taskIds = [...new Set(readEffects(folder).map(({ taskId }) => taskId))];
  const tokens = await Promise.all(taskIds.map((taskId) => look.token(taskId)));

  await freeze(frozen, file);
  await scenario.start('worker.ts', { file, leaseMs: 5_000 }).heard('ready');
  const runsElsewhere = (): number =>
    readEffects(folder).filter(({ what, pid }) => what === 'begin' && pid !== frozen.pid).length;
  await until('another worker has taken all of them', () => runsElsewhere() === 6);

  frozen.send('SIGCONT');
  const continuedAt = performance.now();
  const aborted = (): number =>
    readEffects(folder).filter(({ what, pid }) => what === 'abort' && pid === frozen.pid).length;
  await until('its handlers are told', () => aborted() === 6);
  expect(performance.now() - continuedAt).toBeLessThan(5_000);
  scenario.open('go');
  scenario.open('late');
  await look.drained(6);

  const broker = createSqliteBroker({ file });
  await broker.open();
  const late = taskIds.map((taskId, index) => lateSuccess(taskId, tokens[index] ?? ''));
  expect((await broker.settle(late)).results).toEqual(Array(6).fill({ outcome: 'stale' }));
  await broker.close();

  const history = await look.history();
  look.close();
  assertValid(history);
  expect(history.tasks.map(({ state, epoch }) => ({ state, epoch }))).toEqual(
    Array(6).fill({ state: 'succeeded', epoch: 2 }),
  );
});

function lateSuccess(taskId: string, token: string): Settlement {
  const verdict = {
    to: 'succeeded',
    reason: null,
    charge: 'attempt',
    keepMs: 1_000_000,
    result: '{"epoch":1}',
    error: null,
  } as const;
  return { lease: { taskId, token, epoch: 1 }, verdict, ranMs: 1, progress: null, logs: [], spawn: [] };
}

test('a worker frozen for less than its lease goes on as if nothing had been', async () => {
  const { file, folder } = scenario;
  const worker = scenario.start('worker.ts', { file, leaseMs: 20_000 });
  await worker.heard('ready');
  await scenario.start('producer.ts', { file, first: 0, count: 20, input: { ms: 300 } }).heard('done');
  await until('some run', () => readEffects(folder).length >= 10);

  await freeze(worker, file);
  await scenario.start('producer.ts', { file, first: 100, count: 20, input: { ms: 10 } }).heard('done');
  worker.send('SIGCONT');

  const look = await lookAt(scenario);
  await look.drained(40);
  const history = await look.history();
  look.close();
  assertValid(history);
  expect(history.tasks.every(({ epoch }) => epoch === 1)).toBe(true);
});

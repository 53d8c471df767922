/** A process that knows nothing of TaskFlow holds the write lock: everything waits, nothing is lost, nothing stands still. */

import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assertValid } from '../checker/run-history.ts';
import { lookAt } from './history.ts';
import { readClientLog, readEffects } from './logs.ts';
import { createScenario, type Scenario, until } from './processes.ts';

let scenario: Scenario;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(() => scenario.end());

/** How long the lock is held: longer than calls that are told to wait for a second only. */
const heldMs = 3_000;

test.for<readonly [sentence: string, lockedAfterMs: number | undefined]>([
  ['that wait for it', undefined],
  ['that give up and try again', 1_000],
])('a foreign write lock of several seconds costs processes %s nothing but time', async ([, lockedAfterMs]) => {
  const { file, folder } = scenario;
  await scenario.start('server.ts', { file }).heard('ready');
  const worker = scenario.start('worker.ts', {
    file,
    concurrency: 20,
    ...(lockedAfterMs === undefined ? {} : { lockedAfterMs }),
  });
  await worker.heard('ready');
  await scenario.start('producer.ts', { file, first: 0, count: 20, input: { gate: 'go' } }).heard('done');
  await until('all of them run', () => readEffects(folder).length === 20, { facts: () => readEffects(folder) });

  const alien = scenario.start('lock.ts', { file });
  await alien.heard('locked');
  worker.tell('measure');
  scenario.open('go');
  const producer = scenario.start('producer.ts', {
    file,
    first: 100,
    count: 50,
    lockedAfterMs: lockedAfterMs ?? 10_000,
  });
  await producer.heard('ready');
  // What is waited for is the time itself.
  await wait(heldMs);
  worker.tell('delays');
  const delays = await worker.heard('delays');
  alien.tell('release');
  await alien.heard('released');
  await producer.heard('done');

  const look = await lookAt(scenario);
  await look.drained(70);
  const history = await look.history();
  look.close();
  assertValid(history);
  // 20 ms is what one try may take. Not the maximum: a busy machine makes every process wait now and then.
  expect(delays.p95, JSON.stringify(delays)).toBeLessThan(50);
  expect(history.tasks.every(({ epoch, attempt }) => epoch === 1 && attempt === 1)).toBe(true);
  const refused = readClientLog(folder).filter(({ code }) => code === 'STORE_LOCKED').length;
  if (lockedAfterMs === undefined) expect(refused).toBe(0);
  else expect(refused).toBeGreaterThan(0);
});

test('a foreign write lock keeps nobody from opening the store and reading it', async () => {
  const { file } = scenario;
  await scenario.start('producer.ts', { file, first: 0, count: 5 }).heard('done');
  const alien = scenario.start('lock.ts', { file });
  await alien.heard('locked');

  // Its patience for the lock would be 10 s, and then it would give up.
  const opener = scenario.start('opener.ts', { file });
  expect(await opener.heard('opened')).toMatchObject({ tasks: 5 });
  expect(alien.isRunning()).toBe(true);
});

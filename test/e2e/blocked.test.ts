/** Handlers that compute without a pause, in real processes: leases are kept, the cause is named, and there is an end to it. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { assertValid } from '../checker/run-history.ts';
import { freeze } from './frozen.ts';
import { type Look, lookAt } from './history.ts';
import { readEffects } from './logs.ts';
import { type Child, createScenario, type Scenario, until } from './processes.ts';

/** A keeper that renews each third of it must find its turn also where other tests have all processors. */
const leaseMs = 3_000;
let scenario: Scenario;
let look: Look;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(async () => {
  look?.close();
  await scenario.end();
});

async function start(settings: object = {}): Promise<Child> {
  const worker = scenario.start('worker.ts', { file: scenario.file, leaseMs, recoveryMs: leaseMs, ...settings });
  await worker.heard('ready');
  return worker;
}

async function produce(first: number, count: number, input: object): Promise<void> {
  await scenario.start('producer.ts', { file: scenario.file, first, count, input }).heard('done');
}

const begun = (): number => readEffects(scenario.folder).filter(({ what }) => what === 'begin').length;

test.each([
  ['for four leases', { spinMs: 4 * leaseMs }],
  // Nobody else can write either: the engine takes that for an outage, and lets the living renew first.
  ['for four leases while it holds the lock of the store', { spinMs: 4 * leaseMs, locked: true }],
])('a loop that is blocked %s keeps its tasks: nothing runs twice', async (_words, input) => {
  const [blocked] = [await start({ name: 'blocked' }), await start({ name: 'other' })];
  await produce(0, 3, { gate: 'go' });
  await until('they run', () => begun() === 3);
  await produce(3, 1, input);
  await until('one blocks', () => begun() === 4);
  scenario.open('go');
  look = await lookAt(scenario);
  await look.drained(4, 60_000);
  const history = await look.history();
  expect(history.tasks.map(({ epoch, crashes }) => ({ epoch, crashes }))).toEqual(
    Array(4).fill({ epoch: 1, crashes: 0 }),
  );
  assertValid(history);
  expect(blocked.isRunning()).toBe(true);
});

test('while it is blocked people see for how long, by whom and where', async () => {
  const worker = await start({ name: 'ada' });
  await produce(0, 1, { spinMs: 15_000 });
  look = await lookAt(scenario);
  // On a busy machine it may stand still as it starts, for as long, without a task.
  const isOfTask = (handlers: unknown, ms: unknown) =>
    Array.isArray(handlers) && handlers.length > 0 && Number(ms) >= 5_000;
  await until('it is shown', async () =>
    (await look.workers()).some(({ blocked }) => isOfTask(blocked?.handlers, blocked?.forMs)),
  );
  const [record] = await look.workers();
  expect(record?.blocked).toMatchObject({
    handlers: ['e2e.work'],
    at: expect.stringMatching(/spin \(.*work\.ts:\d+:\d+\)/),
  });
  expect(worker.complaints()).toMatch(
    /event loop has not turned for [\d.]+ s\. In flight: e2e\.work; it stands at spin/,
  );
  const blocked = await worker.heard('blocked', ({ handlers, blockedMs }) => isOfTask(handlers, blockedMs));
  expect(blocked).toMatchObject({ handlers: ['e2e.work'] });
  await until('it is over', async () => (await look.workers()).every(({ blocked }) => blocked === undefined));
});

test('a blocked worker answers where its loop stands', async () => {
  expect(await scenario.command(['version']).exited).toEqual({ code: 0, signal: null });
  await start({ name: 'ada' });
  await produce(0, 1, { spinMs: 10_000 });
  await until('it blocks', () => begun() === 1);
  look = await lookAt(scenario);
  // Its handler says that it begins before it blocks, and the innermost frame may be one of Node: who asks in between asks again.
  const stands = async () => {
    expect(await scenario.command(['worker', 'stack', 'ada', '--json']).exited).toEqual({ code: 0, signal: null });
    const [record] = await look.workers();
    return record?.stack?.loop?.frames.some((frame) => /^spin \(.*work\.ts:\d+:\d+\)$/.test(frame)) ?? false;
  };
  await until('it tells where', stands);
  const [record] = await look.workers();
  expect(record?.stack?.slots).toMatchObject([{ name: 'e2e.work' }]);
});

test('past the bound the process ends itself: the task is charged with the crash, and the others run elsewhere', async () => {
  const doomed = await start({ name: 'doomed', blockMaxMs: 3_000 });
  await produce(0, 2, { gate: 'go' });
  await until('they run', () => begun() === 2);
  await produce(2, 1, { spinMs: 600_000, spins: 1 });
  expect(await doomed.exited).toEqual({ code: null, signal: 'SIGKILL' });
  expect(doomed.complaints()).toMatch(/In flight: e2e\.work.*That is too long/s);
  look = await lookAt(scenario);
  await start({ name: 'other' });
  scenario.open('go');
  await look.drained(3);
  const history = await look.history();
  const culprit = history.tasks.find(({ payload }) => payload.includes('spinMs'));
  expect(culprit).toMatchObject({ state: 'succeeded', crashes: 1, epoch: 2, attempt: 1 });
  assertValid(history);
});

test('a whole process that was stopped is not taken for a blocked loop', async () => {
  const frozen = await start({ name: 'frozen' });
  await produce(0, 1, { gate: 'go' });
  await until('it runs', () => begun() === 1);
  await freeze(frozen, scenario.file);
  const other = await start({ name: 'other' });
  await until('another takes over', () => begun() === 2);
  frozen.send('SIGCONT');
  await until('the first hears of it', () => readEffects(scenario.folder).some(({ what }) => what === 'abort'));
  scenario.open('go');
  look = await lookAt(scenario);
  await look.drained(1);
  assertValid(await look.history());
  // Longer than a lease it was stopped; for less than that the machine may have kept it from turning.
  const blocked = frozen.said.filter(({ event, blockedMs }) => event === 'blocked' && Number(blockedMs) >= leaseMs);
  expect(blocked).toEqual([]);
  other.send('SIGTERM');
  frozen.send('SIGTERM');
  expect(await other.exited).toEqual({ code: 0, signal: null });
  expect(await frozen.exited).toEqual({ code: 0, signal: null });
});

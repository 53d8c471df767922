/** What people tell real workers with the command line: from another process, at once, and through a restart. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assertValid } from '../checker/run-history.ts';
import { lookAt } from './history.ts';
import { readEffects } from './logs.ts';
import { type Child, createScenario, type Scenario, until } from './processes.ts';

let scenario: Scenario;
let worker: Child;
beforeEach(async () => {
  scenario = createScenario();
  const work = fileURLToPath(new URL('./fixtures/work.ts', import.meta.url));
  mkdirSync(join(scenario.folder, 'tasks'));
  const text = `import { createWork } from ${JSON.stringify(work)};\nexport const work = createWork(${JSON.stringify(scenario.folder)});\n`;
  writeFileSync(join(scenario.folder, 'tasks', 'work.mjs'), text);
  worker = scenario.command(['worker', 'start', '--json', '--name', 'ada', '--concurrency', '2']);
  await worker.heard('ready');
});
afterEach(() => scenario.end());

async function tell(...words: readonly string[]): Promise<void> {
  expect(await scenario.command(['worker', ...words]).exited).toEqual({ code: 0, signal: null });
}

async function produce(first: number, count: number, input: object): Promise<void> {
  await scenario.start('producer.ts', { file: scenario.file, first, count, input }).heard('done');
}

const begun = (): number => readEffects(scenario.folder).filter(({ what }) => what === 'begin').length;

test('a drained worker begins nothing until it is resumed, and a scaled one runs more at once', async () => {
  await produce(0, 1, { gate: 'go' });
  await until('it runs', () => begun() === 1);
  await tell('drain', 'ada');
  await produce(1, 9, { gate: 'go' });
  await tell('scale', 'ada', '--concurrency', '5');
  expect(begun()).toBe(1);
  await tell('resume', 'ada');
  await until('its slots are full', () => begun() === 5);
  const look = await lookAt(scenario);
  expect(await look.workers()).toMatchObject([{ state: 'ready', concurrency: 5, commands: [] }]);
  scenario.open('go');
  await look.drained(10);
  assertValid(await look.history());
  look.close();
});

test('a restarted worker ends what runs, and begins anew as the same process', async () => {
  await produce(0, 2, { gate: 'go' });
  await until('both run', () => begun() === 2);
  const look = await lookAt(scenario);
  const [before] = await look.workers();
  await tell('restart', 'ada');
  await produce(2, 3, { ms: 1 });
  scenario.open('go');
  await look.drained(5);
  const [after] = await look.workers();
  expect(after).toMatchObject({ name: 'ada', pid: worker.pid, state: 'ready' });
  expect(after?.workerId).not.toBe(before?.workerId);
  expect(worker.said.filter(({ event }) => event === 'ready')).toHaveLength(2);
  assertValid(await look.history());
  look.close();
});

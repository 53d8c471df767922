/** A full disk: enqueues are refused in one line, running tasks end once there is space again, nothing is lost. */

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
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

/** Mounts a disk of 4 MiB in the scenario; `null`, with the reason checked, where this user may not mount. */
function mountDisk(): string | null {
  const disk = join(scenario.folder, 'disk');
  mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk], { stdio: 'pipe', encoding: 'utf8' });
  } catch (error) {
    const words = String((error as { stderr?: unknown }).stderr);
    expect(words).toMatch(/permission denied|must be superuser|not permitted/i);
    console.warn(`A full disk was not tested: only root may mount one (${words.trim()}).`);
    return null;
  }
  scenario.atEnd(() => execFileSync('umount', ['--lazy', disk]));
  return disk;
}

/** Takes every byte that is left. Answers what gives them back. */
function fill(disk: string): () => void {
  const filler = join(disk, 'filler');
  for (const size of [65_536, 4_096, 1]) {
    try {
      for (;;) appendFileSync(filler, Buffer.alloc(size));
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
    }
  }
  return () => rmSync(filler);
}

test('a full disk refuses new tasks in one line and loses none', async () => {
  const disk = mountDisk();
  if (disk === null) return;
  // The logs of the test stay outside of the disk.
  const { folder } = scenario;
  const file = join(disk, 'store.db');
  await scenario.start('server.ts', { file }).heard('ready');
  const worker = scenario.start('worker.ts', { file, concurrency: 20 });
  await worker.heard('ready');
  await scenario.start('producer.ts', { file, first: 0, count: 20, input: { gate: 'go' } }).heard('done');
  await until('all of them run', () => readEffects(folder).length === 20, { facts: () => readEffects(folder) });

  const free = fill(disk);
  // The log may have room left from before: it takes some enqueues to meet the end of the disk.
  const refused = scenario.start('producer.ts', { file, first: 100, count: 5_000, width: 1, once: true });
  expect(await refused.exited).toEqual({ code: 6, signal: null });
  expect(refused.complaints()).toMatch(/^STORE_FULL: .*store\.db.*\n$/);
  scenario.open('go');
  await until('the handlers have ended', () => readEffects(folder).filter(({ what }) => what === 'end').length >= 20);
  await worker.heard('trouble');
  const stubborn = scenario.start('producer.ts', { file, first: 10_000, count: 10 });
  await stubborn.heard('ready');
  await until('its calls are refused', () =>
    readClientLog(folder).some(({ n, code }) => n >= 10_000 && code === 'STORE_FULL'),
  );
  expect(worker.isRunning()).toBe(true);

  free();
  await stubborn.heard('done');
  await worker.heard('recovered');
  const look = await lookAt({ folder, file });
  const accepted = new Set(
    readClientLog(folder)
      .filter(({ step }) => step === 'ok')
      .map(({ taskId }) => taskId),
  );
  await look.drained(accepted.size);
  const history = await look.history();
  look.close();
  assertValid(history);
  expect(history.tasks.every(({ epoch, attempt }) => epoch === 1 && attempt === 1)).toBe(true);
});

/** A torture of Redis of some seconds ends well: the server, its record and the way to both are in it. */

import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Report } from '../../src/torture/torture.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { createScenario, type Scenario } from './processes.ts';

await onOwnRedis(() => {
  let scenario: Scenario;
  beforeEach(() => {
    scenario = createScenario();
  });
  afterEach(() => scenario.end());

  test('some seconds of torture of Redis break nothing', { timeout: 240_000 }, async () => {
    const options = ['--broker', 'redis', '--minutes', '0.15', '--seed', '3', '--rate', '50', '--json'];
    const command = scenario.command(['torture', ...options]);
    await command.exited;
    const { verdict, fired, folder, recounted } = JSON.parse(command.output()) as Report;
    if (folder !== null) scenario.atEnd(() => rmSync(folder, { recursive: true, force: true }));
    expect(verdict.violations).toEqual([]);
    expect(Object.values(fired).reduce((sum, times) => sum + times, 0)).toBeGreaterThan(3);
    expect(verdict.counts.succeeded).toBeGreaterThan(20);
    // Of the live store and of the record.
    expect(recounted).toBeGreaterThan(40);
  });

  test('what cannot be tortured is said at once', async () => {
    for (const [options, code, said] of [
      [['--broker', 'sqlite', '--store', 'postgres'], 2, '--store is for --broker redis'],
      [['--broker', 'redis', '--store', 'mysql'], 2, '--store sqlite | --store postgres'],
      [['--broker', 'redis://127.0.0.1:6379'], 1, 'A torture of a Redis that is there already'],
    ] as const) {
      const command = scenario.command(['torture', ...options]);
      expect(await command.exited).toMatchObject({ code });
      expect(command.complaints()).toContain(said);
    }
  });
});

/** A torture of Postgres of some seconds ends well: its server, its backends and the way there are in it. */

import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Report } from '../../src/torture/torture.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { createScenario, type Scenario } from './processes.ts';

await onPostgres(() => {
  let scenario: Scenario;
  beforeEach(() => {
    scenario = createScenario();
  });
  afterEach(() => scenario.end());

  test('some seconds of torture of Postgres break nothing', { timeout: 240_000 }, async () => {
    const options = ['--broker', 'postgres', '--minutes', '0.15', '--seed', '3', '--rate', '50', '--json'];
    const command = scenario.command(['torture', ...options]);
    await command.exited;
    const { verdict, fired, folder } = JSON.parse(command.output()) as Report;
    if (folder !== null) scenario.atEnd(() => rmSync(folder, { recursive: true, force: true }));
    expect(verdict.violations).toEqual([]);
    expect(Object.values(fired).reduce((sum, times) => sum + times, 0)).toBeGreaterThan(3);
    expect(verdict.counts.succeeded).toBeGreaterThan(20);
  });
});

/** kill -9 of who writes much to a SQLite file, while a second thread copies its log: what was stored is there, and the file is whole. */

import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createScenario, type Scenario, until } from './processes.ts';

let scenario: Scenario;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(() => scenario.end());

test('three kills in the middle of writing and copying lose nothing that was stored', async () => {
  const { file } = scenario;
  let stored = 0;
  for (let kills = 0; kills < 3; kills++) {
    const producer = scenario.start('bulk-producer.ts', { file });
    await producer.heard('ready');
    const before = statSync(file).size;
    const told = (): number => Number(producer.said.at(-1)?.stored ?? 0);
    // Commits copy from 32 MB on, the thread from 4: by now it has, and goes on.
    await until('its log is copied', () => told() > 2_000 && statSync(file).size > before + 8_000_000);
    producer.send('SIGKILL');
    await producer.exited;
    stored += told();

    const database = new DatabaseSync(file);
    expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    const { tasks } = database.prepare('SELECT count(*) AS tasks FROM tasks').get() as { tasks: number };
    database.close();
    // The last batches may be stored without a word of it.
    expect(tasks).toBeGreaterThanOrEqual(stored);
    expect(tasks % 500).toBe(0);
    stored = tasks;
  }
});

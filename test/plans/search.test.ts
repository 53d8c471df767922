/** How SQLite runs a search: down an index by id, never sorting what a whole table holds. */

import { expect, test } from 'vitest';
import type { SqlDriver, SqlTransaction } from '../../src/broker/sql/driver.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { systemChance } from '../../src/core/chance.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import { systemClock } from '../../src/core/time.ts';
import { searchTasks } from '../../src/history/search.ts';

/** The plan of the walk that the search of a filter begins with. */
async function planOf(filter: string): Promise<readonly string[]> {
  const driver = createSqliteDriver({
    file: ':memory:',
    now: systemClock.now,
    clock: systemClock,
    chance: systemChance,
  });
  await driver.open();
  await migrate(driver, systemChance);
  const texts: string[] = [];
  const noting = (tx: SqlTransaction): SqlTransaction => ({
    ...tx,
    execute: (text, ...values) => {
      texts.push(text);
      return tx.execute(text, ...values);
    },
  });
  const noted: SqlDriver = { ...driver, read: (work) => driver.read((tx) => work(noting(tx))) };
  await searchTasks(noted, parseFilter(filter), { after: null, limit: 10 });
  const walk = texts.find((text) => text.includes('AS stretch'));
  const rows = await driver.read((tx) =>
    tx.execute<[number, number, number, step: string]>(`EXPLAIN QUERY PLAN ${walk}`),
  );
  driver.close();
  return rows.map((row) => row[3]).filter((step) => /\btasks\b|TEMP/.test(step));
}

test.each([
  ['', 'SEARCH tasks USING COVERING INDEX tasks_id (id<?)'],
  ['queue:slow', 'SEARCH tasks USING COVERING INDEX tasks_id (id<?)'],
  ['state:failed', 'SEARCH tasks USING COVERING INDEX tasks_state (state=? AND id<?)'],
  ['state:cancelled -tag:x', 'SEARCH tasks USING COVERING INDEX tasks_state (state=? AND id<?)'],
  ['state:retrying', 'SEARCH tasks USING COVERING INDEX tasks_scheduled (id<?)'],
  ['name:mail.send', 'SEARCH tasks USING COVERING INDEX tasks_name (name=? AND id<?)'],
  ['id:01K8Q2M4ZJ', 'SEARCH tasks USING COVERING INDEX tasks_id (id>? AND id<?)'],
])('"%s" walks down its index', async (filter, step) => {
  expect(await planOf(filter)).toEqual([step]);
});

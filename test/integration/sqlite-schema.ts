/** The schema of a freshly migrated SQLite database as one readable text. */

import { migrate } from '../../src/broker/sql/migrate.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { systemChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';

export async function readSchema(): Promise<string> {
  const driver = createSqliteDriver({
    file: ':memory:',
    now: systemClock.now,
    clock: systemClock,
    chance: systemChance,
  });
  await driver.open();
  await migrate(driver, systemChance);
  const rows = await driver.read((tx) =>
    tx.execute<[text: string]>(
      'SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY tbl_name, type DESC, name',
    ),
  );
  await driver.close();
  const head =
    '-- What all migrations together make. Regenerate: node scripts/schema.ts > src/broker/sql/schema.sql\n\n';
  return `${head}${rows.map(([text]) => `${text.replace(/^ {6}/gm, '  ').replace(/^ {4}\)/gm, ')')};`).join('\n\n')}\n`;
}

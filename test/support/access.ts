/** Keys, sessions and audit over a database in memory, on a clock that a test moves. */

import { createAccess } from '../../src/access/access.ts';
import type { SqlDriver } from '../../src/broker/sql/driver.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import type { Access } from '../../src/core/access.ts';
import { seededChance } from '../../src/core/chance.ts';
import type { Clock } from '../../src/core/time.ts';

export interface TestAccess {
  readonly driver: SqlDriver;
  readonly access: Access;
  /** How often `access` has read. */
  reads(): number;
  /** What another server of the same store knows. */
  other(): Access;
  close(): void;
}

export async function createTestAccess(clock: Clock, seed = 11): Promise<TestAccess> {
  const chance = seededChance(seed);
  const driver = createSqliteDriver({ file: ':memory:', now: clock.now, clock, chance });
  await driver.open();
  await migrate(driver, chance);
  let reads = 0;
  const readOne: SqlDriver['readOne'] = (...asked) => {
    reads += 1;
    return driver.readOne(...asked);
  };
  return {
    driver,
    access: createAccess({ driver: { ...driver, readOne }, clock, chance }),
    reads: () => reads,
    other: () => createAccess({ driver, clock, chance: seededChance(seed + 1) }),
    close: () => driver.close(),
  };
}

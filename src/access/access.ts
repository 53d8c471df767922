/** Access to what a store has: keys, sessions, delays for who guesses, and the audit, in the SQL store of every setup. */

import type { SqlDriver } from '../broker/sql/driver.ts';
import type { Access } from '../core/access.ts';
import type { Chance } from '../core/chance.ts';
import type { Clock } from '../core/time.ts';
import { createAudit } from './audit.ts';
import { createKeys } from './keys.ts';
import { createSessions } from './sessions.ts';
import { createThrottle } from './throttle.ts';

export interface AccessOptions {
  /** The open database of the store, or of its record. */
  readonly driver: SqlDriver;
  readonly clock: Clock;
  readonly chance: Chance;
}

export function createAccess({ driver, clock, chance }: AccessOptions): Access {
  return {
    keys: createKeys(driver, clock, chance),
    sessions: createSessions(driver, clock, chance),
    throttle: createThrottle(driver),
    audit: createAudit(driver, clock, chance),
  };
}

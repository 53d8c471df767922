/** Delays who guesses. Counted in the store, so that many servers are no better to guess at than one. */

import { type SqlDriver, statement } from '../broker/sql/driver.ts';
import type { Throttle } from '../core/access.ts';
import { limits } from '../core/limits.ts';
import { hashOf } from './token.ts';

/** Input: list of names. */
const waits = statement<[untilAt: number]>(
  'access_waits',
  (dialect) => `SELECT until_at FROM access_tries WHERE name ${dialect.oneOf('$1')}`,
);

/** Inputs: name, time, from when a try counts. Locks: the row. */
const noteFailure = statement<[failures: number]>(
  'access_note_failure',
  () => `INSERT INTO access_tries (name, failures, at, until_at) VALUES ($1, 1, $2, $2)
    ON CONFLICT (name) DO UPDATE SET failures = CASE WHEN access_tries.at < $3 THEN 1 ELSE access_tries.failures + 1 END, at = $2
    RETURNING failures`,
);

/** Inputs: name, time. */
const delayUntil = statement('access_delay', () => 'UPDATE access_tries SET until_at = $2 WHERE name = $1');

/** Input: list of names. */
const forget = statement(
  'access_forget_tries',
  (dialect) => `DELETE FROM access_tries WHERE name ${dialect.oneOf('$1')}`,
);

/** Input: time. */
const forgetOld = statement('access_forget_old_tries', () => 'DELETE FROM access_tries WHERE at < $1');

export function createThrottle(driver: SqlDriver): Throttle {
  // Nobody's address stands in the table, and a name of any length has its place.
  const listOf = (names: readonly string[]): string => JSON.stringify(names.map((name) => hashOf(name)));
  return {
    waitMs: async (names) => {
      const rows = await driver.readOne(waits, listOf(names));
      if (rows.length === 0) return 0;
      const now = await driver.wallMs();
      return Math.max(0, ...rows.map(([untilAt]) => untilAt - now));
    },
    failed: (names) =>
      driver.transaction(async (tx) => {
        const now = await tx.wallMs();
        await tx.change(forgetOld, now - limits.triesKeepMs);
        // Always in one order, so that two transactions do not wait for each other.
        for (const name of [...names].sort()) {
          const [[failures] = [1]] = await tx.query(noteFailure, hashOf(name), now, now - limits.triesKeepMs);
          await tx.change(delayUntil, hashOf(name), now + delayMs(name, failures));
        }
      }),
    succeeded: async (names) => {
      await driver.writeOne(forget, listOf(names));
    },
  };
}

/** Doubles with each failure. Others must not keep somebody from an account for long, nor from anything for ever. */
export function delayMs(name: string, failures: number): number {
  if (failures < limits.triesFree) return 0;
  const max = name.startsWith('address:') ? limits.triesAddressMaxMs : limits.triesAccountMaxMs;
  return Math.min(max, limits.triesDelayMs * 2 ** Math.min(30, failures - limits.triesFree));
}

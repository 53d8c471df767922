/** Claims that found nothing, for an enqueue of another process to make. */

import type { Dialect } from '../driver.ts';

export const name = '0015_standing_claims';

/**
 * Only where a step of another process can tell its worker. Unlogged: a row is renewed every second, is of no use two seconds later, and
 * of none to a server that is started anew.
 */
export function up(dialect: Dialect): readonly string[] {
  if (dialect.name === 'sqlite') return [];
  return [
    // One a worker. since: in which turn. stood_at: when it last claimed in vain. demands: how many tasks it would have of each queue. listener: the lock of
    // its process. handed: whether its token has been given tasks.
    `CREATE UNLOGGED TABLE standing_claims (
      worker_id text COLLATE "C" NOT NULL PRIMARY KEY,
      token text COLLATE "C" NOT NULL,
      since bigint NOT NULL,
      stood_at bigint NOT NULL,
      until_at bigint NOT NULL,
      lease_ms bigint NOT NULL,
      demands text NOT NULL,
      channel text NOT NULL,
      listener bigint NOT NULL,
      handed bigint NOT NULL
    )`,
    // Under a long transaction dead rows stay: those of the last two seconds are few.
    'CREATE INDEX standing_claims_until ON standing_claims (until_at)',
  ];
}

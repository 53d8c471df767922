/** Claims that found nothing, in a table that no disk waits for: they stand while their process listens. */

import { heard } from '../../core/heard.ts';
import { limits } from '../../core/limits.ts';
import { once } from '../../core/once.ts';
import type { ClaimRequest } from '../broker.ts';
import { statement } from '../sql/driver.ts';
import { mayClaim } from '../sql/looks.ts';
import type { StandingClaims } from '../sql/standing.ts';
import type { WholeWay } from '../sql/whole.ts';
import { nowOf } from './clock.ts';
import type { PostgresDriver } from './driver.ts';
import type { Hearing } from './listen.ts';

/**
 * Inputs: token, list of queues, the last time that this process knows, its clock, worker, for how long, length of the lease, how many tasks of
 * each queue, channel and lock of the process. Answers whether the claim may find anything; it stands when it may not, and its token
 * has been given nothing. Locks: the worker's row. Whoever gives it tasks just then is waited for, and seen.
 */
const stand = statement<[maybe: number]>(
  'stand',
  (dialect) => `WITH look AS MATERIALIZED (SELECT ${mayClaim(dialect)} AS maybe), stood AS (
      INSERT INTO standing_claims AS known (worker_id, token, since, stood_at, until_at, lease_ms, demands, channel, listener, handed)
      SELECT $5, $1, now, now, now + $6::bigint, $7::bigint, $8, $9, $10::bigint, 0 FROM look, (SELECT ${nowOf(dialect, '$3', '$4')} AS now) AS clock
      WHERE NOT maybe
      ON CONFLICT (worker_id) DO UPDATE SET token = excluded.token, stood_at = excluded.stood_at, until_at = excluded.until_at,
        since = CASE WHEN known.until_at > excluded.stood_at THEN known.since ELSE excluded.since END, lease_ms = excluded.lease_ms,
        demands = excluded.demands, channel = excluded.channel, listener = excluded.listener, handed = 0
      WHERE known.token <> excluded.token OR known.handed = 0
    ) SELECT maybe FROM look`,
);

/** Input: worker. Locks: its row. */
const leave = statement('leave', () => 'UPDATE standing_claims SET until_at = 0 WHERE worker_id = $1 AND until_at > 0');

/** Input: time. Who has not stood since then is gone. */
const sweep = statement('sweep_standing', () => 'DELETE FROM standing_claims WHERE stood_at < $1');

/** What is written the same in a column and in JSON, where they are compared. */
const plain = /^[^\p{C}"\\]{1,200}$/u;

export interface StandingOptions extends Pick<WholeWay, 'lastNow'> {
  readonly driver: Pick<PostgresDriver, 'writeOne' | 'ownMs'>;
  /** `null` while this process would not be told. */
  readonly hearing: () => Hearing | null;
}

export function createStanding({ driver, lastNow, hearing }: StandingOptions): StandingClaims {
  /** Workers whose claims may stand. */
  const known = new Set<string>();
  /** Whoever stands for the first time sweeps up once. */
  const sweepOnce = once(() => void heard(driver.writeOne(sweep, lastNow() - limits.standRowsKeptMs)));

  async function look(request: ClaimRequest, { channel, member }: Hearing): Promise<boolean> {
    const { workerId, token, leaseMs, limit, standMs = 0 } = request;
    const demands = request.queues.map((demand) => [demand.name, Math.min(limit, demand.limit)] as const);
    known.add(workerId);
    sweepOnce();
    const [row] = await driver.writeOne(
      stand,
      token,
      JSON.stringify(demands.map(([name]) => name)),
      lastNow(),
      driver.ownMs(),
      workerId,
      standMs,
      leaseMs,
      JSON.stringify(Object.fromEntries(demands)),
      channel,
      member,
    );
    return Boolean(row?.[0]);
  }

  return {
    look(request) {
      const own = hearing();
      return own === null || !mayStand(request) ? null : look(request, own);
    },
    leaving: ({ workerId }) => (known.has(workerId) ? { statement: leave, values: [workerId] } : null),
    left: ({ workerId }) => void known.delete(workerId),
  };
}

function mayStand({ standMs = 0, limit, queues, workerId }: ClaimRequest): boolean {
  const names = queues.map(({ name }) => name);
  return (
    standMs > 0 &&
    limit > 0 &&
    queues.every((demand) => demand.limit > 0) &&
    new Set(names).size === names.length &&
    [workerId, ...names].every((name) => plain.test(name))
  );
}

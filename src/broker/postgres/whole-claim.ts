/** claim in one statement: the first tasks of queues without groups and limits, when there is nothing special about any of them. */

import { limits } from '../../core/limits.ts';
import type { ClaimedTask } from '../../core/task.ts';
import type { ClaimRequest, QueueDemand } from '../broker.ts';
import { claimedTask } from '../sql/claim.ts';
import { type SqlRow, statement } from '../sql/driver.ts';
import { remember } from '../sql/remembered.ts';
import { inClaimOrder } from '../sql/rows.ts';
import type { WholeWay } from '../sql/whole.ts';
import { nowOf } from './clock.ts';
import type { PostgresDriver, WholeStatement } from './driver.ts';
import { holdEvents } from './event-order.ts';
import { lockGroup, lockKey } from './locks.ts';
import { encodeText } from './text.ts';
import { createToldRows, kindLength, type ToldRow, toldColumns } from './told-rows.ts';

/** Within a string of JSON the quotes would be escaped. */
const special = '"(limitNames|dependsOn|ifExists)":';

/** Beyond ASCII a text may be written otherwise in its column than in a list: see text.ts. */
const isAscii = (column: string): string => `octet_length(${column}) = length(${column})`;

/** Where the inputs are that say which kind of tasks need not be told, and those behind them. */
const kindAt = 9;
const behindKind = kindAt + kindLength;

/** The first tasks of a queue, in the order of claims, that wait for nothing. Locks: the rows, and leaves those that others have. */
const firstOf = (queue: string, most: string): string =>
  `SELECT id, queue, name, priority, due_at, attempt, version, timeout_ms, expires_at, options FROM tasks
    WHERE (SELECT now FROM clock) IS NOT NULL AND queue = ${queue} AND state = 'queued' AND grp IS NULL
      AND (start_by IS NULL OR start_by > (SELECT now FROM clock)) AND (expires_at IS NULL OR expires_at > (SELECT now FROM clock))
    ORDER BY priority, due_at, id LIMIT ${most} FOR UPDATE SKIP LOCKED`;

/** Of one queue, or of several together: then the limit of each is an input of its own. */
const found = {
  one: firstOf('$3', '$4'),
  several: `SELECT first.* FROM unnest($3::text[], $${behindKind + 1}::bigint[]) AS demand(name, most),
    LATERAL (${firstOf('demand.name', 'demand.most')}) AS first ORDER BY priority, due_at, id LIMIT $4`,
};

/**
 * Inputs: the last time that this process knows, its clock, queue or list of queues, limit, token, worker, length of the lease, grace
 * behind a timeout, the kind of tasks that need not be told, the token as a lock, limits of the queues. Answers the claimed tasks, in any
 * order. Claims none when the token is known, a queue is paused, limited or has groups, or one of its first tasks has limits, parents or
 * a key to let go. Locks: the token, for whoever sends it again before this is stored, and the rows.
 */
const claimWhole = (namespace: string, queues: keyof typeof found) =>
  statement<ToldRow>(`claim_whole_${queues}`, (dialect) => {
    const isDemanded = (column: string): string =>
      queues === 'one' ? `${column} = $3` : `${column} ${dialect.oneOf('$3')}`;
    return `WITH clock AS MATERIALIZED (
      SELECT ${nowOf(dialect, '$1', '$2')} AS now, pg_advisory_xact_lock(${lockGroup(namespace, 'tokens')}, $${behindKind}::int)
      WHERE NOT EXISTS (SELECT 1 FROM claims WHERE token = $5)
        AND NOT EXISTS (SELECT 1 FROM queues WHERE ${isDemanded('queues.name')} AND (paused_at IS NOT NULL OR limited = 1))
        AND NOT EXISTS (SELECT 1 FROM rounds WHERE ${isDemanded('rounds.queue')})
    ), found AS MATERIALIZED (
      ${found[queues]}
    ), taken AS MATERIALIZED (
      SELECT count(*) AS tasks, min(id) AS first, min(queue) AS queue, min(name) AS name, min(attempt) + 1 AS attempt, min(version) + 1 AS version,
        json_agg(id)::text AS ids, min(queue) = max(queue) AND min(name) = max(name) AND min(attempt) = max(attempt) AND min(version) = max(version) AS is_alike,
        (SELECT now FROM clock) AS now, LEAST(min(expires_at), (SELECT now FROM clock) + LEAST($7::bigint, min(timeout_ms) + $8::bigint)) AS check_at
      FROM found
      HAVING bool_and((options IS NULL OR options !~ '${special}') AND ${isAscii('id')} AND ${isAscii('name')})
    ), held AS MATERIALIZED (
      SELECT taken.*, ${holdEvents(namespace)} FROM taken
    ), noted AS (
      INSERT INTO claims (token, worker_id, check_at, running, task_ids) SELECT $5, $6, check_at, tasks, ids FROM held
    ), told AS (
      INSERT INTO events (at, kind, items) SELECT now, 'claim', CASE WHEN is_alike
        THEN format('[[%s,%s,"queued","running",null,%s,%s,%s]]', to_json(name), to_json(queue), attempt, version, ids)
        ELSE (SELECT json_agg(json_build_array(name, queue, 'queued', 'running', NULL, attempt + 1, version + 1, json_build_array(id)))
          FROM found)::text
      END FROM held
    ), counted AS (
      INSERT INTO deltas (at, counts, minutes) SELECT now, CASE WHEN is_alike
        THEN format('[[%1$s,%2$s,"queued",%3$s],[%1$s,%2$s,"running",%4$s]]', to_json(queue), to_json(name), -tasks, tasks)
        ELSE (SELECT json_agg(json_build_array(named.queue, named.name, view, sign * named.tasks))
          FROM (SELECT queue, name, count(*) AS tasks FROM found GROUP BY queue, name) AS named,
            (VALUES ('queued', -1), ('running', 1)) AS views(view, sign))::text
      END, NULL FROM held
    ) UPDATE tasks SET state = 'running', reason = NULL, version = tasks.version + 1, epoch = epoch + 1, attempt = tasks.attempt + 1,
        worker_id = $6, token = $5, lease_until = now + $7::bigint, claimed_at = now, started_at = NULL, progress = NULL, check_at = NULL
      FROM taken WHERE id = ANY(ARRAY(SELECT id FROM found)) RETURNING ${toldColumns(kindAt, { first: 'taken.first', now: 'taken.now' })}`;
  });

export interface WholeClaimOptions extends WholeWay {
  readonly driver: Pick<PostgresDriver, 'writeWhole' | 'ownMs'>;
  readonly namespace: string;
}

/** The statement that claims, and how its rows are read. */
export interface WholeClaim extends WholeStatement {
  read(rows: readonly SqlRow[]): readonly ClaimedTask[];
}

/** Answers how to claim so; `null` when that has to be more than one statement. */
export function createWholeClaim({ driver, namespace, clock, lastNow, memory }: WholeClaimOptions) {
  const claiming = { one: claimWhole(namespace, 'one'), several: claimWhole(namespace, 'several') };
  const told = createToldRows();
  return (request: ClaimRequest): WholeClaim | null => {
    const { workerId, token, leaseMs } = request;
    const demands = request.queues.filter((demand) => demand.limit > 0);
    const [demand] = demands;
    const limit = Math.min(request.limit, limits.batchMax);
    if (demand === undefined || limit <= 0 || !areFit(demands)) return null;
    const known = told.known();
    const at = [lastNow(), driver.ownMs()];
    const shared = [token, workerId, leaseMs, limits.graceMs, ...known];
    const lock = lockKey(namespace, 'tokens', [token]).members[0] ?? 0;
    const ofOne = [...at, demand.name, Math.min(limit, demand.limit), ...shared, lock];
    const ofSeveral = [
      ...at,
      demands.map(({ name }) => name),
      limit,
      ...shared,
      lock,
      demands.map((one) => Math.min(limit, one.limit)),
    ];
    const read = (rows: readonly SqlRow[]): readonly ClaimedTask[] => {
      const tasks = told.read(rows, known, request);
      const now = tasks[0]?.claimedAt ?? 0;
      clock(now, now);
      const claimed = tasks.map((task, index) => {
        remember(memory, task, token, (rows[index] as unknown as ToldRow)[5], task.id);
        return claimedTask(task, token, now);
      });
      return claimed.sort((left, right) => inClaimOrder(left.task, right.task));
    };
    return demands.length === 1
      ? { statement: claiming.one, values: ofOne, read }
      : { statement: claiming.several, values: ofSeveral, read };
  };
}

/** Whether each is asked for once, by a name that is written everywhere as it is. */
function areFit(demands: readonly QueueDemand[]): boolean {
  return (
    new Set(demands.map(({ name }) => name)).size === demands.length &&
    demands.every(({ name }) => encodeText(name) === name)
  );
}

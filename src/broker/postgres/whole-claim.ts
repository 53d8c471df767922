/** claim in one statement: the first tasks of a queue without groups and limits, when there is nothing special about any of them. */

import { limits } from '../../core/limits.ts';
import type { ClaimedTask, Task } from '../../core/task.ts';
import type { ClaimRequest } from '../broker.ts';
import { claimedTask } from '../sql/claim.ts';
import { statement } from '../sql/driver.ts';
import { remember } from '../sql/remembered.ts';
import { inClaimOrder, type TaskRow, taskColumns, toTask } from '../sql/rows.ts';
import type { Whole, WholeWay } from '../sql/whole.ts';
import { nowOf } from './clock.ts';
import type { PostgresDriver } from './driver.ts';
import { holdEvents } from './event-order.ts';
import { encodeText } from './text.ts';

/** Within a string of JSON the quotes would be escaped. */
const special = '"(limitNames|dependsOn|ifExists)":';

/** A name with characters beyond ASCII is written in another way in the row than in a list. */
const isForeign = (column: string): string => `octet_length(${column}) <> length(${column})`;

/**
 * Inputs: the last time that this process knows, its clock, queue, limit, token, worker, length of the lease, grace behind a timeout.
 * Answers the store's now, whether nothing stood in the way, and the claimed tasks, in any order; without any, one row. It stands in
 * the way that the token is known, that the queue is paused, limited or has groups, that one of its first tasks has limits, parents or
 * a key to let go: then nothing is claimed. Locks: the rows, and leaves those that others have.
 */
const claimWhole = (namespace: string) =>
  statement<[now: number, isPlain: number, ...TaskRow]>(
    'claim_whole',
    (dialect) => `WITH clock AS MATERIALIZED (
      SELECT ${nowOf(dialect, '$1', '$2')} AS now, NOT EXISTS (SELECT 1 FROM claims WHERE token = $5)
        AND NOT EXISTS (SELECT 1 FROM queues WHERE queues.name = $3 AND (paused_at IS NOT NULL OR limited = 1))
        AND NOT EXISTS (SELECT 1 FROM rounds WHERE rounds.queue = $3) AS is_open
    ), found AS MATERIALIZED (
      SELECT id, name, attempt, version, timeout_ms, expires_at, options FROM tasks
      WHERE (SELECT is_open FROM clock) AND queue = $3 AND state = 'queued' AND grp IS NULL
        AND (start_by IS NULL OR start_by > (SELECT now FROM clock)) AND (expires_at IS NULL OR expires_at > (SELECT now FROM clock))
      ORDER BY priority, due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED
    ), taken AS MATERIALIZED (
      SELECT count(*) AS tasks, min(name) AS name, min(attempt) + 1 AS attempt, min(version) + 1 AS version, json_agg(id)::text AS ids,
        min(name) = max(name) AND min(attempt) = max(attempt) AND min(version) = max(version) AS is_alike,
        (SELECT now FROM clock) AS now, LEAST(min(expires_at), (SELECT now FROM clock) + LEAST($7::bigint, min(timeout_ms) + $8::bigint)) AS check_at,
        (SELECT is_open FROM clock) AND COALESCE(bool_and((options IS NULL OR options !~ '${special}') AND NOT ${isForeign('id')} AND NOT ${isForeign('name')}), true) AS is_plain
      FROM found
    ), changed AS (
      UPDATE tasks SET state = 'running', reason = NULL, version = tasks.version + 1, epoch = tasks.epoch + 1, attempt = tasks.attempt + 1,
        worker_id = $6, token = $5, lease_until = now + $7::bigint, claimed_at = now, started_at = NULL, progress = NULL, check_at = NULL
      FROM taken WHERE is_plain AND tasks.id = ANY(ARRAY(SELECT id FROM found)) RETURNING ${columnsOf('tasks')}
    ), held AS MATERIALIZED (
      SELECT taken.*, ${holdEvents(namespace)} FROM taken WHERE (SELECT count(*) FROM changed) > 0
    ), noted AS (
      INSERT INTO claims (token, worker_id, check_at, running, task_ids) SELECT $5, $6, check_at, tasks, ids FROM held
    ), told AS (
      INSERT INTO events (at, kind, items) SELECT now, 'claim', CASE WHEN is_alike
        THEN format('[[%s,%s,"queued","running",null,%s,%s,%s]]', to_json(name), to_json($3::text), attempt, version, ids)
        ELSE (SELECT json_agg(json_build_array(name, $3::text, 'queued', 'running', NULL, attempt + 1, version + 1, json_build_array(id))) FROM found)::text
      END FROM held
    ), counted AS (
      INSERT INTO deltas (at, counts, minutes) SELECT now, (
        SELECT json_agg(json_build_array($3::text, named.name, view, sign * named.tasks))
        FROM (SELECT name, count(*) AS tasks FROM found GROUP BY name) AS named, (VALUES ('queued', -1), ('running', 1)) AS views(view, sign)
      )::text, NULL FROM held
    ) SELECT taken.now, is_plain, ${columnsOf('changed')} FROM taken LEFT JOIN changed ON true`,
  );

function columnsOf(table: string): string {
  return taskColumns.replace(/\w+/g, (column) => `${table}.${column}`);
}

/** Claims that go the long way behind one that had to: it is asked in vain where groups and limits are in use. */
const longWays = 100;

export interface WholeClaimOptions extends WholeWay {
  readonly driver: Pick<PostgresDriver, 'writeWhole' | 'ownMs'>;
  readonly namespace: string;
}

/** Answers how to claim so; `null` leaves it to the step of many statements. */
export function createWholeClaim({ driver, namespace, clock, lastNow, memory }: WholeClaimOptions) {
  const take = claimWhole(namespace);
  let long = 0;
  return async (request: ClaimRequest): Promise<Whole<readonly ClaimedTask[]> | null> => {
    const [demand] = request.queues;
    const limit = Math.min(request.limit, demand?.limit ?? 0, limits.batchMax);
    if (demand === undefined || encodeText(demand.name) !== demand.name || request.queues.length > 1 || limit <= 0)
      return null;
    if (long > 0) {
      long -= 1;
      return null;
    }
    const { workerId, token, leaseMs } = request;
    const values = [lastNow(), driver.ownMs(), demand.name, limit, token, workerId, leaseMs, limits.graceMs];
    const rows = await driver.writeWhole({ statement: take, values });
    const [first] = rows ?? [];
    if (rows === null || first === undefined) return null;
    const [now, isPlain] = first;
    clock(now, now);
    if (!isPlain) {
      long = longWays;
      return null;
    }
    const tasks: Task[] = [];
    for (const [, , ...row] of first[2] === null ? [] : rows) {
      const task = toTask(row);
      remember(memory, task, token, row[29], task.id);
      tasks.push(task);
    }
    tasks.sort(inClaimOrder);
    return {
      answer: tasks.map((task) => claimedTask(task, token, now)),
      signals: [],
      untold: [],
      isChange: tasks.length > 0,
    };
  };
}

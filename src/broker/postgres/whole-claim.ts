/** claim in one statement: the first tasks of a queue without groups and limits, when there is nothing special about any of them. */

import { limits } from '../../core/limits.ts';
import type { ClaimedTask } from '../../core/task.ts';
import type { ClaimRequest } from '../broker.ts';
import { claimedTask } from '../sql/claim.ts';
import { type SqlRow, statement } from '../sql/driver.ts';
import { remember } from '../sql/remembered.ts';
import { inClaimOrder, type TaskRow, taskColumns, toTask } from '../sql/rows.ts';
import type { WholeWay } from '../sql/whole.ts';
import { nowOf } from './clock.ts';
import type { PostgresDriver, WholeStatement } from './driver.ts';
import { holdEvents } from './event-order.ts';
import { encodeText } from './text.ts';

/** What the claim itself says of its tasks, and the numbers that are so in nearly every one. */
const known: ReadonlySet<string> = new Set(
  ['queue', 'state', 'reason', 'started_at', 'finished_at', 'prune_at'].concat('lease_until', 'worker_id', 'progress'),
);
const usual: Readonly<Record<string, number>> = { generation: 1, crashes: 0, interruptions: 0, snoozes: 0 };

/**
 * The columns of a whole row, NULL where it is known or usual: that costs next to nothing on its way, where all that is told was a
 * quarter of a claim for the server, and more here.
 */
const toldColumns = taskColumns
  .split(/,\s*/)
  .map((column) => {
    if (known.has(column)) return 'NULL';
    return column in usual ? `NULLIF(tasks.${column}, ${usual[column]})` : `tasks.${column}`;
  })
  .join(', ');

/** Within a string of JSON the quotes would be escaped. */
const special = '"(limitNames|dependsOn|ifExists)":';

/** Beyond ASCII a text may be written otherwise in its column than in a list: see text.ts. */
const isAscii = (column: string): string => `octet_length(${column}) = length(${column})`;

/**
 * Inputs: the last time that this process knows, its clock, queue, limit, token, worker, length of the lease, grace behind a timeout.
 * Answers the claimed tasks, in any order. Claims none when the token is known, the queue is paused, limited or has groups, or one of
 * its first tasks has limits, parents or a key to let go. Locks: the rows, and leaves those that others have.
 */
const claimWhole = (namespace: string) =>
  statement<TaskRow>(
    'claim_whole',
    (dialect) => `WITH clock AS MATERIALIZED (
      SELECT ${nowOf(dialect, '$1', '$2')} AS now WHERE NOT EXISTS (SELECT 1 FROM claims WHERE token = $5)
        AND NOT EXISTS (SELECT 1 FROM queues WHERE queues.name = $3 AND (paused_at IS NOT NULL OR limited = 1))
        AND NOT EXISTS (SELECT 1 FROM rounds WHERE rounds.queue = $3)
    ), found AS MATERIALIZED (
      SELECT id, name, attempt, version, timeout_ms, expires_at, options FROM tasks
      WHERE (SELECT now FROM clock) IS NOT NULL AND queue = $3 AND state = 'queued' AND grp IS NULL
        AND (start_by IS NULL OR start_by > (SELECT now FROM clock)) AND (expires_at IS NULL OR expires_at > (SELECT now FROM clock))
      ORDER BY priority, due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED
    ), taken AS MATERIALIZED (
      SELECT count(*) AS tasks, min(name) AS name, min(attempt) + 1 AS attempt, min(version) + 1 AS version, json_agg(id)::text AS ids,
        min(name) = max(name) AND min(attempt) = max(attempt) AND min(version) = max(version) AS is_alike,
        (SELECT now FROM clock) AS now, LEAST(min(expires_at), (SELECT now FROM clock) + LEAST($7::bigint, min(timeout_ms) + $8::bigint)) AS check_at
      FROM found
      HAVING bool_and((options IS NULL OR options !~ '${special}') AND ${isAscii('id')} AND ${isAscii('name')})
    ), held AS MATERIALIZED (
      SELECT taken.*, ${holdEvents(namespace)} FROM taken
    ), noted AS (
      INSERT INTO claims (token, worker_id, check_at, running, task_ids) SELECT $5, $6, check_at, tasks, ids FROM held
    ), told AS (
      INSERT INTO events (at, kind, items) SELECT now, 'claim', CASE WHEN is_alike
        THEN format('[[%s,%s,"queued","running",null,%s,%s,%s]]', to_json(name), to_json($3::text), attempt, version, ids)
        ELSE (SELECT json_agg(json_build_array(name, $3::text, 'queued', 'running', NULL, attempt + 1, version + 1, json_build_array(id)))
          FROM found)::text
      END FROM held
    ), counted AS (
      INSERT INTO deltas (at, counts, minutes) SELECT now, CASE WHEN is_alike
        THEN format('[[%1$s,%2$s,"queued",%3$s],[%1$s,%2$s,"running",%4$s]]', to_json($3::text), to_json(name), -tasks, tasks)
        ELSE (SELECT json_agg(json_build_array($3::text, named.name, view, sign * named.tasks))
          FROM (SELECT name, count(*) AS tasks FROM found GROUP BY name) AS named, (VALUES ('queued', -1), ('running', 1)) AS views(view, sign))::text
      END, NULL FROM held
    ) UPDATE tasks SET state = 'running', reason = NULL, version = tasks.version + 1, epoch = epoch + 1, attempt = tasks.attempt + 1,
        worker_id = $6, token = $5, lease_until = now + $7::bigint, claimed_at = now, started_at = NULL, progress = NULL, check_at = NULL
      FROM taken WHERE id = ANY(ARRAY(SELECT id FROM found)) RETURNING ${toldColumns}`,
  );

export interface WholeClaimOptions extends WholeWay {
  readonly driver: Pick<PostgresDriver, 'writeWhole' | 'ownMs'>;
  readonly namespace: string;
}

export interface WholeClaim {
  /** The statement that claims; `null` when that has to be more than one. */
  ask(request: ClaimRequest): WholeStatement | null;
  /** What it has claimed, given its rows. */
  read(rows: readonly SqlRow[], request: ClaimRequest): readonly ClaimedTask[];
}

export function createWholeClaim({ driver, namespace, clock, lastNow, memory }: WholeClaimOptions): WholeClaim {
  const claiming = claimWhole(namespace);
  return {
    ask({ workerId, token, leaseMs, queues, limit: most }) {
      const [demand] = queues;
      if (demand === undefined || queues.length > 1 || encodeText(demand.name) !== demand.name) return null;
      const limit = Math.min(most, demand.limit, limits.batchMax);
      if (limit <= 0) return null;
      const values = [lastNow(), driver.ownMs(), demand.name, limit, token, workerId, leaseMs, limits.graceMs];
      return { statement: claiming, values };
    },
    read(rows, request) {
      const { token } = request;
      const tasks = rows.map((told) => {
        const row = wholeRow(told as unknown as TaskRow, request);
        const task = toTask(row);
        remember(memory, task, token, row[29], task.id);
        return task;
      });
      const now = tasks[0]?.claimedAt ?? 0;
      clock(now, now);
      return tasks.sort(inClaimOrder).map((task) => claimedTask(task, token, now));
    },
  };
}

/** The row as the claim has left it, in its place: a copy of forty fields would cost more than the rest. */
function wholeRow(told: TaskRow, { leaseMs, workerId, queues }: ClaimRequest): TaskRow {
  const row = told as { -readonly [Index in keyof TaskRow]: TaskRow[Index] };
  row[1] = queues[0]?.name ?? '';
  row[3] = 'running';
  row[9] ??= 1;
  row[10] ??= 0;
  row[11] ??= 0;
  row[12] ??= 0;
  row[19] = (row[15] ?? 0) + leaseMs;
  row[20] = workerId;
  return row;
}

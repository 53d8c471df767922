/**
 * enqueue in one statement that gives the tasks to a claim that stands, and tells its worker: ADR 44. They are stored as running, exactly as
 * the claim would have left them, and have never waited in their queue.
 */

import { limits } from '../../core/limits.ts';
import type { ClaimedTask, NewTask } from '../../core/task.ts';
import { claimedTask } from '../sql/claim.ts';
import { type Statement, statement } from '../sql/driver.ts';
import { remember } from '../sql/remembered.ts';
import { encodeOptions, type TaskRow, toTask } from '../sql/rows.ts';
import type { WholeWay } from '../sql/whole.ts';
import { nowOf } from './clock.ts';
import { holdEvents } from './event-order.ts';
import { lockGroup, lockKey } from './locks.ts';
import { decodeText, encodeText } from './text.ts';

/** A payload has less than 8,000 bytes, token and worker among them. */
const bytesMax = 7_000;

/** One hand-over at a time in a namespace: what notifies holds one lock for all commits of the server until it is stored. */
const turn = 0;

/**
 * How many tasks are queued in these queues, of kept counts and what was added since: the index of waiting tasks leads by all that were claimed
 * since the last vacuum. What was handed over and has ended since adds nothing, and is passed by. An escaped name is taken for one of them.
 */
const queuedIn = (queues: string): string => `(SELECT COALESCE(sum(tasks), 0) FROM (
      SELECT tasks FROM counts WHERE queue = ANY(${queues}) AND view = 'queued'
      UNION ALL SELECT CASE WHEN strpos(counts, '\\u') > 0 THEN 1 ELSE (SELECT sum((delta ->> 3)::bigint)
        FROM json_array_elements(counts::json) AS delta WHERE delta ->> 2 = 'queued' AND delta ->> 0 = ANY(${queues})) END
        FROM deltas WHERE strpos(counts, '"queued"') > 0
    ) AS parts)`;

/**
 * Inputs: as `enqueue_whole`, and the items of the event of the claim, its counts, the tasks for its worker, and their number. Answers the
 * store's now and whether they were handed over: to whose claim for this queue has stood longest, when that is heard, and nothing else waits
 * in any of its queues. Else they are queued, and that claim stands no more until it is sent again. Locks: its row, unless somebody else has
 * it; the turn of hand-overs. Whoever changes settings is let pass, and else kept out.
 */
export const enqueueHandingOver = (namespace: string): Statement<[now: number, handed: number]> =>
  statement('enqueue_handing_over', (dialect) => {
    const group = lockGroup(namespace, 'standing');
    const settings = lockKey(namespace, 'settings', ['']);
    return `WITH clock AS MATERIALIZED (
      SELECT ${nowOf(dialect, '$1', '$2')} AS now WHERE NOT EXISTS (SELECT 1 FROM recorder)
        AND NOT EXISTS (SELECT 1 FROM edges WHERE awaited = 1) AND NOT EXISTS (SELECT 1 FROM tasks WHERE id ${dialect.oneOf('$3')})
    ), turn AS MATERIALIZED (
      SELECT pg_try_advisory_xact_lock_shared(${settings.group}, ${settings.members[0]}) AND pg_try_advisory_xact_lock(${group}, ${turn}) AS is_mine FROM clock
      WHERE EXISTS (SELECT 1 FROM standing_claims WHERE until_at > (SELECT now FROM clock))
        AND NOT EXISTS (SELECT 1 FROM queues WHERE queues.name = $5 AND (paused_at IS NOT NULL OR limited = 1))
        AND NOT EXISTS (SELECT 1 FROM rounds WHERE rounds.queue = $5)
    ), first AS MATERIALIZED (
      SELECT worker_id, token, lease_ms, demands, channel, listener FROM standing_claims
      WHERE (SELECT is_mine FROM turn) AND until_at > (SELECT now FROM clock) AND (demands::json ->> $5::text)::bigint >= $20::bigint
      ORDER BY since, worker_id LIMIT 1 FOR UPDATE SKIP LOCKED
    ), heard AS MATERIALIZED (
      SELECT first.*, (SELECT now FROM clock) AS now FROM first WHERE NOT pg_try_advisory_xact_lock(${group}, first.listener::int)
        AND ${queuedIn('ARRAY(SELECT json_object_keys(first.demands::json))')} = 0
    ), closed AS (
      UPDATE standing_claims SET until_at = 0, handed = (SELECT count(*) FROM heard) WHERE worker_id = (SELECT worker_id FROM first)
    ), stored AS (
      INSERT INTO tasks (id, queue, name, state, priority, created_at, due_at, start_by, expires_at, check_at, timeout_ms, keep_ms,
        schema_version, options, policy, payload, version, epoch, attempt, generation, crashes, interruptions, snoozes,
        worker_id, token, lease_until, claimed_at)
      SELECT given.id, $5, $6, CASE WHEN token IS NULL THEN 'queued' ELSE 'running' END, $7::bigint, clock.now, clock.now, clock.now + $8::bigint,
        clock.now + $9::bigint, CASE WHEN token IS NULL THEN LEAST(clock.now + $8::bigint, clock.now + $9::bigint) END, $10::bigint, $11::bigint, $12, $13, $14,
        given.payload, CASE WHEN token IS NULL THEN 1 ELSE 2 END, CASE WHEN token IS NULL THEN 0 ELSE 1 END, CASE WHEN token IS NULL THEN 0 ELSE 1 END,
        1, 0, 0, 0, worker_id, token, clock.now + lease_ms, heard.now
      FROM clock LEFT JOIN heard ON true, unnest($3::text[], $4::text[]) AS given(id, payload) RETURNING id
    ), held AS MATERIALIZED (
      SELECT now, ${holdEvents(namespace)} FROM clock WHERE EXISTS (SELECT 1 FROM stored)
    ), noted AS (
      INSERT INTO claims (token, worker_id, check_at, running, task_ids)
      SELECT token, worker_id, LEAST(heard.now + $9::bigint, heard.now + LEAST(lease_ms, $10::bigint + ${limits.graceMs})), $20::bigint, $18::text
      FROM heard, held
    ), told AS (
      INSERT INTO events (at, kind, items) SELECT now, kind, items FROM held, (VALUES (1, 'enqueue', $15), (2, 'claim', $17)) AS event(n, kind, items)
      WHERE n = 1 OR EXISTS (SELECT 1 FROM heard) ORDER BY n
    ), counted AS (
      INSERT INTO deltas (at, counts, minutes) SELECT now, CASE WHEN EXISTS (SELECT 1 FROM heard) THEN $21 ELSE $16 END, NULL FROM held
    ) SELECT now, (SELECT count(pg_notify(channel, format('{"token":%s,"workerId":%s,"leaseMs":%s,"now":%s,"tasks":%s}',
      to_json(token), to_json(worker_id), lease_ms, now, $19::text))::text) FROM heard) FROM clock`;
  });

type NewTasks = readonly [NewTask, ...NewTask[]];

/** What a worker is told of tasks that differ in nothing but id and payload. */
interface Told {
  readonly queue: string;
  readonly name: string;
  readonly priority: number;
  readonly startWithinMs: number | null;
  readonly expiresInMs: number | null;
  readonly timeoutMs: number | null;
  readonly keepMs: number;
  readonly schemaVersion: string | null;
  readonly options: string | null;
  readonly policy: string;
  readonly tasks: readonly (readonly [id: string, payload: string])[];
}

/** The values behind those of `enqueue_whole`; `null` when they are too many to be handed over. */
export function handingOver(tasks: NewTasks): readonly (string | number)[] | null {
  if (tasks.length > limits.handOverMax) return null;
  const [{ queue, name, priority, startWithinMs, expiresInMs, timeoutMs, keepMs, schemaVersion, policy }] = tasks;
  const told: Told = {
    ...{ queue, name, priority, startWithinMs, expiresInMs, timeoutMs, keepMs, schemaVersion, policy },
    options: encodeOptions(tasks[0]),
    tasks: tasks.map(({ id, payload }) => [id, payload]),
  };
  const text = JSON.stringify(told);
  if (Buffer.byteLength(encodeText(text)) > bytesMax) return null;
  const ids = tasks.map(({ id }) => id);
  return [
    JSON.stringify([[name, queue, 'queued', 'running', null, 1, 2, ids]]),
    JSON.stringify(ids),
    text,
    ids.length,
    JSON.stringify([[queue, name, 'running', ids.length]]),
  ];
}

/** What a claim was given, as its worker is told. */
interface HandedOver {
  readonly token: string;
  readonly workerId: string;
  readonly leaseMs: number;
  readonly now: number;
  readonly tasks: Told;
}

/** The tasks of a notification as the claim would have answered them. Throws for what is none. */
export function readHandedOver(
  payload: string,
  { clock, memory }: Pick<WholeWay, 'clock' | 'memory'>,
): { readonly token: string; readonly claimed: readonly ClaimedTask[] } {
  const handed = JSON.parse(decodeText(payload)) as HandedOver;
  const { token, now, leaseMs, tasks: told } = handed;
  if (![now, leaseMs].every(Number.isSafeInteger) || typeof token !== 'string')
    throw new Error('This hands nothing over');
  const claimed = told.tasks.map(([id, text]) => {
    const task = toTask(rowOf(handed, id, text));
    remember(memory, task, token, told.options, id);
    return claimedTask(task, token, now);
  });
  clock(now, now);
  return { token, claimed };
}

function rowOf({ workerId, leaseMs, now, tasks: told }: HandedOver, id: string, payload: string): TaskRow {
  const { queue, name, priority, startWithinMs, expiresInMs, timeoutMs, keepMs, schemaVersion, options, policy } = told;
  const startBy = startWithinMs === null ? null : now + startWithinMs;
  const expiresAt = expiresInMs === null ? null : now + expiresInMs;
  const run = ['running', null, priority, 2, 1, 1, 1, 0, 0, 0, now, now, now, null, null, null, now + leaseMs] as const;
  const given = [
    workerId,
    startBy,
    expiresAt,
    timeoutMs,
    keepMs,
    null,
    null,
    null,
    schemaVersion,
    options,
    policy,
  ] as const;
  return [id, queue, name, ...run, ...given, null, null, null, null, payload];
}

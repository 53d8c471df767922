/** enqueue in one statement: new tasks that differ in nothing but id and payload, and wait for nothing but a worker. */

import { isLinked } from '../../core/dependencies.ts';
import { limits } from '../../core/limits.ts';
import type { NewTask } from '../../core/task.ts';
import type { Clock } from '../../core/time.ts';
import type { EnqueueResult, Signal } from '../broker.ts';
import { type Statement, statement } from '../sql/driver.ts';
import { refuseLargeBatch, refuseLargePayloads } from '../sql/refuse.ts';
import { encodeOptions } from '../sql/rows.ts';
import type { Whole, WholeWay } from '../sql/whole.ts';
import { nowOf } from './clock.ts';
import type { PostgresDriver, WholeStatement } from './driver.ts';
import { holdEvents } from './event-order.ts';
import { enqueueHandingOver, handingOver } from './whole-hand-over.ts';

/**
 * Inputs: the last time that this process knows, its clock, list of ids, list of payloads, queue, name, priority, start deadline and life
 * from now on, timeout, retention, schema version, options, policy, items of the event, counts. Answers the store's now, and nothing
 * when there is something about them: an id that is there, parents that are awaited, a database that is a record. Locks: none but on
 * the new rows.
 */
export const enqueueWhole = (namespace: string): Statement<[now: number]> =>
  statement(
    'enqueue_whole',
    (dialect) => `WITH clock AS MATERIALIZED (
      SELECT ${nowOf(dialect, '$1', '$2')} AS now WHERE NOT EXISTS (SELECT 1 FROM recorder)
        AND NOT EXISTS (SELECT 1 FROM edges WHERE awaited = 1) AND NOT EXISTS (SELECT 1 FROM tasks WHERE id ${dialect.oneOf('$3')})
    ), stored AS (
      INSERT INTO tasks (id, queue, name, state, priority, created_at, due_at, start_by, expires_at, check_at, timeout_ms, keep_ms,
        schema_version, options, policy, payload, version, epoch, attempt, generation, crashes, interruptions, snoozes)
      SELECT given.id, $5, $6, 'queued', $7::bigint, now, now, now + $8::bigint, now + $9::bigint, LEAST(now + $8::bigint, now + $9::bigint),
        $10::bigint, $11::bigint, $12, $13, $14, given.payload, 1, 0, 0, 1, 0, 0, 0
      FROM clock, unnest($3::text[], $4::text[]) AS given(id, payload) RETURNING id
    ), held AS MATERIALIZED (
      SELECT now, ${holdEvents(namespace)} FROM clock WHERE EXISTS (SELECT 1 FROM stored)
    ), told AS (
      INSERT INTO events (at, kind, items) SELECT now, 'enqueue', $15 FROM held
    ), counted AS (
      INSERT INTO deltas (at, counts, minutes) SELECT now, $16, NULL FROM held
    ) SELECT now FROM clock`,
  );

export interface WholeEnqueueOptions extends WholeWay {
  readonly driver: Pick<PostgresDriver, 'writeWhole' | 'ownMs'>;
  readonly namespace: string;
  readonly hints: Hints;
  readonly attempts: Attempts;
}

export interface Hints {
  /**
   * The statement that tells others of these signals, when it may be sent right behind what they tell of; `null` when others were told of
   * something a moment ago. With a task it tells nothing unless that is queued.
   */
  take(signals: readonly Signal[], taskId: string | null): WholeStatement | null;
  /** Nothing was told after all. */
  untake(): void;
}

/** Which enqueues look for somebody who waits. */
export interface Attempts {
  readonly isDue: boolean;
  /** Nobody waited. */
  missed(): void;
}

export function createAttempts(clock: Pick<Clock, 'elapsed'>): Attempts {
  let missedAt = -Infinity;
  return {
    get isDue() {
      return clock.elapsed() - missedAt >= limits.handOverPauseMs;
    },
    missed() {
      missedAt = clock.elapsed();
    },
  };
}

/** Answers how to enqueue so; `null` leaves it to the step of many statements. */
export function createWholeEnqueue({ driver, namespace, clock, lastNow, hints, attempts }: WholeEnqueueOptions) {
  const store = enqueueWhole(namespace);
  const storeHandingOver = enqueueHandingOver(namespace);
  return async (tasks: readonly NewTask[]): Promise<Whole<readonly EnqueueResult[]> | null> => {
    refuseLargeBatch(tasks);
    refuseLargePayloads(tasks);
    const [first] = tasks;
    if (first === undefined || !tasks.every((task) => isPlain(task) && isLike(task, first))) return null;
    const ids = tasks.map(({ id }) => id);
    const { name, queue } = first;
    const values = [
      lastNow(),
      driver.ownMs(),
      ids,
      tasks.map(({ payload }) => payload),
      queue,
      name,
      first.priority,
      first.startWithinMs,
      first.expiresInMs,
      first.timeoutMs,
      first.keepMs,
      first.schemaVersion,
      encodeOptions(first),
      first.policy,
      JSON.stringify([[name, queue, null, 'queued', null, 0, 1, ids]]),
      JSON.stringify([[queue, name, 'queued', ids.length]]),
    ];
    const signals: readonly Signal[] = [{ kind: 'work', queues: [queue] }];
    const handing = attempts.isDue ? handingOver([first, ...tasks.slice(1)]) : null;
    // The one that is claimed last: while it is queued there is something to tell.
    const hint = hints.take(signals, handing === null ? null : (ids.toSorted().at(-1) ?? null));
    // Where hundreds come in a second nobody is idle.
    const one: WholeStatement =
      handing === null || hint === null
        ? { statement: store, values }
        : { statement: storeHandingOver, values: [...values, ...handing] };
    const rows = await driver.writeWhole([one], { behind: hint });
    const [now, handed] = rows?.[0]?.[0] ?? [];
    if (typeof now !== 'number') return null;
    clock(now, now);
    const answer = ids.map((taskId) => ({ outcome: 'created', taskId, state: 'queued' }) as const);
    if (handed === 1) {
      hints.untake();
      return { answer, signals: [], untold: [] };
    }
    if (handed === 0) attempts.missed();
    return { answer, signals, untold: hint === null ? signals : [] };
  };
}

/** Whether nothing but a worker is waited for, and nobody else's rows are touched. */
function isPlain(task: NewTask): boolean {
  return (
    task.key === null &&
    task.group === null &&
    task.limits.length === 0 &&
    task.delayMs <= 0 &&
    task.at === null &&
    !isLinked(task)
  );
}

/** Whether two tasks have all in common but id and payload. */
function isLike(task: NewTask, first: NewTask): boolean {
  return (
    task === first ||
    (task.name === first.name &&
      task.queue === first.queue &&
      task.priority === first.priority &&
      task.startWithinMs === first.startWithinMs &&
      task.expiresInMs === first.expiresInMs &&
      task.timeoutMs === first.timeoutMs &&
      task.keepMs === first.keepMs &&
      task.schemaVersion === first.schemaVersion &&
      task.policy === first.policy &&
      encodeOptions(task) === encodeOptions(first))
  );
}

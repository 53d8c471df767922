/** prune: removes what is past its time, a bounded part of it with each call. */

import { limits } from '../../core/limits.ts';
import type { Reason, TaskState } from '../../core/states.ts';
import { meetMissed } from './awaited.ts';
import { fold } from './counts.ts';
import { statement } from './driver.ts';
import { pruneWishes } from './flows.ts';
import { pruneLimits } from './limits.ts';
import { release } from './release.ts';
import { erase } from './remove.ts';
import { pruneRollups } from './rollups.ts';
import { decodeOptions } from './rows.ts';
import { record, type Step } from './step.ts';

/** A process that was silent for this many times `presenceMs` has gone for good. */
const presenceFactor = 3;

/** Inputs: now, limit. A task whose result an unfinished one may still ask for stays. Locks: the rows. */
const prunableTasks = statement<
  [
    id: string,
    queue: string,
    name: string,
    state: TaskState,
    reason: Reason | null,
    attempt: number,
    version: number,
    options: string | null,
  ]
>(
  'prunable_tasks',
  (dialect) => `SELECT id, queue, name, state, reason, attempt, version, options FROM tasks WHERE prune_at <= $1
    AND (SELECT 1 FROM edges JOIN tasks AS child ON child.id ${dialect.keyed('edges.child_id')}
      WHERE edges.parent_id = tasks.id AND child.finished_at IS NULL LIMIT 1) IS NULL
    ORDER BY prune_at LIMIT $2${dialect.skipLocked}`,
);

const pruneKeys = statement('prune_keys', () => 'DELETE FROM keys WHERE held_until <= $1');
const pruneWorkers = statement('prune_workers', () => 'DELETE FROM workers WHERE beat_at <= $1');
/** Inputs: time, limit. Their times grow with their numbers. The last one stays: it carries the store's clock. */
const pruneEvents = statement(
  'prune_events',
  (dialect) => `DELETE FROM events WHERE at <= $1 AND seq
    ${dialect.oneFrom(`SELECT seq FROM events WHERE seq < (${dialect.greatest('seq', 'events')}) ORDER BY seq LIMIT $2`)}`,
);
const pruneMinutes = statement('prune_minutes', () => 'DELETE FROM minutes WHERE at <= $1');
const pruneLatencies = statement('prune_latencies', () => 'DELETE FROM latencies WHERE at <= $1');
const pruneSamples = statement('prune_samples', () => 'DELETE FROM samples WHERE at <= $1');

export async function prune(step: Step, limit: number): Promise<number> {
  const { tx, now } = step;
  const pruned = await pruneTasks(step, limit);
  await tx.query(pruneKeys, now);
  await meetMissed(step, limits.batchMax);
  await release(step);
  await pruneLimits(step);
  await pruneWishes(step);
  await tx.query(pruneWorkers, now - presenceFactor * limits.presenceMs);
  await pruneKept(step);
  return pruned;
}

/** The finished tasks past their retention, at most `limit` of them. Answers how many. */
export async function pruneTasks(step: Step, limit: number): Promise<number> {
  const rows = await step.tx.query(prunableTasks, step.now, Math.min(limit, limits.batchMax));
  for (const [id, queue, name, state, reason, attempt, version] of rows) {
    record(step, 'prune', { id, queue, name }, { state, reason, attempt }, null, version + 1);
  }
  await erase(
    step,
    rows.map((row) => ({ id: row[0], flowId: decodeOptions(row[7]).flowId })),
  );
  return rows.length;
}

/** What is kept of the time before: events, minutes and their sums, latencies, samples. */
export async function pruneKept({ tx, now }: Step): Promise<void> {
  await tx.query(pruneEvents, now - limits.eventsKeepMs, limits.batchMax);
  await tx.query(pruneMinutes, now - limits.minutesKeepMs);
  await pruneRollups({ tx, now });
  await tx.query(pruneLatencies, now - limits.latenciesKeepMs);
  await tx.query(pruneSamples, now - limits.minutesKeepMs);
  // Processes that make few steps never fold by themselves; this is the tick that always comes.
  await fold(tx);
}

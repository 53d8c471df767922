/** A look behind the seam of a store of SQL: the same for both. */

import { readCounts } from '../../src/broker/sql/counts.ts';
import { type SqlDriver, type SqlTransaction, statement } from '../../src/broker/sql/driver.ts';
import { readEvents } from '../../src/broker/sql/events.ts';
import { readRemains } from '../../src/broker/sql/record.ts';
import type { EdgeState } from '../../src/core/dependencies.ts';
import type { Contents, StoreUnderTest } from './store.ts';

const taskIds = statement<[id: string]>('all_task_ids', () => 'SELECT id FROM tasks');
const keys = statement<[key: string, taskId: string, until: number | null]>(
  'all_keys',
  () => 'SELECT key, task_id, held_until FROM keys',
);
const slots = statement<[name: string, taskId: string]>('all_slots', () => 'SELECT name, task_id FROM slots');
const turns = statement<[queue: string, group: string | null, ahead: number, since: number, standing: number]>(
  'all_turns',
  () => `SELECT rounds.queue, grp, turns.turn - rounds.turn, since, standing FROM turns JOIN rounds ON rounds.queue = turns.queue
    UNION ALL SELECT queue, NULL, plain_turn - turn, plain_since, 0 FROM rounds`,
);
const edges = statement<[parentId: string, childId: string, state: EdgeState]>(
  'all_edges',
  () => 'SELECT parent_id, child_id, state FROM edges',
);
const cancelledFlows = statement<[flowId: string]>('all_cancelled_flows', () => 'SELECT flow_id FROM flows');
const settings = statement<
  [
    name: string,
    max: number | null,
    count: number | null,
    perMs: number | null,
    pausedAt: number | null,
    pausedBy: string | null,
    reason: string | null,
  ]
>('all_limits', () => 'SELECT name, max, rate_count, rate_per_ms, paused_at, paused_by, pause_reason FROM limits');

/** `look` gives a connection of its own, opened. */
export function lookWith(look: () => Promise<SqlDriver>): Pick<StoreUnderTest, 'contents' | 'events' | 'record'> {
  return {
    contents: async () => (await look()).read(readContents),
    events: async () => (await look()).read((tx) => readEvents(tx, 0, 100_000)),
    record: async (taskId) =>
      (await look()).read(async (tx) => {
        const { attempts, logs } = await readRemains(tx, taskId);
        return { attempts, logs };
      }),
  };
}

async function readContents(tx: SqlTransaction): Promise<Contents> {
  return {
    taskIds: (await tx.query(taskIds)).map(([id]) => id),
    keys: (await tx.query(keys)).map(([key, taskId, until]) => ({ key, taskId, until })),
    counts: await readCounts(tx),
    slots: (await tx.query(slots)).map(([name, taskId]) => ({ name, taskId })),
    turns: (await tx.query(turns)).map(([queue, group, ahead, since, standing]) => ({
      queue,
      group,
      ahead,
      since,
      waits: standing === 0,
    })),
    edges: (await tx.query(edges)).map(([parentId, childId, state]) => ({ parentId, childId, state })),
    cancelledFlows: (await tx.query(cancelledFlows)).map(([flowId]) => flowId),
    limits: (await tx.query(settings)).map(([name, max, count, perMs, at, by, reason]) => ({
      name,
      settings: {
        max,
        rate: count === null || perMs === null ? null : { count, perMs },
        ...(at !== null && { pause: { at, by: by ?? '', reason } }),
      },
    })),
  };
}

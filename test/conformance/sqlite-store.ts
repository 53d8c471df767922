/** The SQLite store as a store under test: a file of its own, and a second look at it through another connection. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readCounts } from '../../src/broker/sql/counts.ts';
import { statement } from '../../src/broker/sql/driver.ts';
import { readEvents } from '../../src/broker/sql/events.ts';
import { readAttempts, readLogs } from '../../src/broker/sql/record.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { createSqliteBroker } from '../../src/broker/sqlite/store.ts';
import type { EdgeState } from '../../src/core/dependencies.ts';
import { systemClock } from '../../src/core/time.ts';
import type { CreateStore } from './store.ts';

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

/** In memory where the system has such a place: on a disk four fifths of the suite's time is spent waiting for it. */
const root = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export const createSqliteStore: CreateStore = async ({ now, chance }) => {
  const folder = mkdtempSync(join(root, 'taskflow-conformance-'));
  const file = join(folder, 'store.db');
  const driver = createSqliteDriver({ file, now, chance, clock: systemClock });
  let looked = false;
  const look = async () => {
    if (!looked) await driver.open();
    looked = true;
    return driver;
  };
  return {
    connect: async () => {
      const broker = createSqliteBroker({ file, now, chance });
      await broker.open();
      return broker;
    },
    contents: async () =>
      (await look()).read(async (tx) => ({
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
      })),
    events: async () => (await look()).read((tx) => readEvents(tx, 0, 100_000)),
    record: async (taskId) =>
      (await look()).read(async (tx) => ({
        attempts: await readAttempts(tx, taskId),
        logs: await readLogs(tx, taskId),
      })),
    begin: async () => {
      const tx = new DatabaseSync(file);
      tx.exec('BEGIN IMMEDIATE');
      const end = async (how: string) => {
        tx.exec(how);
        tx.close();
      };
      return { tx, isAlone: true, commit: () => end('COMMIT'), rollback: () => end('ROLLBACK') };
    },
    dispose: async () => {
      driver.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

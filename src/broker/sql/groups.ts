/** What is configured for groups, and where one stands among the others of its queue. */

import type { Pause } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import type { GroupRecord, Settings } from '../broker.ts';
import { type SqlTransaction, statement } from './driver.ts';
import { pauseOfRow } from './limits.ts';
import type { Step } from './step.ts';

type GroupRow = [
  name: string,
  weight: number | null,
  pausedAt: number | null,
  pausedBy: string | null,
  pauseReason: string | null,
];

/** Input: name. */
const knownGroup = statement<GroupRow>(
  'known_group',
  () => 'SELECT name, weight, paused_at, paused_by, pause_reason FROM groups WHERE name = $1',
);

/** Inputs: name, weight, when it was paused, by whom, why. Locks: the row. */
const setGroup = statement(
  'set_group',
  () => `INSERT INTO groups (name, weight, paused_at, paused_by, pause_reason) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (name) DO UPDATE SET weight = excluded.weight, paused_at = excluded.paused_at, paused_by = excluded.paused_by,
      pause_reason = excluded.pause_reason`,
);

/** Input: name. */
const dropGroup = statement('drop_group', () => 'DELETE FROM groups WHERE name = $1');

/** Inputs: group, how it stands in its queues, how it has stood. One look-up a queue with groups. */
const standGroup = statement(
  'stand_group',
  () => 'UPDATE turns SET standing = $2 WHERE grp = $1 AND standing = $3 AND queue IN (SELECT queue FROM rounds)',
);

/** A group with neither weight nor pause leaves nothing behind. */
export async function configureGroup(step: Step, name: string, { pause, weight }: Settings): Promise<void> {
  const { tx, now } = step;
  const [row] = await tx.query(knownGroup, name);
  const known = row === undefined ? null : recordOf(row);
  const nextPause: Pause | null =
    pause === undefined ? (known?.pause ?? null) : pause && { by: pause.by, reason: pause.reason, at: now };
  const nextWeight = weight === undefined ? (known?.weight ?? null) : weight;
  if (nextPause === null && nextWeight === null) await tx.query(dropGroup, name);
  else
    await tx.query(setGroup, name, nextWeight, nextPause?.at ?? null, nextPause?.by ?? null, nextPause?.reason ?? null);
  const wasPaused = known !== null && known.pause !== null;
  if (wasPaused === (nextPause !== null)) return;
  await tx.query(standGroup, name, wasPaused ? 0 : 1, wasPaused ? 1 : 0);
  if (wasPaused) step.freed.add(name);
}

function recordOf([name, weight, at, by, reason]: Readonly<GroupRow>): GroupRecord {
  return { name, weight, pause: pauseOfRow(at, by, reason) };
}

/** Inputs: name, limit. */
const groupsFrom = statement<GroupRow>(
  'groups_from',
  () => 'SELECT name, weight, paused_at, paused_by, pause_reason FROM groups WHERE name >= $1 ORDER BY name LIMIT $2',
);

export async function getGroups(
  tx: SqlTransaction,
  from: string | null,
  limit: number,
): Promise<readonly GroupRecord[]> {
  return (await tx.query(groupsFrom, from ?? '', Math.min(limit, limits.pageMax))).map(recordOf);
}

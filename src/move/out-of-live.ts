/**
 * Out of a live store into the database of its record, which becomes a store of its own: the history is there already. Killed at any
 * step it goes on, as long as nothing has happened in the live store since: how far it has come is stored with the tasks. Whoever uses
 * the record of a live store gives such a move up.
 */

import { checkStatus, migrationStatus } from '../broker/sql/migrate.ts';
import { readMeta, writeMeta } from '../broker/sql/move.ts';
import { movePause } from '../broker/sql/moved-tables.ts';
import { clearForLife, endRecord, readKeyed, revive, reviveKeys } from '../broker/sql/record-form.ts';
import { movePlace, type Place, readPlace } from '../broker/sql/record-place.ts';
import { settingsOf } from '../broker/sql/settings-of.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Relay } from '../core/relay.ts';
import { isFinished } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import { withoutRemovedParents } from '../engine/removed-parents.ts';
import { startFollower } from './follower.ts';
import {
  compare,
  type LiveMoveOptions,
  type MoveReport,
  moveSettings,
  partsBySize,
  refuseLivingIn,
  tasksAtOnce,
  waitingIn,
} from './live-move.ts';

export interface OutOfLiveOptions extends LiveMoveOptions {
  readonly relay: Relay;
}

/** Says what would be moved, and changes nothing. Throws like {@link moveOutOfLive}. */
export async function planOutOfLive(options: OutOfLiveOptions): Promise<MoveReport> {
  if (await isMoved(options)) return { status: 'already', paused: [], rows: {}, checksum: null };
  await refuseSetAside(options.relay);
  const tasks = waitingIn(await options.live.getQueues());
  return { status: 'planned', paused: [], rows: { tasks }, checksum: null };
}

/** Throws STORE_IN_USE, RECORD_ELSEWHERE, RELAY_NOT_EMPTY and MOVE_INCOMPLETE. */
export async function moveOutOfLive(options: OutOfLiveOptions): Promise<MoveReport> {
  const { driver, live } = options;
  if (await isMoved(options)) return { status: 'already', paused: [], rows: {}, checksum: null };
  const { incarnation } = await live.info();
  const { paused, seq } = await standStill(options);
  const place = await reviveAll(options, await begin(options, incarnation, seq));
  const sql = settingsOf(driver);
  const settings = await moveSettings(live, sql);
  const { rows, checksum } = await compare(options, { from: live, to: sql });
  await driver.transaction(async (tx) => {
    await movePlace(tx, place, place);
    await endRecord(driver, tx);
    await tx.query(writeMeta, done, incarnation);
    if ((await live.outbox.state()).lastSeq !== seq)
      throw taskFlowError('STORE_IN_USE', { workers: 'something has written to it during the move' });
  });
  return { status: 'moved', paused, rows: { tasks: rows, ...settings }, checksum };
}

const done = 'move.home.done';

/** Whether it was moved before. Throws what refuses it. */
async function isMoved({ driver, live, recording, force }: OutOfLiveOptions): Promise<boolean> {
  const status = await migrationStatus(driver);
  if (status.applied.length === 0) throw recordsOther(null);
  checkStatus(status);
  const { incarnation } = await live.info();
  const cursor = await recording.cursor();
  const [home] = await driver.readOne(readMeta, done);
  if (cursor.incarnation === null && home?.[0] === incarnation) return true;
  if (cursor.incarnation !== incarnation) throw recordsOther(cursor.incarnation);
  if (!force) await refuseLivingIn(live, 'the source');
  return false;
}

function recordsOther(recorded: string | null): Error {
  const problem = recorded === null ? 'the target records none' : 'the target records another one';
  const hint =
    'Move into its record, the store that its servers have. Was Redis wiped? A server with both brings back what the record knows.';
  return taskFlowError('RECORD_ELSEWHERE', { problem }, { hint });
}

async function refuseSetAside(relay: Relay): Promise<void> {
  const { setAside } = await relay.status();
  if (setAside > 0) throw taskFlowError('RELAY_NOT_EMPTY', { count: setAside });
}

/** Nothing new is started, what committed transactions have left is in, and the record has all of it: up to which event. */
async function standStill(options: OutOfLiveOptions) {
  await refuseSetAside(options.relay);
  await pauseLive(options);
  const follower = startFollower(options);
  try {
    do await follower.caughtUp();
    while ((await options.relay.push()) === 'full');
    await refuseSetAside(options.relay);
    const paused = await pauseLive(options);
    const seq = await follower.caughtUp();
    await refuseUnrecorded(options);
    return { paused, seq };
  } finally {
    await follower.stop();
  }
}

/** What waits and is not in the record would not be moved. Throws MOVE_INCOMPLETE. */
async function refuseUnrecorded({ live, recording }: OutOfLiveOptions): Promise<void> {
  const aside = await recording.unrecorded(limits.batchMax);
  const tasks = await live.getTasks(aside.map(({ taskId }) => taskId));
  const index = tasks.findIndex((task) => task !== null && !isFinished(task.state));
  const one = aside[index];
  if (one === undefined) return;
  const hint = `The database of the record refuses it: ${one.problem}. Cancel that task, and move again.`;
  throw taskFlowError('MOVE_INCOMPLETE', { table: `task ${one.taskId}`, source: 1, target: 0 }, { hint });
}

/** Who works with it all the same hears of the pause. */
async function pauseLive({ live }: OutOfLiveOptions): Promise<readonly string[]> {
  const queues = await live.getQueues();
  for (const { name, pause } of queues)
    if (pause === null) await live.configure('queue', name, { pause: { by: movePause, reason: 'the store is moved' } });
  return queues.filter(({ pause }) => pause === null || pause.by === movePause).map(({ name }) => name);
}

/** Where an earlier move of the same has come to, or the beginning. */
async function begin({ driver }: OutOfLiveOptions, incarnation: string, seq: number): Promise<Place> {
  return await driver.transaction(async (tx) => {
    const known = await readPlace(tx);
    if (known?.incarnation === incarnation && known.seq === seq) return known;
    const place: Place = { incarnation, seq, part: 'tasks', after: '' };
    await clearForLife(driver, tx);
    await movePlace(tx, known, place);
    return place;
  });
}

/** Answers the last place. */
async function reviveAll(options: OutOfLiveOptions, begun: Place): Promise<Place> {
  const { driver, live, recording, chance, onProgress } = options;
  let place = begun;
  for (let after = place.after; place.part === 'tasks'; ) {
    const ids = (await recording.unfinished(after, tasksAtOnce)).map(({ id }) => id);
    const found = (await live.getTasks(ids)).filter((task): task is Task => task !== null);
    const tasks = await withoutRemovedParents(found, recording);
    for (const part of partsBySize(tasks, ({ payload }) => payload)) {
      const next = { ...place, after: part.at(-1)?.id ?? after };
      await driver.transaction(async (tx) => {
        await revive(tx, part, chance);
        await movePlace(tx, place, next);
      });
      place = next;
      onProgress?.('move', 'tasks', part.length);
    }
    after = ids.at(-1) ?? '';
    if (after === '') break;
  }
  return await reviveKept(options, place);
}

async function reviveKept({ driver }: OutOfLiveOptions, begun: Place): Promise<Place> {
  for (let place = begun; ; ) {
    const page = await readKeyed(driver, place.part === 'keys' ? place.after : '', tasksAtOnce);
    const last = page.at(-1)?.id;
    if (last === undefined) return place;
    const next: Place = { ...place, part: 'keys', after: last };
    await driver.transaction(async (tx) => {
      await reviveKeys(tx, page);
      await movePlace(tx, place, next);
    });
    place = next;
  }
}

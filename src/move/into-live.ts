/**
 * Out of a database into a live store in none. The history stays where it is: the database becomes the record of the live store,
 * in one transaction at the end. Killed before that it is a store as it was, and the move is begun again: what is there is left alone.
 */

import { checkStatus, migrationStatus } from '../broker/sql/migrate.ts';
import { pauseAll, readMeta, refuseLiving, writeMeta } from '../broker/sql/move.ts';
import { readLastSeq } from '../broker/sql/notice.ts';
import { becomeRecord, readKeyed, readUnfinished } from '../broker/sql/record-form.ts';
import { settingsOf } from '../broker/sql/settings-of.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Task } from '../core/task.ts';
import { bringBack } from '../engine/bring-back.ts';
import { createSettingsBook } from '../engine/recorded-settings.ts';
import { withoutRemovedParents } from '../engine/removed-parents.ts';
import { storeSettings } from '../history/recording/settings.ts';
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

/** Says what would be moved, and changes nothing. Throws like {@link moveIntoLive}. */
export async function planIntoLive(options: LiveMoveOptions): Promise<MoveReport> {
  if (await isMoved(options)) return { status: 'already', paused: [], rows: {}, checksum: null };
  const tasks = waitingIn(await settingsOf(options.driver).getQueues());
  return { status: 'planned', paused: [], rows: { tasks }, checksum: null };
}

/** Throws STORE_IN_USE, STORE_NOT_EMPTY, RECORD_ELSEWHERE and MOVE_INCOMPLETE. */
export async function moveIntoLive(given: LiveMoveOptions): Promise<MoveReport> {
  const { driver, live } = given;
  if (await isMoved(given)) return { status: 'already', paused: [], rows: {}, checksum: null };
  const unfinished = (after: string | null, limit: number) => readUnfinished(driver, after, limit);
  const options = { ...given, recording: { ...given.recording, unfinished } };
  const sql = settingsOf(driver);
  const { incarnation } = await live.info();
  await driver.writeOne(writeMeta, begun, incarnation);
  const paused = await pauseAll(driver);
  const lastEvent = await driver.read(readLastSeq);
  await restoreAll(options, incarnation);
  const settings = await moveSettings(sql, live);
  const { lastSeq } = await live.outbox.state();
  const { rows, checksum } = await compare(options, { from: sql, to: live });
  // A live store that is wiped before anybody has recorded it gets its tasks back: what was paused must not run then.
  const kept = await createSettingsBook(live, options.recording).changes('configure');
  await driver.transaction(async (tx) => {
    if (kept !== null) await storeSettings(tx, kept);
    // What the live store had of events is in the record already, and what comes now is behind them.
    await becomeRecord(driver, tx, { incarnation, seq: lastSeq });
    if ((await readLastSeq(tx)) !== lastEvent || (await live.info()).incarnation !== incarnation)
      throw taskFlowError('STORE_IN_USE', { workers: 'something has written to it during the move' });
  });
  return { status: 'moved', paused, rows: { tasks: rows, ...settings }, checksum };
}

const begun = 'move.into';

/** Whether this very move was done before. Throws what refuses it. */
async function isMoved({ driver, live, recording, force }: LiveMoveOptions): Promise<boolean> {
  checkStatus(await migrationStatus(driver));
  const { incarnation } = await live.info();
  const cursor = await recording.cursor();
  if (cursor.incarnation === incarnation) return true;
  if (cursor.incarnation !== null)
    throw taskFlowError(
      'RECORD_ELSEWHERE',
      { problem: 'the source is the record of another one, and no store itself' },
      { hint: 'Move that one into its record first: taskflow db move --from redis://… --to <this source>' },
    );
  if (!force) {
    await refuseLiving(driver);
    await refuseLivingIn(live, 'the target');
  }
  const [began] = await driver.readOne(readMeta, begun);
  if (began?.[0] !== incarnation) await refuseFull(live);
  return false;
}

/** Throws STORE_NOT_EMPTY. */
async function refuseFull(live: LiveMoveOptions['live']): Promise<void> {
  const [queue] = await live.getQueues();
  if (queue !== undefined) throw taskFlowError('STORE_NOT_EMPTY', { found: `the queue ${queue.name}` });
  const [schedule] = await live.schedules.list(null, 1);
  if (schedule !== undefined) throw taskFlowError('STORE_NOT_EMPTY', { found: `the schedule ${schedule.name}` });
  // Whoever recorded it has what is missing here.
  const { lastSeq } = await live.outbox.state();
  if (lastSeq > 0) throw taskFlowError('STORE_NOT_EMPTY', { found: `${lastSeq} events` });
}

async function restoreAll(options: LiveMoveOptions, incarnation: string): Promise<void> {
  const { live, recording, onProgress } = options;
  const restore = async (tasks: readonly Task[]): Promise<number> => {
    // Nobody records what is recorded: without this an outbox would be full after its first million.
    await live.outbox.trim(Number.MAX_SAFE_INTEGER, incarnation);
    const count = await live.restore(await withoutRemovedParents(tasks, recording));
    onProgress?.('move', 'tasks', tasks.length);
    return count;
  };
  await bringBack({ ...live, restore }, recording);
  await restoreKeyed(options, restore);
}

/** A success may keep its key for a time: then it has to be there. */
async function restoreKeyed(
  { driver, clock }: LiveMoveOptions,
  restore: (tasks: readonly Task[]) => Promise<number>,
): Promise<void> {
  for (let after = ''; ; ) {
    const page = await readKeyed(driver, after, tasksAtOnce);
    const keeping = page.filter(({ finishedAt, keyForMs }) => (finishedAt ?? 0) + (keyForMs ?? 0) > clock.now());
    for (const part of partsBySize(keeping, ({ payload }) => payload)) await restore(part);
    after = page.at(-1)?.id ?? '';
    if (after === '') return;
  }
}

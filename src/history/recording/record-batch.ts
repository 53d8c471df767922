/** Stores a batch in one transaction, without the tasks that the database refuses for what is in them. */

import { insertTimeline } from '../../broker/sql/attempts.ts';
import type { CountDelta } from '../../broker/sql/changes.ts';
import type { SqlDriver, SqlRow, SqlTransaction } from '../../broker/sql/driver.ts';
import { appendDelta, appendEvents } from '../../broker/sql/step.ts';
import { limits } from '../../core/limits.ts';
import { isFinished } from '../../core/states.ts';
import { onNextTurn } from '../../core/time.ts';
import type { RecordBatch } from '../recording.ts';
import { advance } from './cursor.ts';
import { type Bodies, groupsOf, type Minutes, minutesOf, notesOf } from './happened.ts';
import { countsOf, type Lives, livesOf, type Recorded, type Written } from './lives.ts';
import {
  addRows,
  createPartRows,
  endRecorded,
  eraseRecorded,
  type PartRows,
  readBeside,
  readRecorded,
  writeRows,
} from './rows.ts';
import { storeSettings } from './settings.ts';
import { findRefused, type SetAside, settleAside } from './unrecorded.ts';

/** What one statement writes at most of a batch: bounds its values in memory. Payloads and results are nearly all of a task. */
const partBytesMax = limits.batchBytesMax;

/** Whom a statement that failed was about, and the rows that went before it. */
interface Trouble {
  suspects: readonly Written[];
  erased: readonly Recorded[];
}

/** `false`, and nothing stored, when the cursor is not where the batch begins. */
export async function recordBatch(driver: SqlDriver, batch: RecordBatch): Promise<boolean> {
  const aside = new Map<string, SetAside>();
  for (;;) {
    const trouble: Trouble = { suspects: [], erased: [] };
    try {
      return await driver.transaction((tx) => store(tx, batch, aside, trouble));
    } catch (error) {
      if (error === leftOut) continue;
      if (!driver.isRefusal(error)) throw error;
      const { suspects, erased } = trouble;
      const refused = await findRefused(suspects, (some) => attempt(driver, batch, some, erased));
      // What is refused is no task, or is not refused any more: it is not for us to leave out.
      if (refused.size === 0) throw error;
      for (const [taskId, problem] of refused) aside.set(taskId, { seq: batch.upTo, problem });
    }
  }
}

/** A task was set aside of which no row could be made: the batch begins anew without it. */
const leftOut = new Error('A task was left out');
const undone = new Error('What was tried is undone');

/** Writes these alone and undoes it; answers what the database says against it. */
async function attempt(
  driver: SqlDriver,
  batch: RecordBatch,
  some: readonly Written[],
  erased: readonly Recorded[],
): Promise<string | null> {
  const taskIds = new Set(some.map(({ body }) => body.task.id));
  try {
    await driver.transaction(async (tx) => {
      // Another recorder was here: what was read of the rows is old, and the batch is not ours any more.
      if (!(await advance(tx, batch))) return;
      const former = erased.filter(({ id }) => taskIds.has(id));
      await eraseRecorded(tx, former);
      await storeBodies(tx, some, batch.upTo, new Map(), { suspects: [], erased });
      throw undone;
    });
    return null;
  } catch (error) {
    if (error === undone) return null;
    if (driver.isRefusal(error)) return error instanceof Error ? error.message : String(error);
    throw error;
  }
}

async function store(
  tx: SqlTransaction,
  batch: RecordBatch,
  aside: Map<string, SetAside>,
  trouble: Trouble,
): Promise<boolean> {
  const { upTo, events } = batch;
  if (!(await advance(tx, batch))) return false;
  const bodies: Bodies = new Map(batch.bodies.map((body) => [body.task.id, body]));
  const named = namedBy(events, bodies);
  const recorded = await readRecorded(tx, named);
  const wanted = [...bodies.values()].filter(({ task }) => !aside.has(task.id));
  const lives = livesOf(events, wanted, recorded);
  trouble.erased = lives.erased;
  await eraseRecorded(tx, lives.erased);
  await storeBodies(tx, lives.written, upTo, aside, trouble);
  await endRecorded(tx, lives.ended);
  await storeHappened(tx, batch, bodies, remaining(recorded, lives));
  await storeDeltas(tx, events.at(-1)?.at ?? 0, countsOf(lives), minutesOf(events, bodies, recorded));
  if (batch.settings !== undefined) await storeSettings(tx, batch.settings);
  await settleAside(tx, aside, named);
  return true;
}

/** The tasks whose rows may change: those that were read, those that were removed, and those that ended and are gone. */
function namedBy(events: RecordBatch['events'], bodies: Bodies): readonly string[] {
  const named = new Set(bodies.keys());
  for (const { kind, items } of events) {
    for (const { taskId, to } of items) if (kind === 'remove' || (to !== null && isFinished(to))) named.add(taskId);
  }
  return [...named];
}

async function storeBodies(
  tx: SqlTransaction,
  written: readonly Written[],
  upTo: number,
  aside: Map<string, SetAside>,
  trouble: Trouble,
): Promise<void> {
  const beside = await readBeside(tx, written);
  const before = aside.size;
  const sent: { readonly write: Promise<unknown>; readonly part: readonly Written[] }[] = [];
  let isRefused = false;
  for (const part of partsOf(written)) {
    if (isRefused) break;
    const rows = createPartRows();
    for (const one of part) {
      const problem = rowsProblem(rows, one, beside);
      if (problem !== null) aside.set(one.body.task.id, { seq: upTo, problem });
    }
    for (const send of aside.size === before ? writeRows(tx, rows) : []) {
      if (isRefused) break;
      const write = send();
      sent.push({ write, part });
      write.catch(() => {
        isRefused = true;
      });
      // What is refused at once is heard before the next is sent.
      await null;
    }
    // SQLite has written them by now: everybody else in this process gets a turn, who reads the next batch too.
    await nextTurn();
  }
  if (aside.size > before) throw leftOut;
  for (const { write, part } of sent) {
    trouble.suspects = part;
    await write;
  }
  trouble.suspects = [];
}

function nextTurn(): Promise<void> {
  return new Promise(onNextTurn);
}

/** A task that is none, as something wrote it into the live store, must not stop the others. */
function rowsProblem(rows: PartRows, written: Written, beside: Parameters<typeof addRows>[2]): string | null {
  try {
    addRows(rows, written, beside);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function* partsOf(written: readonly Written[]): Generator<readonly Written[]> {
  let part: Written[] = [];
  let bytes = 0;
  for (const one of written) {
    const { payload, result } = one.body.task;
    const size = (payload?.length ?? 0) + (result?.length ?? 0);
    if (part.length > 0 && (part.length === limits.batchMax || bytes + size > partBytesMax)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(one);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

/** Which of the tasks named are in the record now. */
function remaining(recorded: ReadonlyMap<string, Recorded>, { erased, written }: Lives): ReadonlySet<string> {
  const ids = new Set(recorded.keys());
  for (const { id } of erased) ids.delete(id);
  for (const { body } of written) ids.add(body.task.id);
  return ids;
}

/** The prunes of the live store are none of the record. */
async function storeHappened(
  tx: SqlTransaction,
  { events }: RecordBatch,
  bodies: Bodies,
  there: ReadonlySet<string>,
): Promise<void> {
  const notes = notesOf(events, bodies).filter(({ taskId }) => there.has(taskId));
  if (notes.length > 0)
    await tx.each(
      insertTimeline,
      notes.map(({ taskId, at, kind, text }) => [taskId, at, kind, text]),
    );
  const kept = events.filter(({ kind }) => kind !== 'prune');
  if (kept.length === 0) return;
  tx.holdEvents();
  await tx.each(
    appendEvents,
    kept.map(({ at, kind, items }): SqlRow => [at, kind, JSON.stringify(groupsOf(items))]),
  );
}

/** A row for each minute: what is folded later goes by their times. */
async function storeDeltas(
  tx: SqlTransaction,
  at: number,
  counts: readonly CountDelta[],
  minutes: Minutes,
): Promise<void> {
  if (counts.length > 0) await tx.query(appendDelta, at, JSON.stringify(counts), null);
  for (const [start, deltas] of minutes) await tx.query(appendDelta, start, '[]', JSON.stringify(deltas));
}

/** Stores a batch in one transaction, without the tasks that the database refuses for what is in them. */

import type { TaskBody } from '../../broker/broker.ts';
import { insertTimeline } from '../../broker/sql/attempts.ts';
import type { CountDelta } from '../../broker/sql/changes.ts';
import type { SqlDriver, SqlRow, SqlTransaction } from '../../broker/sql/driver.ts';
import { appendDelta, appendEvents } from '../../broker/sql/step.ts';
import { heard } from '../../core/heard.ts';
import { limits } from '../../core/limits.ts';
import type { Standing } from '../../core/standing.ts';
import { type Tellings, tellingsOf } from '../../core/tellings.ts';
import { onNextTurn } from '../../core/time.ts';
import type { HandedOn, Known, RecordBatch, Recording } from '../recording.ts';
import { advance } from './cursor.ts';
import { type Bodies, groupsOf, type Minutes, minutesOf, notesOf, type RowOf } from './happened.ts';
import { countsOf, type Lives, livesOf, type Recorded, type Written } from './lives.ts';
import { crowdsOf, isMovedOn, movedOf, moveRows, unexpected } from './moved.ts';
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
import { findRefused, hasAside, type SetAside, settleAside } from './unrecorded.ts';

/** What one statement writes at most of a batch: bounds its values in memory. Payloads and results are nearly all of a task. */
const partBytesMax = limits.batchBytesMax;

/** Whom a statement that failed was about, and the rows that went before it. */
interface Trouble {
  suspects: readonly Written[];
  erased: readonly Recorded[];
}

/**
 * `false`, and nothing stored, when the cursor is not where the batch begins. What the events tell of most tasks is believed: their rows are
 * not read. Where it is not so, or one of them is refused, the batch is stored anew with a look at each.
 */
export async function recordBatch(driver: SqlDriver, batch: RecordBatch): ReturnType<Recording['record']> {
  const aside = new Map<string, SetAside>();
  let isBelieved = true;
  for (;;) {
    const trouble: Trouble = { suspects: [], erased: [] };
    try {
      return await driver.transaction((tx) => store(tx, batch, { aside, trouble, isBelieved }));
    } catch (error) {
      if (error === leftOut) continue;
      if (isBelieved && (error === unexpected || driver.isRefusal(error))) {
        if (batch.handedOn !== undefined && batch.handedOn.length > 0) return 'not as told';
        isBelieved = false;
        continue;
      }
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

interface Trial {
  readonly aside: Map<string, SetAside>;
  readonly trouble: Trouble;
  readonly isBelieved: boolean;
}

async function store(tx: SqlTransaction, batch: RecordBatch, { aside, trouble, isBelieved }: Trial): Promise<boolean> {
  const { upTo, events, bodies, handedOn = [] } = batch;
  if (!(await advance(tx, batch))) return false;
  const isAside = await hasAside(tx);
  // What was set aside is not as far as the recorder knows.
  const isKnown = isBelieved && !isAside;
  const known = isKnown && batch.known !== undefined ? batch.known : nobody;
  const told = isKnown && batch.told !== undefined ? batch.told : tellingsOf(events, known);
  const byId = createBodies(bodies);
  const sorted = sortBodies(bodies, isBelieved ? told : new Map());
  const { fresh, moved, others } = sorted;
  const standings = standingsOf(handedOn);
  const named = namedBy(told, { ...sorted, byId, standings, known });
  const recorded = await readRecorded(tx, named);
  const wanted = (some: readonly TaskBody[]) =>
    aside.size === 0 ? some : some.filter(({ task }) => !aside.has(task.id));
  const lives = livesOf(named.length === 0 ? [] : events, wanted(others), recorded);
  trouble.erased = lives.erased;
  await eraseRecorded(tx, lives.erased);
  const written = [...lives.written, ...wanted(fresh).map((body): Written => ({ body, before: null }))];
  const crowds = crowdsOf([...handedOn, ...wanted(moved).map(handOn)], told);
  await storeBodies(tx, written, upTo, aside, trouble);
  const moves = crowds.map((crowd) => heard(moveRows(tx, crowd)));
  for (const move of moves) await move;
  await endRecorded(tx, lives.ended);
  const all = { ...lives, written };
  const rowOf: RowOf = (taskId) => standings.get(taskId) ?? recorded.get(taskId) ?? known.get(taskId);
  await storeHappened(tx, batch, byId, () => remaining(recorded, all));
  const counts = countsOf(all, crowds.map(movedOf));
  await storeDeltas(tx, events.at(-1)?.at ?? 0, counts, minutesOf(events, byId, rowOf));
  if (batch.settings !== undefined) await storeSettings(tx, batch.settings);
  const taskIds = () => [...bodies.map(({ task }) => task.id), ...standings.keys(), ...named];
  await settleAside(tx, aside, isAside ? taskIds() : []);
  return true;
}

/** By id; made for the first who asks: where nothing has ended nobody does. */
function createBodies(bodies: readonly TaskBody[]): Bodies {
  let byId: ReadonlyMap<string, TaskBody> | null = null;
  return {
    get(taskId) {
      if (bodies.length === 0) return undefined;
      byId ??= new Map(bodies.map((body) => [body.task.id, body]));
      return byId.get(taskId);
    },
  };
}

function standingsOf(handedOn: readonly HandedOn[]): ReadonlyMap<string, Standing> {
  const standings = new Map<string, Standing>();
  for (const { taskId, standing } of handedOn) standings.set(taskId, standing);
  return standings;
}

/** By how they can be stored: whoever has no row, whoever has one of which the rest stays as it is, and those to be looked at. */
function sortBodies(bodies: readonly TaskBody[], told: Tellings) {
  const sorted = { fresh: [] as TaskBody[], moved: [] as TaskBody[], others: [] as TaskBody[] };
  for (const body of bodies) {
    const of = told.get(body.task.id);
    if (of === undefined) sorted.others.push(body);
    else if (of.isNew) sorted.fresh.push(body);
    else (isMovedOn(body, of) ? sorted.moved : sorted.others).push(body);
  }
  return sorted;
}

interface Sorted {
  readonly fresh: readonly TaskBody[];
  readonly moved: readonly TaskBody[];
  readonly others: readonly TaskBody[];
  readonly byId: Bodies;
  readonly standings: ReadonlyMap<string, Standing>;
  readonly known: ReadonlyMap<string, Known>;
}

/**
 * The tasks whose rows may change in a way that has to be looked at: the others, those that were removed, and those that ended and are gone;
 * and those of whom something is noted, which may be recorded already.
 */
function namedBy(told: Tellings, { fresh, moved, others, byId, standings, known }: Sorted): readonly string[] {
  const named = others.map(({ task }) => task.id);
  // Those are told of: with as many as there are, nobody is gone.
  const isWhole = fresh.length + moved.length + standings.size === told.size;
  told.forEach(({ isOver, isNoted, version }, taskId) => {
    if (isWhole ? !isNoted : !(isOver || isNoted)) return;
    if (standings.has(taskId) || byId.get(taskId) !== undefined) return;
    const row = known.get(taskId);
    if (isNoted || row === undefined || row.version < version) named.push(taskId);
  });
  return named;
}

function handOn({ task }: TaskBody): HandedOn {
  return { taskId: task.id, standing: task, result: task.result };
}

const nobody: ReadonlyMap<string, Known> = new Map();

async function storeBodies(
  tx: SqlTransaction,
  written: readonly Written[],
  upTo: number,
  aside: Map<string, SetAside>,
  trouble: Trouble,
): Promise<void> {
  const beside = await readBeside(tx, written);
  const before = aside.size;
  const sent: { readonly writes: readonly Promise<unknown>[]; readonly part: readonly Written[] }[] = [];
  for (const part of partsOf(written)) {
    const rows = createPartRows();
    for (const one of part) {
      const problem = rowsProblem(rows, one, beside);
      if (problem !== null) aside.set(one.body.task.id, { seq: upTo, problem });
    }
    if (aside.size === before) sent.push({ writes: writeRows(tx, rows).map(heard), part });
    // SQLite has written them by now: everybody else in this process gets a turn, who reads the next batch too.
    await nextTurn();
  }
  if (aside.size > before) throw leftOut;
  for (const { writes, part } of sent) {
    trouble.suspects = part;
    for (const write of writes) await write;
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
  remaining: () => ReadonlySet<string>,
): Promise<void> {
  const told = notesOf(events, bodies);
  const there = told.length > 0 ? remaining() : new Set<string>();
  const notes = told.filter(({ taskId }) => there.has(taskId));
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

/** Follows the live store into the record: events are read, their tasks are read as they stand, both are stored at once. */

import type { Broker, Outbox, TaskBody } from '../broker/broker.ts';
import { taskFlowError } from '../core/errors.ts';
import { type BatchEvent, markOf } from '../core/events.ts';
import { heard } from '../core/heard.ts';
import { limits } from '../core/limits.ts';
import type { Told } from '../core/tellings.ts';
import { sleep } from '../core/time.ts';
import type { Gap, HandedOn, RecordCursor, Recording, RecordPlace, SettingChanges } from '../history/recording.ts';
import { bringBack } from './bring-back.ts';
import { createSettingsBook, type SettingsTarget } from './recorded-settings.ts';
import { createRecorderPace } from './recorder-pace.ts';
import { createService, type Service, type ServiceOptions } from './service.ts';
import { createVersions, type Taken, takeEvents, type Versions } from './taken-events.ts';

export interface RecorderOptions extends Pick<ServiceOptions, 'clock' | 'chance' | 'report'> {
  readonly broker: Pick<Broker, 'info' | 'restore'> & SettingsTarget;
  readonly outbox: Outbox;
  readonly recording: Recording;
  /** Told when the live store is not what it was: what the record knew has been brought back. */
  readonly onGap?: (gap: Gap) => void;
}

/**
 * Any number of recorders may follow one store into one record: the cursor in the database says who was first. Killed at any step
 * it leaves a batch whole or not begun; what was stored and not trimmed is trimmed by the next.
 */
export function createRecorder(options: RecorderOptions): Service {
  const { broker, outbox, recording, onGap = () => undefined, ...loop } = options;
  /** `null` when it has to be looked up: at the start, after a failure, and when another recorder was here. */
  let cursor: RecordCursor | null = null;
  /** What comes behind the cursor, read while the batch before it was written. */
  let ahead: Promise<Batch | null> | null = null;
  /** Where this recorder left the record: elsewhere another one did, and what is known here of it is old. */
  let left: RecordPlace | null = null;
  let readMax = firstReadMax;
  const pace = createRecorderPace(loop.clock);
  /** What is known of the record. A read that nobody waits for any more goes on with its own, which is forgotten. */
  let memory = createMemory();

  function createMemory() {
    return { versions: createVersions(), book: createSettingsBook(broker, recording), settingsAreRead: false };
  }

  async function begin(): Promise<RecordCursor> {
    const found = await recording.cursor();
    if (left === null || !isAtOnePlace(found, left)) memory = createMemory();
    const [info, { lastSeq, trimmedSeq }, isThere] = await Promise.all([
      broker.info(),
      outbox.state(),
      isStillThere(found),
    ]);
    if (found.incarnation === info.incarnation && found.seq <= lastSeq && isThere) return found;
    // What another recorder trims meanwhile is behind its own cursor.
    if (!isAtOnePlace(found, await recording.cursor())) return begin();
    const start = { incarnation: info.incarnation, seq: trimmedSeq };
    refuseForeign(found, start);
    const gap =
      found.incarnation === null
        ? null
        : { from: found.last?.at ?? null, to: info.now, restored: await bringBack(broker, recording) };
    memory = createMemory();
    if (!(await recording.follow(found, start, gap))) return begin();
    if (gap !== null) onGap(gap);
    return { ...start, last: null };
  }

  /** The time of the live store, when it is the one that was recorded up to there; `null` when it is not. */
  async function timeOfSame(at: RecordCursor): Promise<number | null> {
    const [{ incarnation, now }, isThere] = await Promise.all([broker.info(), isStillThere(at)]);
    return incarnation === at.incarnation && isThere ? now : null;
  }

  /** The last event that was recorded stays in the outbox: without it the store went back behind it, and maybe on from there. */
  async function isStillThere({ seq, last }: RecordCursor): Promise<boolean> {
    if (last === null) return true;
    const [event] = await outbox.read(seq - 1, 1, 0);
    return event?.seq === seq && markOf(event) === last.mark;
  }

  /**
   * What comes behind a place; `null` when that is nothing, or of another store. What is read here is taken for recorded: whoever
   * cannot store it has to forget.
   */
  async function read(at: RecordCursor): Promise<Batch | null> {
    const known = memory;
    const { versions, book } = known;
    const events = await outbox.read(at.seq, readMax, limits.recordWaitMs);
    if (events.length > 0) pace.found();
    const taken = takeEvents(events, versions);
    const sort = settingsIn(taken.events, known.settingsAreRead);
    if (at.incarnation === null || (events.length === 0 && sort === null)) return null;
    // One that was wiped, or went back, may be behind the cursor again, with other events.
    const now = await timeOfSame(at);
    if (now === null) return null;
    const settings = sort === null ? null : await book.changes(sort);
    if (settings !== null) {
      if ((await timeOfSame(at)) === null) return null;
      book.stored(settings);
    }
    known.settingsAreRead ||= sort === 'configure';
    const newest = taken.events.at(-1);
    if (newest === undefined && settings === null) return null;
    const hasMore = taken.events.length < events.length || events.length >= readMax;
    if (newest !== undefined) readMax = nextReadMax(taken);
    const read = await readTasks(taken, versions);
    const to = newest === undefined ? at : { ...at, seq: newest.seq, last: { at: newest.at, mark: markOf(newest) } };
    const behindMs = now - (taken.events[0]?.at ?? now);
    return { ...taken, ...read, at, to, incarnation: at.incarnation, settings, hasMore, behindMs };
  }

  /** Of those that were only handed on how they stand; of all others, and of whom that does not say all, the bodies. */
  async function readTasks({ told }: Taken, versions: Versions): Promise<Read> {
    const [asked, others] = [createWanted(), createWanted()];
    told.forEach((of, taskId) => {
      // What was claimed runs, mostly: how it stands does not say how long.
      if (of.isWanted) add(of.isMoved && of.to !== 'running' ? asked : others, taskId, of);
    });
    const [stands, first] = await Promise.all([readStands(asked), readBodies(others, versions)]);
    const { handedOn, unclear } = stands;
    if (unclear.taskIds.length === 0) return { ...first, handedOn };
    const more = await readBodies(unclear, versions);
    return { bodies: [...first.bodies, ...more.bodies], rest: [...first.rest, ...more.rest], handedOn };
  }

  /** Who stands as the events tell, and who does not. */
  async function readStands({ taskIds, told }: Wanted) {
    const parts = [...partsOf(taskIds)];
    const answers = await Promise.all(parts.map((part) => outbox.stands(part)));
    const [handedOn, unclear]: [HandedOn[], Wanted] = [[], createWanted()];
    for (const [part, found] of answers.entries()) {
      const begin = part * limits.batchMax;
      for (let place = begin; place < begin + (parts[part]?.length ?? 0); place++) {
        const [taskId, of, stand] = [taskIds[place] ?? '', told[place], found[place - begin] ?? null];
        if (of === undefined) continue;
        if (stand !== null && of.version === stand.standing.version)
          handedOn.push({ taskId, standing: stand.standing, result: stand.result });
        else add(unclear, taskId, of);
      }
    }
    return { handedOn, unclear };
  }

  /** All of them at once, where they are small. */
  async function readBodies({ taskIds, told }: Wanted, versions: Versions): Promise<Bodies> {
    const bodies: TaskBody[] = [];
    const rest: string[] = [];
    const parts = [...partsOf(taskIds)];
    const answers = await Promise.all(parts.map((part) => outbox.bodies(part)));
    for (const [index, found] of answers.entries()) {
      const begin = index * limits.batchMax;
      keep(bodies, found, { versions, told: (place) => told[begin + place] });
      rest.push(...(parts[index]?.slice(found.length) ?? []));
    }
    return { bodies, rest };
  }

  /** `false` when another recorder was here. */
  async function record(batch: Batch): Promise<boolean> {
    const answer = await recordRead(batch);
    if (answer !== 'not as told') return answer;
    const taskIds = batch.handedOn.map(({ taskId }) => taskId);
    return (await recordRead({ ...batch, rest: [...batch.rest, ...taskIds], handedOn: [] })) === true;
  }

  async function recordRead({ at, to, incarnation, events, told, known, handedOn, settings, ...read }: Batch) {
    const place = { incarnation, after: at.seq };
    let { bodies, rest } = read;
    while (rest.length > 0) {
      // Too much to be held at once: the rows come first, their events and the cursor with the last of them.
      if (bytesOf(bodies) >= recordBytesMax) {
        if (!(await recording.record({ ...place, upTo: at.seq, events: [], bodies }))) return false;
        bodies = [];
      }
      const part = rest.slice(0, limits.batchMax);
      const found = await outbox.bodies(part);
      keep(bodies, found, { versions: memory.versions, told: (place) => told.get(part[place] ?? '') });
      rest = rest.slice(found.length);
    }
    const batch = { ...place, upTo: to.seq, events, told, bodies, handedOn, known };
    return recording.record(settings === null ? batch : { ...batch, settings });
  }

  /** Lets more come together, and whoever works go first. */
  function pause(signal: AbortSignal): Promise<void> {
    const leftMs = pace.leftMs();
    return leftMs > 0 ? sleep(loop.clock, leftMs, signal) : Promise.resolve();
  }

  async function tick(signal: AbortSignal) {
    const at = cursor ?? (await begin());
    const reading = (cursor !== null && ahead) || pause(signal).then(() => read(at));
    // Whatever fails from here on, the next tick looks where the record is.
    cursor = ahead = left = null;
    const batch = await untilAborted(reading, signal);
    if (batch === null) {
      left = at;
      return 'done' as const;
    }
    const { to, incarnation, hasMore, behindMs } = batch;
    // Far behind, Redis reads while the database writes. Else it is better to wait: more goes with one commit, and more has ended.
    const next = hasMore && behindMs >= limits.recordBehindMs ? heard(read(to)) : null;
    if (!(await record(batch))) return 'full' as const;
    if (batch.events.length > 0) await outbox.trim(to.seq - 1, incarnation);
    pace.stored(batch);
    cursor = left = to;
    ahead = next;
    return 'full' as const;
  }

  return createService({ name: 'recorder', periodMs: limits.recordIdleMs, ...loop, tick });
}

interface Bodies {
  readonly bodies: TaskBody[];
  /** Those of whom there was too much to be read at once. */
  readonly rest: readonly string[];
}

/** The tasks of a batch as they were read. */
interface Read extends Bodies {
  readonly handedOn: readonly HandedOn[];
}

/** What is stored next, from one place to another. */
interface Batch extends Read, Taken {
  readonly at: RecordCursor;
  readonly to: RecordCursor;
  readonly incarnation: string;
  readonly settings: SettingChanges | null;
  readonly hasMore: boolean;
  /** How old the oldest event of it was. */
  readonly behindMs: number;
}

/** Whom to read, and beside each what is told of it. */
interface Wanted {
  readonly taskIds: string[];
  readonly told: Told[];
}

function createWanted(): Wanted {
  return { taskIds: [], told: [] };
}

function add({ taskIds, told }: Wanted, taskId: string, of: Told): void {
  taskIds.push(taskId);
  told.push(of);
}

/** What is recorded of later events, and what these events tell, by the place of what was read. */
interface Recalled {
  readonly versions: Versions;
  readonly told: (place: number) => Told | undefined;
}

/** Of a task that is further than its events here some come that are recorded with it. */
function keep(bodies: TaskBody[], found: readonly (TaskBody | null)[], { versions, told }: Recalled): void {
  for (let place = 0; place < found.length; place++) {
    const body = found[place] ?? null;
    if (body === null) continue;
    bodies.push(body);
    const { id, version } = body.task;
    // Less than was recorded is another life of its id, whose versions begin anew.
    if (version > (told(place)?.version ?? 0) || version < (versions.of(id)?.version ?? 0)) versions.add(body.task);
  }
}

/** Which settings these events may have changed. */
function settingsIn(events: readonly BatchEvent[], areRead: boolean): 'configure' | 'fire' | null {
  if (!areRead || events.some(({ kind }) => kind === 'configure')) return 'configure';
  return events.some(({ kind }) => kind === 'fire') ? 'fire' : null;
}

function* partsOf(taskIds: readonly string[]): Generator<readonly string[]> {
  for (let begin = 0; begin < taskIds.length; begin += limits.batchMax)
    yield taskIds.slice(begin, begin + limits.batchMax);
}

function isAtOnePlace(left: RecordPlace, right: RecordPlace): boolean {
  return left.incarnation === right.incarnation && left.seq === right.seq;
}

const firstReadMax = 100;

/** What is held of tasks at once, as they are read; a few times that is made of it on the way to the database. */
const recordBytesMax = 4 * limits.bodiesBytesMax;

/** A store that was recorded before, elsewhere, lacks what was trimmed; and what this record knows is not its own. */
function refuseForeign(found: RecordCursor, start: RecordPlace): void {
  if (found.incarnation === start.incarnation || start.seq === 0) return;
  const problem =
    found.incarnation === null
      ? 'it is new, and that one was recorded elsewhere before'
      : 'it follows another one, and that one was recorded elsewhere before';
  throw taskFlowError('RECORD_ELSEWHERE', { problem });
}

/** So many events that their tasks are about as many as are stored at once. Of tasks that are in many of them it holds no more than this. */
function nextReadMax({ events, wanted }: Taken): number {
  const items = events.reduce((sum, event) => sum + event.items.length, 0);
  const weight = Math.max(wanted, items / itemsOfTask);
  if (weight === 0) return firstReadMax;
  return Math.max(10, Math.min(limits.batchMax, Math.ceil((limits.recordMax * events.length) / weight)));
}

const itemsOfTask = 4;

/** Waits no longer than somebody wants it to go on. */
function untilAborted<Answer>(answer: Promise<Answer>, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function bytesOf(bodies: readonly TaskBody[]): number {
  return bodies.reduce((sum, { task }) => sum + task.payload.length + (task.result?.length ?? 0), 0);
}

/** Follows the live store into the record: events are read, their tasks are read as they stand, both are stored at once. */

import type { Broker, Outbox, TaskBody } from '../broker/broker.ts';
import { taskFlowError } from '../core/errors.ts';
import { type BatchEvent, type EventItem, markOf } from '../core/events.ts';
import { limits } from '../core/limits.ts';
import type { Gap, RecordCursor, Recording, RecordPlace, SettingChanges } from '../history/recording.ts';
import { bringBack } from './bring-back.ts';
import { createSettingsBook, type SettingsTarget } from './recorded-settings.ts';
import { createService, type Service, type ServiceOptions } from './service.ts';

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
  /** Where this recorder left the record: elsewhere another one did, and what is known here of its settings is old. */
  let left: RecordPlace | null = null;
  let book = createSettingsBook(broker, recording);
  let settingsAreRead = false;
  let readMax = firstReadMax;
  const recorded = createVersions();

  async function begin(): Promise<RecordCursor> {
    const found = await recording.cursor();
    if (left === null || !isAtOnePlace(found, left)) {
      book = createSettingsBook(broker, recording);
      settingsAreRead = false;
    }
    left = found;
    const [info, { lastSeq, trimmedSeq }, isSame] = await Promise.all([
      broker.info(),
      outbox.state(),
      isStillThere(found),
    ]);
    if (found.incarnation === info.incarnation && found.seq <= lastSeq && isSame) return found;
    // What another recorder trims meanwhile is behind its own cursor.
    if (!isAtOnePlace(found, await recording.cursor())) return begin();
    const start = { incarnation: info.incarnation, seq: trimmedSeq };
    refuseForeign(found, start);
    const gap =
      found.incarnation === null
        ? null
        : { from: found.last?.at ?? null, to: info.now, restored: await bringBack(broker, recording) };
    recorded.clear();
    if (!(await recording.follow(found, start))) return begin();
    if (gap !== null) {
      await recording.noteGap(gap);
      onGap(gap);
    }
    return { ...start, last: null };
  }

  /** Whether the live store is the one that was recorded up to there. */
  async function isSame(at: RecordCursor): Promise<boolean> {
    const [{ incarnation }, isThere] = await Promise.all([broker.info(), isStillThere(at)]);
    return incarnation === at.incarnation && isThere;
  }

  /** The last event that was recorded stays in the outbox: without it the store went back behind it, and maybe on from there. */
  async function isStillThere({ seq, last }: RecordCursor): Promise<boolean> {
    if (last === null) return true;
    const [event] = await outbox.read(seq - 1, 1, 0);
    return event?.seq === seq && markOf(event) === last.mark;
  }

  /** Stores these events, the last of which is `upTo`. `false` when another recorder was here. */
  async function record(
    at: RecordCursor,
    incarnation: string,
    taken: Taken,
    settings: SettingChanges | null,
  ): Promise<boolean> {
    const place = { incarnation, after: at.seq };
    const upTo = taken.events.at(-1)?.seq ?? at.seq;
    let bodies: TaskBody[] = [];
    const read = new Map<string, number>();
    for (let next = 0; next < taken.taskIds.length; ) {
      const found = await outbox.bodies(taken.taskIds.slice(next, next + limits.batchMax));
      next += found.length;
      for (const body of found) {
        if (body === null) continue;
        bodies.push(body);
        read.set(body.task.id, body.task.version);
      }
      if (bytesOf(bodies) < recordBytesMax || next >= taken.taskIds.length) continue;
      // Too much to be held at once: the rows come first, their events and the cursor with the last of them.
      if (!(await recording.record({ ...place, upTo: at.seq, events: [], bodies }))) return false;
      bodies = [];
    }
    const batch = { ...place, upTo, events: taken.events, bodies };
    if (!(await recording.record(settings === null ? batch : { ...batch, settings }))) return false;
    recorded.add(read);
    return true;
  }

  /** Which settings these events may have changed. */
  function settingsIn(events: readonly BatchEvent[]): 'configure' | 'fire' | null {
    if (!settingsAreRead || events.some(({ kind }) => kind === 'configure')) return 'configure';
    return events.some(({ kind }) => kind === 'fire') ? 'fire' : null;
  }

  async function tick(signal: AbortSignal) {
    const at = cursor ?? (await begin());
    // Whatever fails from here on, the next tick looks where the record is.
    cursor = null;
    const events = await untilAborted(outbox.read(at.seq, readMax, limits.recordWaitMs), signal);
    const { incarnation } = at;
    const taken = takeEvents(events, recorded.has);
    const sort = settingsIn(taken.events);
    // Nothing new: time to see whether the store is still the same.
    if (incarnation === null || (events.length === 0 && sort === null)) return 'done' as const;
    // One that was wiped, or went back, may be behind the cursor again, with other events.
    if (!(await isSame(at))) return 'full' as const;
    const settings = sort === null ? null : await book.changes(sort);
    if (settings !== null && !(await isSame(at))) return 'full' as const;
    const newest = taken.events.at(-1);
    if (newest !== undefined || settings !== null) {
      if (!(await record(at, incarnation, taken, settings))) return 'full' as const;
      if (settings !== null) book.stored(settings);
    }
    settingsAreRead ||= sort === 'configure';
    if (newest === undefined) return 'done' as const;
    readMax = nextReadMax(events);
    left = { incarnation, seq: newest.seq };
    await outbox.trim(newest.seq - 1, incarnation);
    cursor = { ...left, last: { at: newest.at, mark: markOf(newest) } };
    return 'full' as const;
  }

  return createService({ name: 'recorder', periodMs: limits.recordIdleMs, ...loop, tick });
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

/** So many events that their tasks are about as many as are stored at once. */
function nextReadMax(events: readonly BatchEvent[]): number {
  const tasks = events.reduce((sum, { items }) => sum + items.length, 0);
  if (tasks === 0) return firstReadMax;
  return Math.max(10, Math.min(limits.batchMax, Math.ceil((limits.recordMax * events.length) / tasks)));
}

/** Waits no longer than somebody wants it to go on. */
function untilAborted<Answer>(answer: Promise<Answer>, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

interface Taken {
  readonly events: readonly BatchEvent[];
  readonly taskIds: readonly string[];
}

/** The first events whose tasks are stored at once, and whom to read for them. */
function takeEvents(events: readonly BatchEvent[], isRecorded: (item: EventItem) => boolean): Taken {
  const taken: BatchEvent[] = [];
  const ids = new Set<string>();
  for (const event of events) {
    if (ids.size >= limits.recordMax) break;
    taken.push(event);
    if (hasBodies(event)) for (const item of event.items) if (!isRecorded(item)) ids.add(item.taskId);
  }
  return { events: taken, taskIds: [...ids] };
}

/** What was removed has no body any more, and what was pruned is kept by the record as it is. */
function hasBodies({ kind }: BatchEvent): boolean {
  return kind !== 'prune' && kind !== 'remove';
}

/**
 * Which version was recorded last, of the tasks that were lately: behind a lag a task is read as it stands now, and the events that
 * led there come after.
 */
function createVersions() {
  const versions = new Map<string, number>();
  return {
    /** A task that comes into the store begins another life, whose versions begin anew. */
    has: ({ taskId, version, from }: EventItem): boolean => from !== null && (versions.get(taskId) ?? 0) >= version,
    add(read: ReadonlyMap<string, number>): void {
      for (const [taskId, version] of read) versions.set(taskId, version);
      if (versions.size > 2 * limits.versionsMax) {
        for (const taskId of versions.keys()) {
          if (versions.size <= limits.versionsMax) break;
          versions.delete(taskId);
        }
      }
    },
    clear: () => versions.clear(),
  };
}

function bytesOf(bodies: readonly TaskBody[]): number {
  return bodies.reduce((sum, { task }) => sum + task.payload.length + (task.result?.length ?? 0), 0);
}

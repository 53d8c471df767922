/** The writing half of a record that is not the live store: what the recorder stores in it, and how far it has got. */

import type { BrokerInfo, Scope, TaskBody } from '../broker/broker.ts';
import type { BatchEvent } from '../core/events.ts';
import type { Standing } from '../core/standing.ts';
import type { Task } from '../core/task.ts';
import type { Tellings } from '../core/tellings.ts';

/** A place in the events of a live store. */
export type RecordPlace = Pick<RecordCursor, 'incarnation' | 'seq'>;

/** How far a record has got. */
export interface RecordCursor {
  /** The life of the live store it follows; `null` when it has followed none yet. */
  readonly incarnation: string | null;
  /** The last event recorded of it. */
  readonly seq: number;
  /** That event, by which a live store is known to be the one that was recorded; `null` when none was. */
  readonly last: RecordedEvent | null;
}

/** `mark` is that of `markOf`. */
export interface RecordedEvent {
  readonly at: number;
  readonly mark: string;
}

/** What is told of a task that was recorded before the event of its end. */
export type Known = Pick<Task, 'version' | 'dueAt' | 'claimedAt' | 'startedAt' | 'finishedAt'>;

/** A task that was only handed on by the events of a batch. */
export interface HandedOn {
  readonly taskId: string;
  readonly standing: Standing;
  readonly result: string | null;
}

/** Events of one life of the live store, and their tasks as they stood when these were read, or later. */
export interface RecordBatch {
  readonly incarnation: string;
  /** The event recorded before them: where the cursor has to be. */
  readonly after: number;
  /** The last of them: where the cursor goes. */
  readonly upTo: number;
  /** Oldest first, all of them. A `remove` takes a task out of the record; a `prune` does not: the record keeps it as long as it was told. */
  readonly events: readonly BatchEvent[];
  /** Each task at most once. One that the live store has no more is not among them. */
  readonly bodies: readonly TaskBody[];
  /** Others, of which only that is known, see `Outbox.stands`: the events tell all their steps from where they were recorded. */
  readonly handedOn?: readonly HandedOn[];
  /**
   * Tasks of these events that this recorder has recorded already, as far as they tell or further: nobody has to look what is there of
   * them. Where `told` is given, those are enough that it tells of, and those that have ended.
   */
  readonly known?: ReadonlyMap<string, Known>;
  /** What the events tell of all others, see `tellingsOf`: whoever has read them has gone through them already. */
  readonly told?: Tellings;
  /** Read behind the events. */
  readonly settings?: SettingChanges;
}

/** A queue, group or limit that was configured, or a schedule. */
export interface RecordedSetting {
  readonly kind: Scope | 'schedule';
  readonly name: string;
  /** JSON, opaque to the record. */
  readonly document: string;
}

export interface SettingChanges {
  readonly put: readonly RecordedSetting[];
  readonly gone: readonly RecordedSetting[];
}

/** A time of which the record may lack tasks: the live store was wiped, or went back. Milliseconds since the epoch. */
export interface Gap {
  /** When the last event was recorded before it; `null` when none ever was. */
  readonly from: number | null;
  readonly to: number;
  /** Tasks that were brought back from the record. */
  readonly restored: number;
}

/** A task that the database of the record refused to store. */
export interface Unrecorded {
  readonly taskId: string;
  readonly seq: number;
  readonly at: number;
  readonly problem: string;
}

/** What a record lacks. */
export interface Losses {
  readonly gap: Gap | null;
  readonly unrecorded: readonly Unrecorded[];
}

export interface Recording {
  cursor(): Promise<RecordCursor>;
  /**
   * Stores rows, counts, events, settings and cursor in one transaction. `false`, and nothing stored, when the cursor is elsewhere:
   * another recorder was here. A row is only replaced by a later life or a higher version of its task, so that a batch may come
   * twice. A task that the database refuses for what is in it is set aside, the rest is stored; one that has ended and is not
   * among the bodies ends in the record as its event tells. `not as told`, and nothing
   * stored, when one of those that were handed on may not be recorded as the events tell: their bodies have to be read. What the database cannot do now is thrown as the driver throws it.
   */
  record(batch: RecordBatch): Promise<boolean | 'not as told'>;
  /**
   * Begins with another life of the live store, at `to`, and notes what lies between in the same step. `false`, and nothing noted,
   * when the cursor is not at `from`. Throws RECORD_ELSEWHERE for a database in which tasks of its own wait to be run.
   */
  follow(from: RecordPlace, to: RecordPlace, gap: Gap | null): Promise<boolean>;
  /** Unfinished tasks as they were recorded, by id, those behind `after`. `limit` is at most `limits.batchMax`. */
  unfinished(after: string | null, limit: number): Promise<readonly Task[]>;
  /** In the order of the ids. */
  tasks(taskIds: readonly string[]): Promise<readonly (Task | null)[]>;
  /** By kind and name, those behind `after`. */
  settings(after: Pick<RecordedSetting, 'kind' | 'name'> | null, limit: number): Promise<readonly RecordedSetting[]>;
  /** Takes finished tasks out; answers for each whether it was there and finished. */
  remove(taskIds: readonly string[]): Promise<readonly boolean[]>;
  /** Removes at most `limit` finished tasks past their retention, and events past theirs; answers how many tasks. */
  prune(limit: number): Promise<number>;
  /** What its database keeps when that dies. */
  durability(): Pick<BrokerInfo, 'durability' | 'detail'>;
  /** The newest first, at most `limit`. */
  gaps(limit: number): Promise<readonly Gap[]>;
  /** Those set aside, the newest first, at most `limit`. */
  unrecorded(limit: number): Promise<readonly Unrecorded[]>;
  /** The newest gap, and those set aside as `unrecorded` tells them, in one look: a page asks for both. */
  losses(limit: number): Promise<Losses>;
}

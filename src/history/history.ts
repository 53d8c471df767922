/** The record: what people search and read. Always SQL, always paged, never counted row by row. */

import type { Broker } from '../broker/broker.ts';
import type { Access } from '../core/access.ts';
import type { TaskFlowError } from '../core/errors.ts';
import type { Attempt, BatchEvent, TimelineEntry } from '../core/events.ts';
import type { Filter } from '../core/filter.ts';
import type { Latencies } from '../core/latency.ts';
import { preview } from '../core/preview.ts';
import type { Relay } from '../core/relay.ts';
import { type TaskView, viewOf } from '../core/states.ts';
import type { LogLine, Task } from '../core/task.ts';
import type { Recording } from './recording.ts';

/** Which part of a list to show. */
export interface Page {
  /** The cursor of an earlier answer; `null` is the start. */
  readonly after: string | null;
  /** 1 … `limits.pageMax`. */
  readonly limit: number;
  /** What is to be seen of each task that is found, before a line is made of it; all of it where it is not given. Its payload may be cut off behind what `preview` reads. */
  readonly show?: (task: Task) => Task;
}

/** A task in a list: without its payload and result, which may be large. */
export interface TaskSummary extends Omit<Task, 'payload' | 'result' | 'checkpoints'> {
  readonly view: TaskView;
  /** First 120 characters of the payload on one line. */
  readonly preview: string;
}

/** A task as lists have it; `show` is that of the page. */
export function summaryOf(task: Task, show?: Page['show']): TaskSummary {
  const { payload, result: _result, checkpoints: _checkpoints, ...rest } = show === undefined ? task : show(task);
  return { ...rest, view: viewOf(rest), preview: preview(payload) };
}

export interface TaskPage {
  /** Newest first. */
  readonly tasks: readonly TaskSummary[];
  /** Cursor of the next page, which may lie behind a stretch without matches; `null` at the end. */
  readonly next: string | null;
  /** Whether a filter without an index stopped at `limits.scanMax` rows or `limits.searchMs`; `next` goes on from there. */
  readonly scanned: 'all' | 'newest';
}

export interface FlowPage {
  /** Newest first. */
  readonly flowIds: readonly string[];
  /** Cursor of the next page; `null` at the end. */
  readonly next: string | null;
}

/** Everything kept of one task. */
export interface TaskRecord {
  readonly task: Task;
  /** Oldest first; an only run that succeeded is not among them: the task row tells it. */
  readonly attempts: readonly Attempt[];
  readonly logs: readonly (LogLine & { readonly epoch: number })[];
  /** What people did to it, oldest first; `timeline` tells it too. */
  readonly notes: readonly TimelineEntry[];
  /** Oldest first. */
  readonly timeline: readonly TimelineEntry[];
}

/** What finished in one minute, or one hour, per queue and task name. */
export interface Minute {
  /** Its start, milliseconds since the epoch. */
  readonly at: number;
  readonly queue: string;
  readonly name: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Runs that ended in another attempt. */
  readonly retried: number;
  /** Sums over the finished: from due to claim, and of the last run. */
  readonly waitMs: number;
  readonly runMs: number;
}

/** What ended in a time. */
export interface Ended {
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Runs that ended in another attempt. */
  readonly retried: number;
}

/** All in any order; one may be there more than once. */
export interface Activity {
  /** Those in which anything ended, by the time at which they begin. */
  readonly steps: readonly (Ended & { readonly at: number })[];
  /** By part and queue. */
  readonly parts: readonly (Ended & { readonly part: number; readonly queue: string })[];
  /** By queue, of the recent range alone. */
  readonly recent: readonly (Ended & { readonly queue: string })[];
  /** By queue and name, of the range from `namesFrom` on. */
  readonly names: readonly (Ended & {
    readonly queue: string;
    readonly name: string;
    /** Of the last runs, together. */
    readonly runMs: number;
  })[];
}

/** How a range is asked about: all its times are whole minutes. */
export interface ActivityQuery extends Range {
  /** Milliseconds of a step: of a minute, or of several by the clock. */
  readonly stepMs: number;
  /** Milliseconds of a part. Where it has an hour or more, the bounds of parts are up to ten minutes off. */
  readonly partMs: number;
  /** Within the range: a few minutes. */
  readonly recent: Range;
  /** From when on names are told: a whole minute. */
  readonly namesFrom: number;
}

/** What ended in one minute of a queue. Times are sums over the finished: from due to claim, and of the last run. */
export interface EndedMinute extends Ended {
  readonly at: number;
  readonly queue: string;
  readonly waitMs: number;
  readonly runMs: number;
  /** How these are spread over what ended while it ran; empty where that is kept no more. */
  readonly waits: Latencies;
  readonly runs: Latencies;
}

export interface EndedMinutes {
  /** Start of the first minute that is told of. Later than that of the range where that has too many: its newest are told, each whole. */
  readonly from: number;
  /** In any order. */
  readonly minutes: readonly EndedMinute[];
}

/** What waited and ran at one minute, per queue. */
export interface Sample {
  readonly at: number;
  readonly queue: string;
  readonly waiting: number;
  readonly running: number;
  /** Slots of living workers that serve the queue, and how many workers. */
  readonly slots: number;
  readonly workers: number;
}

/** Milliseconds since the epoch, `from` included, `to` not. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Known values with kept counts, for completion and chips. */
/** Numbers of tasks. Bulk operations, which are tasks too, are in none of them. */
export interface Facets {
  readonly views: Readonly<Partial<Record<TaskView, number>>>;
  readonly queues: Readonly<Record<string, number>>;
  readonly names: Readonly<Record<string, number>>;
  /** Of each name those that wait: blocked, scheduled or queued. */
  readonly waiting: Readonly<Record<string, number>>;
}

/** Numbers of events. */
export interface EventSpan {
  /** Those after it are all there: the last one that was pruned, 0 where none was. */
  readonly from: number;
  readonly last: number;
}

export interface History {
  search(filter: Filter, page: Page): Promise<TaskPage>;
  /** The ids of flows of which tasks are kept. `limit` is below `limits.pageMax`. */
  flows(page: Page): Promise<FlowPage>;
  /** `null` when there is no such task any more. */
  task(taskId: string): Promise<TaskRecord | null>;
  /** Buckets of a minute or an hour, oldest first, at most `limit`, which is `limits.pageMax` × 100 at most, and that without it. Hours begin and end the range. */
  minutes(range: Range & { readonly limit?: number; readonly step?: 'minute' | 'hour' }): Promise<readonly Minute[]>;
  /** What ended in a range, added up, however many minutes there are. */
  activity(range: ActivityQuery): Promise<Activity>;
  /** What ended in each minute and queue, at most `limits.endedRowsMax` of them; how times are spread is kept for `limits.latenciesKeepMs`. */
  ended(range: Range): Promise<EndedMinutes>;
  /** Oldest first, at most `limit`, as of `minutes`. */
  samples(range: Range & { readonly limit?: number }): Promise<readonly Sample[]>;
  /** Stores the samples of one minute; a second call for the same minute changes nothing. Answers whether it was the first. */
  sample(samples: readonly Sample[]): Promise<boolean>;
  facets(): Promise<Facets>;
  /** Events after `seq`, oldest first. */
  events(after: number, limit: number): Promise<readonly BatchEvent[]>;
  /** Where the events begin and end: none is missing behind `from`, and none is seen behind `last` whose order is not final. */
  eventSpan(): Promise<EventSpan>;
  /** How far the record is behind the live store, in milliseconds; 0 when they are one. */
  lagMs(): Promise<number>;
}

/** From where another thread of this process opens the same store for itself: plain data. */
export interface StoreAddress {
  /** URL of a module whose `connect(url)` gives its broker, not yet opened, and how to close that. */
  readonly module: string;
  readonly url: string;
}

/** The disk under a database in a file. */
export interface Disk {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** What another thread has of it. */
export type ThreadStore = Pick<Store, 'broker' | 'close'>;

/** The two halves of a setup, opened and closed together. */
export interface Store {
  readonly broker: Broker;
  readonly history: History;
  /** Present where the broker's `transactions` are those of the record's database: to be pushed time and again. */
  readonly relay?: Relay;
  /** Present where the record is apart from the live store: to be fed by a recorder. */
  readonly recording?: Recording;
  /** Present with it: why it could not be reached when the store was opened, `null` when it could. Whoever asks for it tries again. */
  readonly away?: () => TaskFlowError | null;
  /** Who may do what, and what was done. Absent without a SQL store: a worker's live store alone, and tests. */
  readonly access?: Access;
  /** Present where it, or its record, is a file of this machine. */
  readonly disk?: () => Promise<Disk | null>;
  /** Present where two calls at once are done sooner than one after the other: each waits for a network and a disk. */
  readonly isParallel?: true;
  /** Present where a server stands in between: it runs the services, and what is here is what a worker needs. */
  readonly isServer?: true;
  /** Absent where nobody else can open it: in memory, or on a clock of its own. */
  readonly address?: StoreAddress;
  close(): Promise<void>;
}

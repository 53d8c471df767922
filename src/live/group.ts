/** What one client follows together, and how far it has got. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import { formatCursor, type LiveChange, type LiveCursor, type Topic } from '../core/live.ts';
import { addChanges, createFrame, type LiveFrame } from './frame.ts';

/** Where the messages of a client go. It never throws: one that is gone takes them and does nothing. */
export interface LiveSink {
  send(frame: LiveFrame): void;
  /** There is much that it has not read, or what is sent now is dropped: what can wait is sent once it has room. */
  readonly isFull: boolean;
}

export interface FollowRequest {
  readonly topics: readonly Topic[];
  /** Where an earlier connection ended; `null` begins now. */
  readonly after: LiveCursor | null;
  readonly sink: LiveSink;
  /** Which queues it may hear of; all of them without it. */
  readonly mayRead?: (queue: string) => boolean;
}

export interface Group {
  readonly topics: readonly Topic[];
  readonly names: readonly string[];
  readonly sink: LiveSink;
  readonly taskIds: ReadonlySet<string>;
  /** Names of the topics that are gathered: equal for those who hear the same. */
  readonly gathers: readonly string[];
  readonly signature: string;
  readonly hasFilter: boolean;
  wantsTask(item: EventItem): boolean;
  wantsGathered(item: EventItem): boolean;
  /** `null` until it is known where it begins. */
  cursor: LiveCursor | null;
  /** It hears what comes as it comes. */
  isJoined: boolean;
  isBusy: boolean;
  isEnded: boolean;
}

export function createGroup({ topics, after, sink, mayRead }: FollowRequest): Group {
  const taskIds = new Set(topics.flatMap((topic) => (topic.kind === 'task' ? [topic.taskId] : [])));
  const queues = new Set(topics.flatMap((topic) => (topic.kind === 'queue' ? [topic.name] : [])));
  const hearsAll = topics.some(({ kind }) => kind === 'all');
  const gathers = topics.flatMap(({ kind, text }) => (kind === 'queue' || kind === 'all' ? [text] : [])).sort();
  const allowed = mayRead ?? (() => true);
  return {
    topics: topics.filter((topic) => topic.kind !== 'queue' || allowed(topic.name)),
    names: topics.map(({ text }) => text),
    sink,
    taskIds,
    gathers,
    signature: gathers.join(','),
    hasFilter: mayRead !== undefined,
    wantsTask: ({ taskId, queue }) => taskIds.has(taskId) && allowed(queue),
    wantsGathered: ({ queue }) => (hearsAll || queues.has(queue)) && allowed(queue),
    cursor: after,
    isJoined: false,
    isBusy: false,
    isEnded: false,
  };
}

/** The changes among these events that the gathered topics of a group have not told yet, as a message; `null` for none. */
export function gatheredFrame(group: Group, events: readonly BatchEvent[], to: LiveCursor): LiveFrame | null {
  const changes: LiveChange[] = [];
  const told = group.cursor?.gathered ?? 0;
  for (const event of events) if (event.seq > told) addChanges(changes, event, group.wantsGathered);
  return changesFrame(group.gathers, changes, to);
}

export function changesFrame(
  topics: readonly string[],
  changes: readonly LiveChange[],
  to: LiveCursor,
): LiveFrame | null {
  return changes.length === 0 ? null : createFrame({ type: 'changes', cursor: formatCursor(to), topics, changes });
}

/** Sends a group what these events tell it and nobody has told it yet: first what is told at once, then what is gathered. */
export function catchUp(group: Group, events: readonly BatchEvent[]): void {
  const { cursor } = group;
  const last = events.at(-1);
  if (cursor === null || last === undefined) return;
  const urgent: LiveChange[] = [];
  for (const event of events) if (event.seq > cursor.seen) addChanges(urgent, event, group.wantsTask);
  const seen = Math.max(cursor.seen, last.seq);
  const taskNames = [...group.taskIds].map((id) => `task:${id}`);
  sendSome(group, changesFrame(taskNames, urgent, { ...cursor, seen }));
  const to = { ...cursor, seen, gathered: last.seq };
  sendSome(group, gatheredFrame(group, events, to));
  group.cursor = to;
}

/** Events with at most so many tasks together, or one alone. */
export function partsOf(events: readonly BatchEvent[], itemsMax: number): readonly (readonly BatchEvent[])[] {
  const parts: BatchEvent[][] = [];
  let items = Number.POSITIVE_INFINITY;
  for (const event of events) {
    if (items + event.items.length <= itemsMax) parts.at(-1)?.push(event);
    else {
      parts.push([event]);
      items = 0;
    }
    items += event.items.length;
  }
  return parts;
}

export function sendSome({ sink }: Group, frame: LiveFrame | null): void {
  if (frame !== null) sink.send(frame);
}

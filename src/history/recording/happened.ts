/** What events tell that tasks do not: how many ended in which minute, what people did, and the events themselves. */

import type { TaskBody } from '../../broker/broker.ts';
import type { EventGroup, SpreadDelta } from '../../broker/sql/changes.ts';
import type { Attempt, BatchEvent, EventItem } from '../../core/events.ts';
import { countLatency } from '../../core/latency.ts';
import { isFinished, type Reason } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import type { Known } from '../recording.ts';

/** The tasks of a batch as they were read, by id. */
export type Bodies = Pick<ReadonlyMap<string, TaskBody>, 'get'>;

/** What was recorded before of a task that is not among them. */
export type RowOf = (taskId: string) => Known | undefined;

const minuteMs = 60_000;

/** What each minute gets, by its start. */
export type Minutes = ReadonlyMap<number, readonly SpreadDelta[]>;

/**
 * Counted from the events, each of which is recorded once: so an end counts that a retry by hand, or a removal, has left no
 * trace of in the task. How long it waited and ran is known only while the task still stands as it ended.
 */
export function minutesOf(events: readonly BatchEvent[], bodies: Bodies, rowOf: RowOf): Minutes {
  const minutes = new Map<number, Map<string, SpreadDelta>>();
  for (const event of events) {
    for (const item of event.items) {
      const ended = endsLife(item);
      const retried = isRetried(event, item, bodies);
      if (!ended && !retried) continue;
      const delta = deltaOf(minutes, event.at - (event.at % minuteMs), item);
      if (retried) delta[5] += 1;
      if (ended) addEnd(delta, event, item, bodies, rowOf);
    }
  }
  return new Map([...minutes].map(([at, deltas]) => [at, [...deltas.values()]]));
}

/** Whether the task was alive and has finished. A restored end is not of this minute. */
function endsLife({ from, to }: EventItem): boolean {
  return from !== null && to !== null && !isFinished(from) && isFinished(to);
}

/** Reasons of a run that was charged, whatever became of it. */
const charged: ReadonlySet<Reason | null> = new Set(['error', 'timeout', 'crashed']);

/** A lost lease, or a hand-back, is charged where the run was more than interrupted: only then it has an error. */
function isRetried({ at }: BatchEvent, { taskId, from, to, reason }: EventItem, bodies: Bodies): boolean {
  if (from !== 'running' || (to !== 'scheduled' && to !== 'queued')) return false;
  return charged.has(reason) || runThatEnded(bodies.get(taskId), at)?.error != null;
}

function runThatEnded(body: TaskBody | undefined, at: number): Attempt | undefined {
  return body?.attempts.findLast(({ endedAt }) => endedAt === at);
}

function addEnd(delta: SpreadDelta, { at, kind }: BatchEvent, item: EventItem, bodies: Bodies, rowOf: RowOf): void {
  if (item.to === 'succeeded') delta[2] += 1;
  else if (item.to === 'failed') delta[3] += 1;
  else delta[4] += 1;
  // Whoever cancels or replaces what waits ends no run.
  if (kind !== 'settle' && kind !== 'judge') return;
  const body = bodies.get(item.taskId);
  const task = body?.task ?? rowOf(item.taskId);
  if (task === undefined) return;
  if (task.version === item.version && task.finishedAt === at) {
    const [waitMs, runMs] = [waitedMs(task), task.startedAt === null ? 0 : Math.max(0, at - task.startedAt)];
    delta[6] += waitMs;
    delta[7] += runMs;
    if (item.from === 'running') addSpread(delta, waitMs, runMs);
    return;
  }
  const run = runThatEnded(body, at);
  if (run === undefined || run.startedAt === null) return;
  const runMs = Math.max(0, at - run.startedAt);
  delta[7] += runMs;
  addSpread(delta, null, runMs);
}

/** How long it waited may not be known any more. */
function addSpread(delta: SpreadDelta, waitMs: number | null, runMs: number): void {
  delta[8] ??= [[], []];
  if (waitMs !== null) countLatency(delta[8][0], waitMs);
  countLatency(delta[8][1], runMs);
}

function waitedMs({ claimedAt, dueAt }: Pick<Task, 'claimedAt' | 'dueAt'>): number {
  return claimedAt === null ? 0 : Math.max(0, claimedAt - dueAt);
}

function deltaOf(minutes: Map<number, Map<string, SpreadDelta>>, at: number, { queue, name }: EventItem): SpreadDelta {
  let deltas = minutes.get(at);
  if (deltas === undefined) {
    deltas = new Map();
    minutes.set(at, deltas);
  }
  const key = `${queue}\0${name}`;
  let delta = deltas.get(key);
  if (delta === undefined) {
    delta = [queue, name, 0, 0, 0, 0, 0, 0];
    deltas.set(key, delta);
  }
  return delta;
}

/** The items in the form they are stored in: those that are alike and follow one another share all but the id. */
export function groupsOf(items: readonly EventItem[]): readonly EventGroup[] {
  const groups: [...EventGroup][] = [];
  let last: EventItem | null = null;
  let taskIds: string[] = [];
  for (const item of items) {
    if (last === null || !isLike(last, item)) {
      taskIds = [];
      groups.push([item.name, item.queue, item.from, item.to, item.reason, item.attempt, item.version, taskIds]);
    }
    taskIds.push(item.taskId);
    last = item;
  }
  return groups;
}

function isLike(left: EventItem, right: EventItem): boolean {
  return (
    left.version === right.version &&
    left.from === right.from &&
    left.to === right.to &&
    left.reason === right.reason &&
    left.attempt === right.attempt &&
    left.name === right.name &&
    left.queue === right.queue
  );
}

/** What a person did to a task, as its timeline tells it. */
export interface Note {
  readonly taskId: string;
  readonly at: number;
  readonly kind: 'retried' | 'edited';
  readonly text: string;
}

/** The last removal of a task takes along what was noted before it. */
export function notesOf(events: readonly BatchEvent[], bodies: Bodies): readonly Note[] {
  const notes = new Map<string, Noted[]>();
  for (const { at, kind, items } of events) {
    if (kind === 'remove') for (const { taskId } of items) notes.delete(taskId);
    if (kind !== 'retry' && kind !== 'update') continue;
    for (const { taskId, version } of items) {
      const noted = notes.get(taskId) ?? [];
      if (noted.length === 0) notes.set(taskId, noted);
      noted.push({ at, kind, version });
    }
  }
  const last = notes.size === 0 ? new Map<string, number>() : lastVersions(events, notes);
  return [...notes].flatMap(([taskId, noted]) => {
    const task = bodies.get(taskId)?.task;
    const isKnown = task !== undefined && task.version === last.get(taskId);
    return worded(taskId, noted, isKnown ? task.generation : null);
  });
}

interface Noted {
  readonly at: number;
  readonly kind: 'retry' | 'update';
  readonly version: number;
}

/** `generation` is the one after the last of them, where that is known; what an edit was is told by no event. */
function worded(taskId: string, noted: readonly Noted[], generation: number | null): readonly Note[] {
  let later = noted.filter(({ kind }) => kind === 'retry').length;
  return noted.map(({ at, kind }): Note => {
    if (kind === 'update') return { taskId, at, kind: 'edited', text: 'Edited by hand' };
    later -= 1;
    const which = generation === null ? '' : `: generation ${generation - later}`;
    return { taskId, at, kind: 'retried', text: `Retried by hand${which}` };
  });
}

function lastVersions(events: readonly BatchEvent[], of: ReadonlyMap<string, unknown>): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  for (const { items } of events) {
    for (const { taskId, version } of items) if (of.has(taskId)) last.set(taskId, version);
  }
  return last;
}

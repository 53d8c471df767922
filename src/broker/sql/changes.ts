/** What a step has changed, in runs of equal changes: a batch of a hundred ordinary tasks is one of them. */

import type { BatchEvent } from '../../core/events.ts';
import { addLatencies, countLatency } from '../../core/latency.ts';
import { isFinished, type Reason, type TaskState, type TaskView, viewOf } from '../../core/states.ts';

export type EventKind = BatchEvent['kind'];

/** Who changed. */
export interface Subject {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
}

/** What the shown word of a task depends on. */
export interface Stand {
  readonly state: TaskState;
  readonly reason: Reason | null;
  readonly attempt: number;
}

/** Tasks of one name and queue that changed alike, one after the other. */
export interface ChangeGroup {
  readonly kind: EventKind;
  readonly name: string;
  readonly queue: string;
  /** The queue they were in, when an edit moved them. */
  readonly formerQueue: string;
  readonly from: TaskState | null;
  readonly to: TaskState | null;
  readonly fromView: TaskView | null;
  readonly toView: TaskView | null;
  readonly reason: Reason | null;
  readonly attempt: number;
  readonly version: number;
  readonly taskIds: string[];
  /** Runs among them that end in another attempt, and what the finished ones waited and ran. */
  retried: number;
  waitMs: number;
  runMs: number;
  /** How these times are spread of those that did not end in another attempt, once there is one. */
  spread: Spread | null;
}

/** A run that ended, for the minute buckets. */
export interface RunNumbers {
  readonly waitMs: number;
  readonly runMs: number;
  readonly retried: boolean;
}

/**
 * Adds a task that was stored (`before` null), changed or removed (`after` null). `version` is the one after it,
 * `formerQueue` the queue it was in when it moved.
 */
export function addChange(
  groups: ChangeGroup[],
  kind: EventKind,
  task: Subject,
  before: Stand | null,
  after: Stand | null,
  version: number,
  run?: RunNumbers,
  formerQueue = task.queue,
): void {
  const last = groups[groups.length - 1];
  const fromView = before && viewOf(before);
  const group =
    last !== undefined && isLike(last, kind, task, before, after, version, formerQueue, fromView)
      ? last
      : createGroup(kind, task, before, after, version, formerQueue, fromView);
  if (group !== last) groups.push(group);
  group.taskIds.push(task.id);
  if (run === undefined) return;
  group.waitMs += run.waitMs;
  group.runMs += run.runMs;
  if (run.retried) group.retried += 1;
  // What ended while it waited has waited for no claim.
  if (run.retried || group.from !== 'running') return;
  group.spread ??= [[], []];
  countLatency(group.spread[0], run.waitMs);
  countLatency(group.spread[1], run.runMs);
}

function isLike(
  group: ChangeGroup,
  kind: EventKind,
  task: Subject,
  before: Stand | null,
  after: Stand | null,
  version: number,
  formerQueue: string,
  fromView: TaskView | null,
): boolean {
  const stand = after ?? before;
  return (
    group.kind === kind &&
    group.version === version &&
    group.attempt === (stand?.attempt ?? 0) &&
    group.reason === (stand?.reason ?? null) &&
    group.from === (before?.state ?? null) &&
    group.to === (after?.state ?? null) &&
    group.fromView === fromView &&
    group.name === task.name &&
    group.queue === task.queue &&
    group.formerQueue === formerQueue
  );
}

function createGroup(
  kind: EventKind,
  task: Subject,
  before: Stand | null,
  after: Stand | null,
  version: number,
  formerQueue: string,
  fromView: TaskView | null,
): ChangeGroup {
  const stand = after ?? before;
  return {
    kind,
    name: task.name,
    queue: task.queue,
    formerQueue,
    from: before?.state ?? null,
    to: after?.state ?? null,
    fromView,
    toView: after && viewOf(after),
    reason: stand?.reason ?? null,
    attempt: stand?.attempt ?? 0,
    version,
    taskIds: [],
    retried: 0,
    waitMs: 0,
    runMs: 0,
    spread: null,
  };
}

/** The stored form of a group: eight fields for all of its tasks. */
export type EventGroup = readonly [
  name: string,
  queue: string,
  from: TaskState | null,
  to: TaskState | null,
  reason: Reason | null,
  attempt: number,
  version: number,
  taskIds: readonly string[],
];

export function eventGroup(group: ChangeGroup): EventGroup {
  return [group.name, group.queue, group.from, group.to, group.reason, group.attempt, group.version, group.taskIds];
}

/** [queue, name, view, difference] */
export type CountDelta = [string, string, TaskView, number];

/** What the groups add to the counts. */
export function countDeltas(groups: readonly ChangeGroup[]): readonly CountDelta[] {
  const deltas = new Map<string, CountDelta>();
  const add = (queue: string, name: string, view: TaskView, difference: number): void => {
    const key = `${view}\0${queue}\0${name}`;
    const known = deltas.get(key);
    if (known === undefined) deltas.set(key, [queue, name, view, difference]);
    else known[3] += difference;
  };
  for (const { name, queue, formerQueue, fromView, toView, taskIds } of groups) {
    if (fromView === toView && queue === formerQueue) continue;
    if (fromView !== null) add(formerQueue, name, fromView, -taskIds.length);
    if (toView !== null) add(queue, name, toView, taskIds.length);
  }
  return [...deltas.values()].filter(([, , , difference]) => difference !== 0);
}

/** [queue, name, succeeded, failed, cancelled, retried, waitMs, runMs] */
export type MinuteDelta = [string, string, number, number, number, number, number, number];

/** The same, and how the waits and runs of those that ended while they ran are spread. An earlier version wrote nothing of that. */
export type SpreadDelta = [...MinuteDelta, spread?: Spread];

export type Spread = [waits: number[], runs: number[]];

/** What the groups add to the bucket of their minute. */
export function minuteDeltas(groups: readonly ChangeGroup[]): readonly SpreadDelta[] {
  const deltas = new Map<string, SpreadDelta>();
  for (const group of groups) {
    const { name, queue, to, taskIds, spread } = group;
    if (!endsLife(group) && group.retried === 0) continue;
    const key = `${queue}\0${name}`;
    const minute: SpreadDelta = deltas.get(key) ?? [queue, name, 0, 0, 0, 0, 0, 0];
    deltas.set(key, minute);
    if (to === 'succeeded') minute[2] += taskIds.length;
    else if (to === 'failed') minute[3] += taskIds.length;
    else if (to === 'cancelled') minute[4] += taskIds.length;
    minute[5] += group.retried;
    if (!endsLife(group)) continue;
    minute[6] += group.waitMs;
    minute[7] += group.runMs;
    if (spread === null) continue;
    minute[8] ??= [[], []];
    addLatencies(minute[8][0], spread[0]);
    addLatencies(minute[8][1], spread[1]);
  }
  return [...deltas.values()];
}

/** Whether the tasks were alive and have finished. A restored end is not of this minute. */
export function endsLife({ from, to }: ChangeGroup): boolean {
  return from !== null && to !== null && !isFinished(from) && isFinished(to);
}

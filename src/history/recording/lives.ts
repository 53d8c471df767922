/** Which rows of a record a batch takes out and which it writes: a task goes on to a later life, or to a higher version. */

import type { TaskBody } from '../../broker/broker.ts';
import type { CountDelta } from '../../broker/sql/changes.ts';
import type { BatchEvent } from '../../core/events.ts';
import { type FinishedState, isFinished, type Reason, type TaskState, viewOf } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';

/** A task as the record has it before the batch. */
export interface Recorded {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly state: TaskState;
  readonly reason: Reason | null;
  readonly attempt: number;
  readonly version: number;
  readonly createdAt: number;
  readonly dueAt: number;
  readonly claimedAt: number | null;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly flowId: string | null;
}

/** A body that is written, and the row of the same life in whose place it comes. */
export interface Written {
  readonly body: TaskBody;
  readonly before: Recorded | null;
}

/** The end of a task that the live store has no more, or that was refused: as much of it as its event tells. */
export interface Ended {
  readonly before: Recorded;
  readonly to: FinishedState;
  readonly reason: Reason | null;
  readonly attempt: number;
  readonly version: number;
  readonly at: number;
}

export interface Lives {
  /** Rows that go with all that belongs to them: of removed tasks, and of lives that a later one has followed. */
  readonly erased: readonly Recorded[];
  readonly written: readonly Written[];
  readonly ended: readonly Ended[];
}

/** What a removal says of the life that it ended: created by then, and of a lower version. */
interface Removal {
  readonly at: number;
  readonly version: number;
}

export function livesOf(
  events: readonly BatchEvent[],
  bodies: readonly TaskBody[],
  recorded: ReadonlyMap<string, Recorded>,
): Lives {
  const { removals, isGone } = removalsOf(events);
  const erased: Recorded[] = [];
  const written: Written[] = [];
  const rest = new Map<string, Recorded>(recorded);
  for (const [taskId, ended] of removals) {
    const row = recorded.get(taskId);
    if (row === undefined || !wasRemoved(row, ended)) continue;
    erased.push(row);
    rest.delete(taskId);
  }
  const isNamed = namedIn(events);
  for (const body of bodies) {
    const { task } = body;
    // Read before it was removed.
    if (isGone.has(task.id) && wasRemoved(task, removals.get(task.id) ?? [])) continue;
    const row = rest.get(task.id) ?? null;
    if (row === null) written.push({ body, before: null });
    else if (row.createdAt === task.createdAt && row.version < task.version) written.push({ body, before: row });
    else if (row.createdAt < task.createdAt || (!isAsRecorded(row, task) && isNamed(task))) {
      erased.push(row);
      written.push({ body, before: null });
    }
  }
  return { erased, written, ended: endedOf(events, new Set(bodies.map(({ task }) => task.id)), rest) };
}

/** Without them such a task would be unfinished in the record for ever, and be brought back from it to run again. */
function endedOf(
  events: readonly BatchEvent[],
  read: ReadonlySet<string>,
  rows: ReadonlyMap<string, Recorded>,
): readonly Ended[] {
  const ended = new Map<string, Ended>();
  for (const { at, items } of events) {
    for (const { taskId, to, reason, attempt, version } of items) {
      const before = read.has(taskId) || to === null || !isFinished(to) ? undefined : rows.get(taskId);
      if (before === undefined || before.createdAt > at || before.version >= version) continue;
      ended.set(taskId, { before, to: to as FinishedState, reason, attempt, version, at });
    }
  }
  return [...ended.values()];
}

function isAsRecorded(row: Recorded, { createdAt, version, state, finishedAt }: Task): boolean {
  const isSame = row.createdAt === createdAt && row.version === version;
  return isSame && row.state === state && row.finishedAt === finishedAt;
}

/**
 * Whether an event of the batch led to the task as it was read, or before. Then it stands so now, whatever was recorded: a live store
 * that lost its last moments goes on from there, and what was recorded of them is of a time that never was.
 */
function namedIn(events: readonly BatchEvent[]): (task: Task) => boolean {
  let named: Map<string, number> | null = null;
  return ({ id, version }) => {
    // Made for the first who asks: nearly always nobody does.
    named ??= new Map(events.flatMap(({ items }) => items.map((item) => [item.taskId, item.version] as const)));
    const last = named.get(id);
    return last !== undefined && last <= version;
  };
}

function removalsOf(events: readonly BatchEvent[]) {
  const removals = new Map<string, Removal[]>();
  /** Those of which no later life began in the batch. */
  const isGone = new Set<string>();
  for (const { at, kind, items } of events) {
    if (kind === 'remove') {
      for (const { taskId, version } of items) {
        const ended = removals.get(taskId);
        if (ended === undefined) removals.set(taskId, [{ at, version }]);
        else ended.push({ at, version });
        isGone.add(taskId);
      }
    } else if (isGone.size > 0 && (kind === 'enqueue' || kind === 'restore')) {
      for (const { taskId } of items) isGone.delete(taskId);
    }
  }
  return { removals, isGone };
}

/** A later life may have been recorded already: bodies are read later than their events. */
function wasRemoved(life: Pick<Recorded, 'createdAt' | 'version'>, ended: readonly Removal[]): boolean {
  return ended.some(({ at, version }) => life.createdAt <= at && life.version < version);
}

/** What a task is counted by. */
export type Counted = Pick<Recorded, 'queue' | 'name' | 'state' | 'reason' | 'attempt'>;

/** Tasks that go from one count to another together. */
export interface Moved {
  readonly before: Counted;
  readonly after: Counted;
  readonly tasks: number;
}

/** What the batch adds to the counts. */
export function countsOf({ erased, written, ended }: Lives, moved: readonly Moved[]): readonly CountDelta[] {
  const deltas = new Map<string, CountDelta>();
  let last: Counted | null = null;
  let lastDelta: CountDelta = ['', '', 'queued', 0];
  const deltaOf = (of: Counted): CountDelta => {
    const view = viewOf(of);
    const key = `${view}\0${of.queue}\0${of.name}`;
    const known = deltas.get(key) ?? [of.queue, of.name, view, 0];
    deltas.set(key, known);
    return known;
  };
  const add = (of: Counted, difference: number): void => {
    // Neighbours are mostly counted alike.
    if (last === null || !isCountedAlike(last, of)) lastDelta = deltaOf(of);
    last = of;
    lastDelta[3] += difference;
  };
  for (const row of erased) add(row, -1);
  for (const { before, after, tasks } of moved) {
    add(before, -tasks);
    add(after, tasks);
  }
  for (const { body, before } of written) {
    if (before !== null) add(before, -1);
    add(body.task, 1);
  }
  for (const { before, to, reason, attempt } of ended) {
    add(before, -1);
    add({ ...before, state: to, reason, attempt }, 1);
  }
  return [...deltas.values()].filter(([, , , difference]) => difference !== 0);
}

function isCountedAlike(left: Counted, right: Counted): boolean {
  return (
    left.state === right.state &&
    left.reason === right.reason &&
    left.attempt === right.attempt &&
    left.queue === right.queue &&
    left.name === right.name
  );
}

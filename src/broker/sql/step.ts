/** One atomic step: every change of a task is recorded here, so that events, counts and minutes cannot differ from it. */

import type { BatchEvent } from '../../core/events.ts';
import { isFinished, type Reason, type TaskState, type TaskView, viewOf } from '../../core/states.ts';
import type { Signal } from '../broker.ts';
import { eachStatement, type SqlTransaction, statement } from './driver.ts';

export type EventKind = BatchEvent['kind'];

/** The stored form of equal changes that follow each other: eight fields for a hundred tasks. */
export type EventGroup = readonly [
  name: string, queue: string, from: TaskState | null, to: TaskState | null, reason: Reason | null, attempt: number, version: number,
  taskIds: string[],
];

/** What a change needs to know of a task before and after. */
export interface Stand {
  readonly state: TaskState;
  readonly reason: Reason | null;
  readonly attempt: number;
}

/** A task's end or another attempt, for the minute buckets. */
export interface RunNumbers {
  readonly waitMs: number;
  readonly runMs: number;
  readonly retried: boolean;
}

/** [queue, name, succeeded, failed, cancelled, retried, waitMs, runMs] */
export type MinuteDelta = [string, string, number, number, number, number, number, number];
/** [queue, name, view, difference] */
export type CountDelta = [string, string, TaskView, number];

/** A call under way: its transaction, its time, and what it has changed so far. */
export interface Step {
  readonly tx: SqlTransaction;
  readonly now: number;
  readonly events: Map<EventKind, EventGroup[]>;
  readonly counts: Map<string, CountDelta>;
  readonly minutes: Map<string, MinuteDelta>;
  readonly work: Set<string>;
  readonly cancels: string[];
  readonly finished: string[];
  settings: boolean;
}

export function createStep(tx: SqlTransaction, now: number): Step {
  return { tx, now, events: new Map(), counts: new Map(), minutes: new Map(), work: new Set(), cancels: [], finished: [], settings: false };
}

/** Who changed. */
export interface Subject {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
}

/**
 * Records that a task was stored (`before` null), changed or removed (`after` null). `version` is the one after it,
 * `formerQueue` the queue it was in when it moved.
 */
export function record(
  step: Step, kind: EventKind, task: Subject, before: Stand | null, after: Stand | null, version: number, run?: RunNumbers, formerQueue = task.queue,
): void {
  const { reason, attempt } = after ?? before ?? { reason: null, attempt: 0 };
  appendItem(step, kind, [task.name, task.queue, before?.state ?? null, after?.state ?? null, reason, attempt, version, [task.id]]);
  const from = before && viewOf(before);
  const to = after && viewOf(after);
  if (from !== to || formerQueue !== task.queue) {
    if (from !== null) addCount(step, formerQueue === task.queue ? task : { ...task, queue: formerQueue }, from, -1);
    if (to !== null) addCount(step, task, to, +1);
  }
  if (after === null) return;
  if (after.state === 'queued') step.work.add(task.queue);
  const ended = isFinished(after.state) && !(before !== null && isFinished(before.state));
  if (ended) step.finished.push(task.id);
  if (before !== null && (ended || run?.retried === true)) addMinute(step, task, after.state, run);
}

/** Equal neighbours share a group: a batch of ordinary tasks is one. */
function appendItem(step: Step, kind: EventKind, item: EventGroup): void {
  const groups = step.events.get(kind);
  if (groups === undefined) {
    step.events.set(kind, [item]);
    return;
  }
  const last = groups[groups.length - 1];
  if (
    last !== undefined && last[0] === item[0] && last[1] === item[1] && last[2] === item[2] && last[3] === item[3] && last[4] === item[4] &&
    last[5] === item[5] && last[6] === item[6]
  ) {
    last[7].push(...item[7]);
  } else groups.push(item);
}

function addCount(step: Step, task: Subject, view: TaskView, difference: number): void {
  const key = `${view}\0${task.queue}\0${task.name}`;
  const known = step.counts.get(key);
  if (known === undefined) step.counts.set(key, [task.queue, task.name, view, difference]);
  else known[3] += difference;
}

function addMinute(step: Step, task: Subject, to: TaskState, run: RunNumbers | undefined): void {
  const key = `${task.queue}\0${task.name}`;
  let minute = step.minutes.get(key);
  if (minute === undefined) {
    minute = [task.queue, task.name, 0, 0, 0, 0, 0, 0];
    step.minutes.set(key, minute);
  }
  if (to === 'succeeded') minute[2] += 1;
  else if (to === 'failed') minute[3] += 1;
  else if (to === 'cancelled') minute[4] += 1;
  else minute[5] += 1;
  if (isFinished(to) && run !== undefined) {
    minute[6] += run.waitMs;
    minute[7] += run.runMs;
  }
}

/** Where one call touches a task twice, its events come in this order, and so its versions grow. */
const eventOrder: readonly EventKind[] = [
  'restore', 'enqueue', 'replace', 'settle', 'judge', 'claim', 'promote', 'unblock', 'cancel', 'cancelRequest', 'update', 'retry', 'remove',
  'prune', 'configure',
];

/** Appends one row a kind of change. Inputs: time, kind, groups of items. Locks: none beyond the new row. */
const appendEvents = eachStatement('append_events', { at: 'bigint', kind: 'text', items: 'text' }, (value, from) =>
  `INSERT INTO events (at, kind, items) SELECT ${value.at}, ${value.kind}, ${value.items} ${from}`);

/**
 * Appends what the step adds to the counts and minutes. Appending never waits for another transaction, where changing the
 * kept rows would: a user's long transaction with an enqueue in it must block nobody.
 */
const appendDeltas = statement('append_deltas', () => 'INSERT INTO deltas (at, counts, minutes) VALUES ($1, $2, $3)');

/** Stores what the step has recorded. Answers whether it changed anything. */
export async function endStep(step: Step): Promise<boolean> {
  if (step.events.size === 0) return false;
  const rows = eventOrder.flatMap((kind) => {
    const groups = step.events.get(kind);
    return groups === undefined ? [] : [[step.now, kind, JSON.stringify(groups)]];
  });
  await step.tx.each(appendEvents, rows);
  const counts = [...step.counts.values()].filter((delta) => delta[3] !== 0);
  if (counts.length > 0 || step.minutes.size > 0) {
    const minutes = step.minutes.size === 0 ? null : JSON.stringify([...step.minutes.values()]);
    await step.tx.query(appendDeltas, step.now, JSON.stringify(counts), minutes);
  }
  return true;
}

/** The hints to send once the step is stored. */
export function signalsOf(step: Step): readonly Signal[] {
  const signals: Signal[] = [];
  if (step.work.size > 0) signals.push({ kind: 'work', queues: [...step.work] });
  if (step.cancels.length > 0) signals.push({ kind: 'cancel', taskIds: step.cancels });
  if (step.finished.length > 0) signals.push({ kind: 'finished', taskIds: step.finished });
  if (step.settings) signals.push({ kind: 'settings' });
  return signals;
}

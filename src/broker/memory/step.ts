/** One atomic step: every change of a task goes through here, so that version, counts and events cannot differ from it. */

import type { BatchEvent, EventItem } from '../../core/events.ts';
import { isFinished, viewOf } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import type { Signal } from '../broker.ts';
import { forgetEdges } from './edges.ts';
import type { MemoryState, Row } from './state.ts';
import { joinRound, noteStanding } from './turns.ts';

type Kind = BatchEvent['kind'];

/** Where one call touches a task twice, its events come in this order, and so its versions grow. */
const eventOrder: readonly Kind[] = [
  'restore',
  'enqueue',
  'settle',
  'judge',
  'replace',
  'block',
  'unblock',
  'claim',
  'promote',
  'cancel',
  'cancelRequest',
  'update',
  'retry',
  'remove',
  'prune',
  'configure',
  'control',
  'fire',
];

/** A call under way: its time, and what it has changed so far. */
export interface Step {
  readonly state: MemoryState;
  readonly now: number;
  readonly items: Map<Kind, EventItem[]>;
  /** Queues in which tasks may be claimable now. */
  readonly work: Set<string>;
  /** Limits that may let waiting tasks through now. */
  readonly freed: Set<string>;
  readonly cancels: string[];
  readonly finished: string[];
  /** Blocked tasks whose parents may all be done. */
  readonly blocked: Set<string>;
  /** Whether a parent's end left a task to be judged. */
  overdue: boolean;
  /** Of `finished`, how many have released their children. */
  released: number;
  /** When the first of the tasks is due that it has scheduled. */
  dueAt: number;
  configured: boolean;
  /** Workers that a command was left for. */
  readonly commanded: string[];
  /** Whether a schedule was fired or moved on. */
  fired: boolean;
  /** The groups that had queued tasks before the step; `null` until one with a group is changed. */
  standing: Set<string> | null;
}

export function beginStep(state: MemoryState, clockNow: number): Step {
  state.lastNow = Math.max(state.lastNow, clockNow);
  return {
    state,
    now: state.lastNow,
    items: new Map(),
    work: new Set(),
    freed: new Set(),
    cancels: [],
    finished: [],
    blocked: new Set(),
    overdue: false,
    released: 0,
    dueAt: Infinity,
    configured: false,
    commanded: [],
    fired: false,
    standing: null,
  };
}

/** Appends the events of the step and answers the signals to send after it. */
export function endStep(step: Step): readonly Signal[] {
  for (const kind of eventOrder) {
    const items = step.items.get(kind);
    if (items === undefined && !isTold(step, kind)) continue;
    // By the number of its tasks, so that the difference of two numbers is what lies between them.
    step.state.lastSeq += Math.max(1, items?.length ?? 0);
    step.state.events.push({ seq: step.state.lastSeq, at: step.now, kind, items: items ?? [] });
  }
  const signals: Signal[] = [];
  if (step.freed.size > 0) signals.push({ kind: 'work', queues: null });
  else if (step.work.size > 0) signals.push({ kind: 'work', queues: [...step.work] });
  if (step.dueAt < Infinity) signals.push({ kind: 'due', inMs: Math.max(0, step.dueAt - step.now) });
  if (step.cancels.length > 0) signals.push({ kind: 'cancel', taskIds: step.cancels });
  if (step.overdue) signals.push({ kind: 'overdue' });
  if (step.finished.length > 0) signals.push({ kind: 'finished', taskIds: step.finished });
  if (step.configured) signals.push({ kind: 'settings' });
  if (step.commanded.length > 0) signals.push({ kind: 'command', workerIds: [...new Set(step.commanded)] });
  return signals;
}

/** Whether there was such a change that is no task's. */
function isTold(step: Step, kind: Kind): boolean {
  if (kind === 'configure') return step.configured;
  if (kind === 'control') return step.commanded.length > 0;
  return kind === 'fire' && step.fired;
}

/** Stores a task that is new here. */
export function insertTask(step: Step, kind: 'enqueue' | 'restore', task: Task): void {
  noteStanding(step, task);
  step.state.rows.set(task.id, {
    task,
    token: null,
    settledToken: null,
    judgeToken: null,
    judgeUntil: null,
    leavesAt: leavesAt(step, task),
    attempts: [],
    logs: [],
  });
  record(step, kind, null, task, task.version);
  if (task.state === 'blocked') step.blocked.add(task.id);
}

/** Replaces a task by its next version. */
export function changeTask(step: Step, kind: Kind, row: Row, patch: Partial<Task>): void {
  const before = row.task;
  noteStanding(step, before);
  row.task = { ...before, ...patch, version: before.version + 1 };
  row.leavesAt = leavesAt(step, row.task);
  record(step, kind, before, row.task, row.task.version);
  if (!isFinished(before.state) && isFinished(row.task.state)) step.finished.push(before.id);
  if (row.task.state === 'blocked') step.blocked.add(before.id);
}

function leavesAt({ state, now }: Step, { pruneAt }: Task): number | null {
  return pruneAt === null ? null : Math.min(pruneAt, now + (state.outbox?.liveKeepMs ?? Infinity));
}

/** Removes a task with its attempts and logs. */
export function eraseTask(step: Step, kind: 'remove' | 'prune', row: Row): void {
  step.state.rows.delete(row.task.id);
  forgetEdges(step.state, row.task.id);
  record(step, kind, row.task, null, row.task.version + 1);
}

function record(step: Step, kind: Kind, before: Task | null, after: Task | null, version: number): void {
  if (before !== null) count(step.state, before, -1);
  if (after !== null) count(step.state, after, +1);
  if (after?.state === 'queued') {
    step.work.add(after.queue);
    if (before?.state !== 'queued' || before.queue !== after.queue) joinRound(step, after);
  }
  if (after?.state === 'scheduled' && (before?.state !== 'scheduled' || before.dueAt !== after.dueAt))
    step.dueAt = Math.min(step.dueAt, after.dueAt);
  const task = after ?? before;
  if (task === null) return;
  const item: EventItem = {
    taskId: task.id,
    name: task.name,
    queue: task.queue,
    version,
    from: before?.state ?? null,
    to: after?.state ?? null,
    reason: task.reason,
    attempt: task.attempt,
  };
  const items = step.items.get(kind);
  if (items === undefined) step.items.set(kind, [item]);
  else items.push(item);
}

function count(state: MemoryState, task: Task, delta: number): void {
  const key = JSON.stringify([task.queue, task.name, viewOf(task)]);
  const next = (state.counts.get(key) ?? 0) + delta;
  if (next === 0) state.counts.delete(key);
  else state.counts.set(key, next);
}

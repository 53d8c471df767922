/** One atomic step: every change of a task is recorded here, so that events, counts and minutes cannot differ from it. */

import type { TaskState } from '../../core/states.ts';
import type { StandingGroup } from '../../core/turns.ts';
import type { Signal } from '../broker.ts';
import {
  addChange,
  type ChangeGroup,
  countDeltas,
  type EventKind,
  endsLife,
  eventGroup,
  minuteDeltas,
  type RunNumbers,
  type Stand,
  type Subject,
} from './changes.ts';
import { eachStatement, type SqlTransaction, statement } from './driver.ts';
import type { Place } from './lanes.ts';
import type { SettledRow } from './settled-rows.ts';

/** A call under way: its transaction, its time, and what it has changed so far. */
export interface Step {
  readonly tx: SqlTransaction;
  readonly now: number;
  readonly changes: ChangeGroup[];
  /** Queues that were resumed, and running tasks that are asked to stop. */
  readonly resumed: string[];
  readonly cancels: string[];
  /** Queues of which everything claimable was claimed by this step. */
  readonly emptied: Set<string>;
  /** Limits that may let waiting tasks through now. */
  readonly freed: Set<string>;
  /** Tasks that ended and may have children, with their last state, until those were released. */
  readonly ended: Map<string, TaskState>;
  /** Blocked tasks whose parents may all be done. */
  readonly blocked: Set<string>;
  /** Whether a parent's end left a task to be judged. */
  overdue: boolean;
  /**
   * Where the claims of this process go on behind tasks with full limits, by queue and group, and behind groups whose
   * first tasks have such, by queue. Forgetting them costs time only.
   */
  readonly places: Map<string, Place>;
  /** How far they have looked at what they jump over on the way there. */
  readonly between: Map<string, Place>;
  readonly turnPlaces: Map<string, StandingGroup>;
  /** By queue the group in which this process has last read on behind full limits. */
  readonly readOn: Map<string, StandingGroup>;
  /** Tasks that this process has claimed, see remembered.ts. */
  readonly remembered: Map<string, SettledRow>;
  /** When the first of the tasks is due that were scheduled. */
  dueAt: number;
  configured: boolean;
  /** Workers that a command was left for. */
  readonly commanded: string[];
  /** Whether a schedule was fired or moved on. */
  fired: boolean;
}

/** Runs a call as one step. */
export type Change = <Answer>(call: (step: Step) => Promise<Answer>) => Promise<Answer>;

/** What a call asks before its time is known, which is at least `earliest`, and the call with what was asked. */
export type AskingCall<Answer, Asked> = readonly [
  ask: (tx: SqlTransaction, earliest: number) => Asked,
  call: (step: Step, asked: Asked) => Promise<Answer>,
];

/** What a process remembers from one claim to the next. */
export type Memory = Pick<Step, 'places' | 'between' | 'turnPlaces' | 'readOn' | 'remembered'>;

export function createMemory(): Memory {
  return { places: new Map(), between: new Map(), turnPlaces: new Map(), readOn: new Map(), remembered: new Map() };
}

export function createStep(
  tx: SqlTransaction,
  now: number,
  { places, between, turnPlaces, readOn, remembered }: Memory = createMemory(),
): Step {
  return {
    tx,
    now,
    changes: [],
    resumed: [],
    cancels: [],
    emptied: new Set(),
    freed: new Set(),
    ended: new Map(),
    blocked: new Set(),
    overdue: false,
    places,
    between,
    turnPlaces,
    readOn,
    remembered,
    dueAt: Infinity,
    configured: false,
    commanded: [],
    fired: false,
  };
}

/** Notes that a task was scheduled for then, so that somebody is awake at its time. */
export function noteDue(step: Step, dueAt: number): void {
  if (dueAt < step.dueAt) step.dueAt = dueAt;
}

/** Records a change: see {@link addChange}. */
export function record(
  step: Step,
  kind: EventKind,
  task: Subject,
  before: Stand | null,
  after: Stand | null,
  version: number,
  run?: RunNumbers,
  formerQueue?: string,
): void {
  addChange(step.changes, kind, task, before, after, version, run, formerQueue);
}

/** Where one call touches a task twice, its events come in this order, and so its versions grow. */
const eventOrder: readonly EventKind[] = [
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

/** Appends one row a kind of change. Inputs: time, kind, groups of items. Locks: none beyond the new row. */
export const appendEvents = eachStatement(
  'append_events',
  { at: 'bigint', kind: 'text', items: 'text' },
  (value, from) => `INSERT INTO events (at, kind, items) SELECT ${value.at}, ${value.kind}, ${value.items} ${from}`,
);

/**
 * Appends what the step adds to the counts and minutes. Appending never waits for another transaction, where changing the
 * kept rows would: a user's long transaction with an enqueue in it must block nobody.
 */
export const appendDelta = statement(
  'append_deltas',
  () => 'INSERT INTO deltas (at, counts, minutes) VALUES ($1, $2, $3)',
);

/** Stores what the step has recorded. Answers whether it changed anything. */
export async function endStep(step: Step): Promise<boolean> {
  const { changes, now } = step;
  if (changes.length === 0 && !step.configured && step.commanded.length === 0 && !step.fired) return false;
  const byKind = Map.groupBy(changes, ({ kind }) => kind);
  const kinds = eventOrder.filter((kind) => byKind.has(kind) || isTold(step, kind));
  step.tx.holdEvents();
  step.tx.sendEach(
    appendEvents,
    kinds.map((kind) => [now, kind, JSON.stringify((byKind.get(kind) ?? []).map(eventGroup))]),
  );
  const counts = countDeltas(changes);
  const minutes = minuteDeltas(changes);
  if (counts.length > 0 || minutes.length > 0) {
    step.tx.send(appendDelta, now, JSON.stringify(counts), minutes.length === 0 ? null : JSON.stringify(minutes));
  }
  return true;
}

/** Whether there was such a change that is no task's. */
function isTold(step: Step, kind: EventKind): boolean {
  if (kind === 'configure') return step.configured;
  if (kind === 'control') return step.commanded.length > 0;
  return kind === 'fire' && step.fired;
}

/** The queues in which tasks may be claimable now. */
export function workOf(step: Step): Set<string> {
  const work = new Set(step.resumed);
  for (const group of step.changes) if (group.to === 'queued') work.add(group.queue);
  return work;
}

/** The hints to send once the step is stored. */
export function signalsOf(step: Step): readonly Signal[] {
  const work = workOf(step);
  for (const queue of step.emptied) work.delete(queue);
  const finished: string[] = [];
  for (const group of step.changes) if (endsLife(group)) finished.push(...group.taskIds);
  const signals: Signal[] = [];
  if (step.freed.size > 0) signals.push({ kind: 'work', queues: null });
  else if (work.size > 0) signals.push({ kind: 'work', queues: [...work] });
  if (step.dueAt < Infinity) signals.push({ kind: 'due', inMs: Math.max(0, step.dueAt - step.now) });
  if (step.cancels.length > 0) signals.push({ kind: 'cancel', taskIds: step.cancels });
  if (step.overdue) signals.push({ kind: 'overdue' });
  if (finished.length > 0) signals.push({ kind: 'finished', taskIds: finished });
  if (step.configured) signals.push({ kind: 'settings' });
  if (step.commanded.length > 0) signals.push({ kind: 'command', workerIds: [...new Set(step.commanded)] });
  return signals;
}

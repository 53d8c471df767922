/** What a call ties together, found out before anything of it is stored. */

import { asSet, edgeState, unknownParent } from '../../core/dependencies.ts';
import type { TaskState } from '../../core/states.ts';
import type { Dependency, NewTask } from '../../core/task.ts';
import type { Arrival, Played } from './arrivals.ts';
import { type Edge, type ParentRow, readParentRows } from './edges.ts';
import type { Wish } from './flows.ts';
import type { Gain } from './gains.ts';
import type { Step } from './step.ts';

/** A call in the order in which it is stored, and what it came to. */
export interface Ties {
  readonly tasks: readonly NewTask[];
  /** Where each of `tasks` stood in the call. */
  readonly positions: readonly number[];
  readonly played: Played;
  /** The flows that were cancelled. */
  readonly wishes: ReadonlyMap<string, Wish>;
  /** What a parent means that is nowhere. */
  readonly unknown: 'refuse' | 'fail';
}

export interface Tied {
  readonly arrivals: readonly Arrival[];
  readonly edges: readonly Edge[];
  readonly gains: readonly Gain[];
  /** Arrivals of cancelled flows. */
  readonly unwanted: readonly Arrival[];
  /** Parents that were there before. */
  readonly parents: ReadonlyMap<string, ParentRow>;
}

/** Who the parents of a call are, and how they stand at the turn of each task. */
interface Names {
  /** A task whose key is held gives way to the holder, also as a parent. */
  named(taskId: string): string;
  readonly holders: ReadonlySet<string>;
  readonly rows: ReadonlyMap<string, ParentRow>;
  /** What was cancelled on the way. */
  readonly cancelled: Set<string>;
  stateOf(taskId: string): TaskState | null;
}

/** Throws INVALID_FLOW for a parent that is nowhere, where the call says so. */
export async function tie(step: Step, ties: Ties): Promise<Tied> {
  const names = await readNames(step, ties);
  const arrivals: Arrival[] = [];
  const unwanted: Arrival[] = [];
  const edges: Edge[] = [];
  // As if each were stored before the next: what was cancelled on the way has failed for the rest.
  for (const [index, given] of ties.tasks.entries()) {
    const arrival = ties.played.arrivals.get(given.id);
    if (arrival?.task !== given) continue;
    if (arrival.replaces !== null) names.cancelled.add(arrival.replaces);
    const own = edgesOf(ties, names, index);
    edges.push(...own);
    const tied = withEdges(arrival, own);
    arrivals.push(tied);
    if (!ties.wishes.has(given.flowId ?? '')) continue;
    unwanted.push(tied);
    names.cancelled.add(given.id);
  }
  const gains = gainsOf(ties, names, edges);
  const parentIds = new Set([...edges, ...gains].map(({ parentId }) => parentId));
  return {
    arrivals: arrivals.map((arrival) => {
      return parentIds.has(arrival.task.id) ? { ...arrival, task: { ...arrival.task, hasChildren: true } } : arrival;
    }),
    edges,
    gains,
    unwanted,
    parents: new Map([...names.rows].filter(([id]) => parentIds.has(id))),
  };
}

async function readNames(step: Step, { tasks, played }: Ties): Promise<Names> {
  const standsFor = new Map<string, string>();
  for (const result of played.results) if (result.outcome === 'duplicate') standsFor.set(result.taskId, result.of);
  const named = (taskId: string): string => standsFor.get(taskId) ?? taskId;
  const wanted = tasks.flatMap(({ dependsOn }) => dependsOn.map(({ taskId }) => named(taskId)));
  const rows = await readParentRows(step, [...wanted, ...standsFor.values()]);
  const cancelled = new Set<string>();
  return {
    named,
    holders: new Set(standsFor.values()),
    rows,
    cancelled,
    stateOf: (taskId) => {
      if (cancelled.has(taskId)) return 'cancelled';
      return played.arrivals.has(taskId) ? 'queued' : (rows.get(taskId)?.state ?? null);
    },
  };
}

function edgesOf({ tasks, positions, unknown }: Ties, names: Names, index: number): readonly Edge[] {
  const { id: childId = '', dependsOn = [] } = tasks[index] ?? {};
  const parents = asSet(dependsOn.map((each): Dependency => ({ ...each, taskId: names.named(each.taskId) })));
  // The holder of a kept key may be gone. It has succeeded, so nothing waits for it.
  const wanted = parents.filter(({ taskId }) => names.stateOf(taskId) !== null || !names.holders.has(taskId));
  return wanted.map(({ taskId, onFailure }, place) => {
    const state = names.stateOf(taskId);
    if (state === null && unknown === 'refuse') throw unknownParent(positions[index] ?? 0, place, taskId);
    return { parentId: taskId, childId, onFailure, state: edgeState(state, onFailure) };
  });
}

function withEdges(arrival: Arrival, edges: readonly Edge[]): Arrival {
  const dependsOn = edges.map(({ parentId, onFailure }) => ({ taskId: parentId, onFailure }));
  return {
    ...arrival,
    task: { ...arrival.task, dependsOn },
    state: edges.some(({ state }) => state !== 'done') ? 'blocked' : arrival.state,
    isDoomed: edges.some(({ state }) => state === 'failed'),
  };
}

function gainsOf({ tasks, positions, played }: Ties, names: Names, edges: readonly Edge[]): readonly Gain[] {
  const waiting = new Set(edges.filter(({ state }) => state === 'open').map(({ childId }) => childId));
  return tasks.flatMap((task, index) => {
    const parentId = names.named(task.id);
    const counts = played.arrivals.get(task.id)?.task === task || parentId !== task.id;
    const state = names.stateOf(parentId);
    if (!counts || state === null) return [];
    const waits = waiting.has(parentId) || names.holders.has(parentId);
    return task.blocks.map(({ taskId: childId, onFailure }): Gain => {
      const edge = edgeState(state, onFailure);
      return { parentId, childId, onFailure, state: edge, position: positions[index] ?? 0, waits };
    });
  });
}

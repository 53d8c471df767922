/** Dependencies as rules: what a parent's state means for its child, and in which order the tasks of one call are stored. */

import { taskFlowError } from './errors.ts';
import { limits } from './limits.ts';
import { isFinished, type TaskState } from './states.ts';
import type { Dependency, NewTask, OnFailure } from './task.ts';

/** `open`: the parent has not ended. `done`: it holds nothing back. `failed`: it holds the child back for good. */
export type EdgeState = 'open' | 'done' | 'failed';

/** How an edge stands with its parent in this state; `null` is a parent that is gone. */
export function edgeState(parent: TaskState | null, onFailure: OnFailure): EdgeState {
  if (parent === 'succeeded') return 'done';
  if (parent !== null && !isFinished(parent)) return 'open';
  return onFailure === 'ignore' ? 'done' : 'failed';
}

/** Each parent once: the first word about it counts. */
export function asSet(dependencies: readonly Dependency[]): readonly Dependency[] {
  if (dependencies.length < 2) return dependencies;
  const first = new Map<string, Dependency>();
  for (const dependency of dependencies) {
    if (!first.has(dependency.taskId)) first.set(dependency.taskId, dependency);
  }
  return first.size === dependencies.length ? dependencies : [...first.values()];
}

/** What is told of parents, and how large it is, or would be. */
export interface ParentSize {
  readonly taskId: string;
  readonly bytes: number;
}

/** The parents of which all is told while no more than `bytesMax` may be: the smallest first, so that most are. */
export function parentsThatFit(parents: readonly ParentSize[], bytesMax: number): ReadonlySet<string> {
  const fitting = new Set<string>();
  let left = bytesMax;
  for (const { taskId, bytes } of parents.toSorted((a, b) => a.bytes - b.bytes || (a.taskId < b.taskId ? -1 : 1))) {
    left -= bytes;
    if (left < 0) break;
    fitting.add(taskId);
  }
  return fitting;
}

/** Whether storing the task takes more than its own row. */
export function isLinked(task: Pick<NewTask, 'dependsOn' | 'blocks' | 'flowId'>): boolean {
  return task.dependsOn.length > 0 || task.blocks.length > 0 || task.flowId !== null;
}

/** The tasks of one call in the order in which they are stored. */
export interface OrderedTasks {
  /** Parents before children, else in the order of the call. What they block within the call is in `dependsOn` of those. */
  readonly tasks: readonly NewTask[];
  /** Where each of `tasks` stood in the call. */
  readonly positions: readonly number[];
}

/**
 * Puts parents before their children. Throws INVALID_FLOW, with the path, for tasks that wait for each other, for too many
 * parents of one and too many edges in all. What is not in the call is not looked at.
 */
export function inOrder(call: readonly NewTask[]): OrderedTasks {
  checkEdges(call);
  const places = new Map<string, number>();
  for (const [position, { id }] of call.entries()) if (!places.has(id)) places.set(id, position);
  const linked = withInnerParents(call, places);
  const order = sortParentsFirst(linked, places);
  return { tasks: order.map((position) => linked[position] as NewTask), positions: order };
}

function checkEdges(call: readonly NewTask[]): void {
  let edges = 0;
  for (const [position, { dependsOn, blocks }] of call.entries()) {
    edges += dependsOn.length + blocks.length;
    if (edges <= limits.edgesMax) continue;
    const problem = `with it the call has ${edges} dependencies, at most ${limits.edgesMax} are allowed`;
    throw taskFlowError('INVALID_FLOW', { path: `tasks[${position}]`, problem });
  }
}

function withInnerParents(call: readonly NewTask[], places: ReadonlyMap<string, number>): readonly NewTask[] {
  const gained = new Map<number, Dependency[]>();
  for (const { id, blocks } of call) {
    for (const { taskId, onFailure } of blocks) {
      const place = places.get(taskId);
      if (place !== undefined) gained.set(place, [...(gained.get(place) ?? []), { taskId: id, onFailure }]);
    }
  }
  return call.map((task, position) => {
    const dependsOn = asSet([...task.dependsOn, ...(gained.get(position) ?? [])]);
    if (dependsOn.length > limits.dependenciesMax) {
      const problem = `it has ${dependsOn.length} parents, at most ${limits.dependenciesMax} are allowed`;
      throw taskFlowError('INVALID_FLOW', { path: `tasks[${position}].dependsOn`, problem });
    }
    return { ...task, dependsOn, blocks: task.blocks.filter(({ taskId }) => !places.has(taskId)) };
  });
}

/** Depth first, without recursion: a chain may be as long as the call. */
function sortParentsFirst(tasks: readonly NewTask[], places: ReadonlyMap<string, number>): readonly number[] {
  const order: number[] = [];
  const entered = new Set<number>();
  const done = new Set<number>();
  for (const start of tasks.keys()) {
    const way: { readonly position: number; next: number }[] = entered.has(start) ? [] : [{ position: start, next: 0 }];
    entered.add(start);
    for (let step = way.at(-1); step !== undefined; step = way.at(-1)) {
      const { position } = step;
      const dependency = tasks[position]?.dependsOn[step.next];
      if (dependency === undefined) {
        done.add(position);
        order.push(position);
        way.pop();
        continue;
      }
      const place = places.get(dependency.taskId);
      if (place !== undefined && entered.has(place) && !done.has(place)) {
        const loop = way.map((each) => each.position);
        throw loopError(tasks, loop.slice(loop.indexOf(place)), step.next);
      }
      step.next += 1;
      if (place === undefined || done.has(place)) continue;
      entered.add(place);
      way.push({ position: place, next: 0 });
    }
  }
  return order;
}

const loopToldMax = 6;

function loopError(tasks: readonly NewTask[], loop: readonly number[], dependency: number): Error {
  const ids = loop.map((position) => tasks[position]?.id ?? '');
  const told = ids.length > loopToldMax ? [...ids.slice(0, loopToldMax), `… (${ids.length} tasks)`] : ids;
  const problem = `the tasks wait for each other: ${[...told, ids[0]].join(' waits for ')}`;
  return taskFlowError('INVALID_FLOW', { path: `tasks[${loop.at(-1)}].dependsOn[${dependency}]`, problem });
}

/** Who waits for whom: by task, those that it waits for. */
export type Waits = ReadonlyMap<string, readonly string[]>;

/** Whether tasks wait for each other. Depth first, without recursion, each task once. */
export function hasLoop(waits: Waits): boolean {
  const entered = new Set<string>();
  const done = new Set<string>();
  for (const start of waits.keys()) {
    const way = entered.has(start) ? [] : [{ id: start, next: 0 }];
    entered.add(start);
    for (let step = way.at(-1); step !== undefined; step = way.at(-1)) {
      const parentId = waits.get(step.id)?.[step.next];
      step.next += 1;
      if (parentId === undefined) {
        done.add(step.id);
        way.pop();
      } else if (!entered.has(parentId)) {
        entered.add(parentId);
        way.push({ id: parentId, next: 0 });
      } else if (!done.has(parentId)) return true;
    }
  }
  return false;
}

/** Whether the other task must end before this one may run. */
export function mustWaitFor(waits: Waits, taskId: string, otherId: string): boolean {
  const seen = new Set([taskId]);
  for (const id of seen) {
    if (id === otherId) return true;
    for (const parentId of waits.get(id) ?? []) seen.add(parentId);
  }
  return false;
}

/** A parent that is nowhere: neither stored nor in the call. */
export function unknownParent(position: number, dependency: number, taskId: string): Error {
  const path = `tasks[${position}].dependsOn[${dependency}]`;
  return taskFlowError('INVALID_FLOW', { path, problem: `there is no task ${taskId}` });
}

/** Throws INVALID_FLOW when the task has more parents than it may, with those that it gains. */
export function checkParents(position: number, taskId: string, count: number): void {
  if (count <= limits.parentsMax) return;
  const problem = `${taskId} would have ${count} parents, at most ${limits.parentsMax} are allowed`;
  throw taskFlowError('INVALID_FLOW', { path: `tasks[${position}].blocks`, problem });
}

/** A task that would wait, by way of stored ones, for one that it holds back itself. */
export function loopThroughStore(position: number, taskId: string): Error {
  const problem = `the task waits for ${taskId}, which would wait for it`;
  return taskFlowError('INVALID_FLOW', { path: `tasks[${position}].blocks`, problem });
}

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
 * Puts parents before their children. Throws INVALID_FLOW, with the path, for tasks that wait for each other and for too
 * many parents. What is not in the call is not looked at.
 */
export function inOrder(call: readonly NewTask[]): OrderedTasks {
  const places = new Map<string, number>();
  for (const [position, { id }] of call.entries()) if (!places.has(id)) places.set(id, position);
  const linked = withInnerParents(call, places);
  const order = sortParentsFirst(linked, places);
  return { tasks: order.map((position) => linked[position] as NewTask), positions: order };
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

/** A parent that is nowhere: neither stored nor in the call. */
export function unknownParent(position: number, dependency: number, taskId: string): Error {
  const path = `tasks[${position}].dependsOn[${dependency}]`;
  return taskFlowError('INVALID_FLOW', { path, problem: `there is no task ${taskId}` });
}

/** A task that would wait, by way of stored ones, for one that it holds back itself. */
export function loopThroughStore(position: number, taskId: string): Error {
  const problem = `the task waits for ${taskId}, which would wait for it`;
  return taskFlowError('INVALID_FLOW', { path: `tasks[${position}].blocks`, problem });
}

/** Edges between tasks: who waits for whom, found by scanning. */

import { edgeState, parentsThatFit } from '../../core/dependencies.ts';
import type { ParentFact, RelativeFact } from '../../core/facts.ts';
import { utf8Length } from '../../core/json.ts';
import { limits } from '../../core/limits.ts';
import { isFinished } from '../../core/states.ts';
import type { FailedParent, ParentResult, Task } from '../../core/task.ts';
import type { MemoryState } from './state.ts';
import type { Step } from './step.ts';

/** Looks at the parents as they are now and stores an edge to each of them. */
export function storeEdges(state: MemoryState, child: Task): void {
  for (const { taskId, onFailure } of child.dependsOn) {
    setEdge(state, child.id, taskId, edgeState(state.rows.get(taskId)?.task.state ?? null, onFailure));
  }
}

export function setEdge(state: MemoryState, childId: string, parentId: string, edge: 'open' | 'done' | 'failed'): void {
  const known = state.edges.get(childId);
  if (known === undefined) state.edges.set(childId, new Map([[parentId, edge]]));
  else known.set(parentId, edge);
}

/** Whether a parent holds the task back. */
export function isHeldBack(state: MemoryState, taskId: string): boolean {
  return [...(state.edges.get(taskId)?.values() ?? [])].some((edge) => edge !== 'done');
}

/** A judge has decided that no parent holds the task back any more. */
export function letGo(state: MemoryState, childId: string): void {
  const edges = state.edges.get(childId);
  for (const parentId of edges?.keys() ?? []) edges?.set(parentId, 'done');
}

/** The children of a task, by id. */
export function childrenOf(state: MemoryState, parentId: string): readonly string[] {
  return [...state.edges]
    .filter(([, parents]) => parents.has(parentId))
    .map(([childId]) => childId)
    .sort();
}

/** Whether an unfinished task may still ask for the result of this one. */
export function isNeeded(state: MemoryState, parentId: string): boolean {
  return childrenOf(state, parentId).some((childId) => {
    const child = state.rows.get(childId)?.task;
    return child !== undefined && !isFinished(child.state);
  });
}

/** A failed edge outlives its parent, for the verdict on the child; every edge goes with its child. */
export function forgetEdges(state: MemoryState, taskId: string): void {
  state.edges.delete(taskId);
  for (const parents of state.edges.values()) if (parents.get(taskId) === 'done') parents.delete(taskId);
}

export function failedParents(state: MemoryState, child: Task): readonly FailedParent[] {
  const edges = state.edges.get(child.id);
  return child.dependsOn
    .filter(({ taskId }) => edges?.get(taskId) === 'failed')
    .map((dependency) => ({ ...dependency, ...nameAndState(state, dependency.taskId) }));
}

/** What a claim tells about the parents of these tasks, by the task. */
export function parentResults(
  { state: { rows } }: Step,
  children: readonly Task[],
): (child: Task) => readonly ParentResult[] {
  const parents = new Set(children.flatMap(({ dependsOn }) => dependsOn.map(({ taskId }) => taskId)));
  const sizes = new Map([...parents].map((taskId) => [taskId, bytesOf(rows.get(taskId)?.task)]));
  const fitting = parentsThatFit(
    [...sizes].map(([taskId, bytes]) => ({ taskId, bytes })),
    limits.claimParentsBytesMax,
  );
  return ({ dependsOn }) =>
    dependsOn.map(({ taskId }) => {
      const { name = null, state = null, result = null, error = null } = rows.get(taskId)?.task ?? {};
      if (fitting.has(taskId)) return { taskId, name, state, result, error };
      return { taskId, name, state, result: null, error: null, leftOutBytes: sizes.get(taskId) ?? 0 };
    });
}

function bytesOf(parent: Task | undefined): number {
  const error = parent?.error ?? null;
  return utf8Length(parent?.result ?? '') + (error === null ? 0 : utf8Length(JSON.stringify(error)));
}

/** Those that hold it back first, then by id. */
export function parentFacts(state: MemoryState, child: Task): readonly ParentFact[] {
  const edges = state.edges.get(child.id);
  return child.dependsOn
    .map(({ taskId }) => ({ taskId, ...nameAndState(state, taskId), edge: edges?.get(taskId) ?? 'done' }))
    .sort((a, b) => Number(a.edge === 'done') - Number(b.edge === 'done') || (a.taskId < b.taskId ? -1 : 1))
    .slice(0, limits.relativesMax);
}

export function parentsLeft(state: MemoryState, child: Task): number {
  return [...(state.edges.get(child.id)?.values() ?? [])].filter((edge) => edge !== 'done').length;
}

export function childFacts(state: MemoryState, parentId: string): readonly RelativeFact[] {
  return childrenOf(state, parentId)
    .slice(0, limits.relativesMax)
    .map((taskId) => ({ taskId, ...nameAndState(state, taskId) }));
}

function nameAndState(state: MemoryState, taskId: string): Pick<RelativeFact, 'name' | 'state'> {
  const task = state.rows.get(taskId)?.task;
  return { name: task?.name ?? null, state: task?.state ?? null };
}

/** Whether `ancestorId` must end before the task may run, by way of open edges. */
export function waitsFor(state: MemoryState, taskId: string, ancestorId: string): boolean {
  const seen = new Set<string>();
  const next = [taskId];
  for (let id = next.pop(); id !== undefined; id = next.pop()) {
    if (id === ancestorId) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    for (const [parentId, edge] of state.edges.get(id) ?? []) if (edge === 'open') next.push(parentId);
  }
  return false;
}

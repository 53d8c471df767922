/** Tasks that wait for others: parents are stored first, and whom a task blocks gains it as a parent. */

import { asSet, checkParents, edgeState, inOrder, loopThroughStore, unknownParent } from '../../core/dependencies.ts';
import { isWaiting } from '../../core/states.ts';
import type { Dependency, NewTask } from '../../core/task.ts';
import type { EnqueueResult } from '../broker.ts';
import { enqueueOne } from './arrive.ts';
import { setEdge, waitsFor } from './edges.ts';
import type { MemoryState } from './state.ts';
import { changeTask, type Step } from './step.ts';

/** To be called `atomically`. What an unknown parent means is for the caller to say. */
export function enqueueLinked(step: Step, call: readonly NewTask[], unknown: 'refuse' | 'fail'): EnqueueResult[] {
  const { tasks, positions } = inOrder(call);
  const results: EnqueueResult[] = [];
  /** A task whose key is held gives way to the holder, also as a parent. */
  const standsFor = new Map<string, string>();
  const gains: Gain[] = [];
  for (const [index, task] of tasks.entries()) {
    const position = positions[index] ?? 0;
    const dependsOn = parentsOf(step, task, standsFor);
    const result = enqueueOne(step, { ...task, dependsOn });
    results[position] = result;
    if (result.outcome === 'duplicate') standsFor.set(task.id, result.of);
    if (result.outcome === 'existing' || result.outcome === 'conflict') continue;
    if (result.outcome !== 'duplicate' && unknown === 'refuse') refuseUnknown(step, dependsOn, position);
    const parentId = standsFor.get(task.id) ?? task.id;
    if (!step.state.rows.has(parentId)) continue;
    for (const { taskId, onFailure } of task.blocks) {
      if (isWaiting(step.state.rows.get(taskId)?.task.state ?? 'failed'))
        gains.push({ childId: taskId, parent: { taskId: parentId, onFailure }, position });
    }
  }
  gainParents(step, gains);
  return results;
}

/** The holder of a kept key may be gone. It has succeeded, so nothing waits for it. */
function parentsOf(step: Step, task: NewTask, standsFor: ReadonlyMap<string, string>): readonly Dependency[] {
  const named = task.dependsOn.map((each) => ({ ...each, taskId: standsFor.get(each.taskId) ?? each.taskId }));
  const holders = new Set(standsFor.values());
  return asSet(named).filter(({ taskId }) => step.state.rows.has(taskId) || !holders.has(taskId));
}

function refuseUnknown(step: Step, dependsOn: readonly Dependency[], position: number): void {
  for (const [index, { taskId }] of dependsOn.entries()) {
    if (!step.state.rows.has(taskId)) throw unknownParent(position, index, taskId);
  }
}

/** A waiting task gets another parent. `position` is that of the parent in the call. */
interface Gain {
  readonly childId: string;
  readonly parent: Dependency;
  readonly position: number;
}

function gainParents(step: Step, gains: readonly Gain[]): void {
  const { state } = step;
  const fresh = gains.filter(({ childId, parent }) => addParent(state, childId, parent));
  for (const { childId, parent, position } of fresh) {
    // Who has a failed parent waits for a verdict, not for the parent.
    const isOpen = state.edges.get(childId)?.get(parent.taskId) === 'open';
    if (isOpen && waitsFor(state, parent.taskId, childId)) throw loopThroughStore(position, childId);
  }
  for (const [childId, ofChild] of Map.groupBy(fresh, (gain) => gain.childId)) {
    const row = state.rows.get(childId);
    const parents = ofChild.map(({ parent }) => parent);
    if (row === undefined) continue;
    checkParents(ofChild.at(-1)?.position ?? 0, childId, row.task.dependsOn.length + parents.length);
    changeTask(step, 'block', row, { state: 'blocked', dependsOn: [...row.task.dependsOn, ...parents] });
  }
}

/** Whether there is a new edge now: a task has each parent once, and who runs or has ended gains none. */
function addParent(state: MemoryState, childId: string, { taskId, onFailure }: Dependency): boolean {
  const child = state.rows.get(childId)?.task;
  if (child === undefined || !isWaiting(child.state) || state.edges.get(childId)?.has(taskId)) return false;
  setEdge(state, childId, taskId, edgeState(state.rows.get(taskId)?.task.state ?? null, onFailure));
  return true;
}

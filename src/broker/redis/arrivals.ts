/** New tasks as lua/arrive.lua reads them, and what it refuses. */

import { checkParents, inOrder, isLinked, loopThroughStore, unknownParent } from '../../core/dependencies.ts';
import type { NewTask } from '../../core/task.ts';
import { createForms } from './forms.ts';
import { dependencyList, moreText, rulesText, shapeOf } from './rows.ts';

/** The tasks of a call, parents first, and where each stood in it. */
export interface Arrivals {
  readonly tasks: readonly NewTask[];
  readonly positions: readonly number[] | null;
}

/** Throws INVALID_FLOW for tasks that wait for each other, and too many edges. */
export function orderArrivals(tasks: readonly NewTask[]): Arrivals {
  return tasks.some(isLinked) ? inOrder(tasks) : { tasks, positions: null };
}

export interface ArrivalArguments {
  readonly forms: string;
  readonly ids: readonly string[];
  readonly formOf: string;
  readonly extras: readonly unknown[];
  readonly payloads: readonly string[];
}

export function argumentsOf(tasks: readonly NewTask[]): ArrivalArguments {
  const forms = createForms(isLike, formOf);
  const ids: string[] = [];
  const extras: unknown[] = [];
  const payloads: string[] = [];
  for (const task of tasks) {
    forms.add(task);
    ids.push(task.id);
    payloads.push(task.payload);
    const extra = extraOf(task);
    if (extra !== null) extras.push([ids.length, ...extra]);
  }
  const [formList, formOfEach] = forms.args();
  return { forms: formList, ids, formOf: formOfEach, extras, payloads };
}

function extraOf(task: NewTask): readonly unknown[] | null {
  const [rules, more] = [rulesText(task.limits), moreText(task)];
  if (task.key === null && rules === false && more === false && task.group === null && !isLinked(task)) return null;
  const [dependsOn, blocks] = [dependencyList(task.dependsOn), dependencyList(task.blocks)];
  return [task.key ?? false, rules, more, dependsOn, blocks, task.flowId ?? false, task.group ?? false];
}

function isLike(one: NewTask, other: NewTask): boolean {
  return (
    one.name === other.name &&
    one.queue === other.queue &&
    one.priority === other.priority &&
    one.policy === other.policy &&
    one.timeoutMs === other.timeoutMs &&
    one.keepMs === other.keepMs &&
    one.keyForMs === other.keyForMs &&
    one.ifExists === other.ifExists &&
    one.strictCancel === other.strictCancel &&
    one.schemaVersion === other.schemaVersion &&
    one.delayMs === other.delayMs &&
    one.at === other.at &&
    one.startWithinMs === other.startWithinMs &&
    one.expiresInMs === other.expiresInMs &&
    one.reach === other.reach &&
    (one.tags === other.tags || (one.tags.length === 0 && other.tags.length === 0))
  );
}

function formOf(task: NewTask): string {
  const { delayMs, at, startWithinMs, expiresInMs } = task;
  const times = [delayMs, at ?? false, startWithinMs ?? false, expiresInMs ?? false];
  return JSON.stringify([shapeOf(task), ...times, ...(task.reach === undefined ? [] : [task.reach])]);
}

/** Why nothing was stored, as lua/arrive.lua says it. */
export type Refusal = readonly [why: Buffer, place: number, taskId: Buffer, count?: number];

/** The error for it. */
export function refusalError({ positions }: Arrivals, [why, place, taskId, count = 0]: Refusal): Error {
  const position = positions?.[place - 1] ?? place - 1;
  if (String(why) === 'unknown') return unknownParent(position, count - 1, String(taskId));
  if (String(why) === 'loop') return loopThroughStore(position, String(taskId));
  return tooManyParents(position, String(taskId), count);
}

function tooManyParents(position: number, taskId: string, count: number): Error {
  try {
    checkParents(position, taskId, count);
  } catch (error) {
    return error as Error;
  }
  return new Error(`Invariant broken: ${taskId} may have ${count} parents`);
}

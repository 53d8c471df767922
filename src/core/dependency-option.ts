/** The parents of a task as people write them, and how they are read. */

import { parseId } from './ids.ts';
import { invalidOption } from './option-names.ts';
import type { Dependency, OnFailure } from './task.ts';

/** A task that exists: its id, or anything that carries it, such as a handle. */
export type TaskIdentity = string | { readonly id: string };

/**
 * A task to wait for, alone or with what its end in failure or cancellation means: `fail` (when not said), `cancel`, or
 * `ignore`, which counts it as done.
 */
export type DependsOn = TaskIdentity | { readonly task: TaskIdentity; readonly onFailure: OnFailure };

const policies: readonly OnFailure[] = ['fail', 'cancel', 'ignore'];

/** Reads a list of tasks to wait for, or to hold back. Throws INVALID_OPTION and INVALID_ID, naming the place in the list. */
export function readDependencies(value: unknown, what: string): readonly Dependency[] {
  if (value === undefined) return none;
  if (!Array.isArray(value)) throw invalidOption(what, 'a list of tasks is needed');
  return value.map((each: unknown, index) => readOne(each, `${what}[${index}]`));
}

const none: readonly Dependency[] = [];

function readOne(value: unknown, what: string): Dependency {
  const pair = isObject(value) && 'task' in value ? value : { task: value, onFailure: 'fail' };
  const onFailure = policies.find((each) => each === pair.onFailure);
  if (onFailure === undefined)
    throw invalidOption(`${what}.onFailure`, `${JSON.stringify(pair.onFailure)} is none of ${policies.join(', ')}`);
  return { taskId: readIdentity(pair.task, what), onFailure };
}

function readIdentity(value: unknown, what: string): string {
  const id = isObject(value) ? value.id : value;
  if (typeof id === 'string') return parseId(id);
  throw invalidOption(what, 'the id of a task, its handle, or { task, onFailure } is needed');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** What is read in place of stored texts that are none: one row that somebody has written by hand must not hide all the others. */

import { readStoredJson } from './stored-json.ts';
import type { Checkpoint, Progress, TaskError } from './task.ts';

/** A tag of tasks of which something cannot be read that is shown nowhere else: their rare fields, their steps. */
export const corruptTag = 'corrupt';

/** The value of a JSON text, `instead` of what is no JSON or something else. */
export function readStored<Value>(text: string, isRight: (value: unknown) => boolean, instead: Value): Value {
  try {
    const value: unknown = JSON.parse(text);
    return isRight(value) ? (value as Value) : instead;
  } catch {
    return instead; // The caller shows that.
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTextOrNull = (value: unknown): boolean => value === null || typeof value === 'string';
const isNumberOrNull = (value: unknown): boolean => value === null || typeof value === 'number';

const unreadable = 'What is stored of it cannot be read.';

export function readStoredError(text: string): TaskError {
  const isRight = (value: unknown): boolean =>
    isObject(value) &&
    ['name', 'message', 'fingerprint'].every((field) => typeof value[field] === 'string') &&
    isTextOrNull(value.stack);
  return readStored(text, isRight, { name: 'Corrupt', message: unreadable, stack: null, fingerprint: corruptTag });
}

export function readStoredProgress(text: string): Progress {
  const isRight = (value: unknown): boolean =>
    isObject(value) && typeof value.done === 'number' && isNumberOrNull(value.total) && isTextOrNull(value.note);
  return readStored(text, isRight, { done: 0, total: null, note: unreadable });
}

/** Of steps that cannot be read none is remembered: they are done again. The task has {@link corruptTag} then. */
export const unreadableSteps: readonly Checkpoint[] = [];

/** Answers {@link unreadableSteps} itself where they are that. */
export function readStoredCheckpoints(text: string): readonly Checkpoint[] {
  const isRight = (value: unknown): boolean =>
    Array.isArray(value) &&
    value.every((each) => isObject(each) && typeof each.name === 'string' && isTextOrNull(each.value));
  return readStored(text, isRight, unreadableSteps);
}

/** Whether the rare fields of a task are what they should be, as far as anybody walks over them. */
export function areOptions(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { tags = [], limits = [], dependsOn = [] } = value;
  return [tags, limits, dependsOn].every(Array.isArray);
}

/** A document for showing: what is no JSON is told as that, with its beginning. */
export function shownJson(text: string): unknown {
  try {
    return readStoredJson(text);
  } catch {
    return { [corruptTag]: text.slice(0, shownMax).toWellFormed() };
  }
}

const shownMax = 200;

/** A flow as its definition says it: steps in an order in which each comes after what it needs. */

import type { TaskDefinition } from '../core/definition.ts';
import { taskFlowError } from '../core/errors.ts';
import { derivedId, idTime } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { checkName } from '../core/names.ts';
import { didYouMean } from '../core/nearest.ts';
import { invalidOption } from '../core/option-names.ts';

/** What a step, or the task for a failed flow, makes its input from. */
export type MakeInput = (results: Readonly<Record<string, unknown>>) => unknown;

export interface FlowStepShape {
  readonly name: string;
  readonly task: TaskDefinition;
  readonly needs: readonly string[];
  /** Whether `makeInput` gives a list, with a task for each of it. */
  readonly isList: boolean;
  readonly makeInput: MakeInput;
  /** Tasks of the step that run at once; `null` is any number. */
  readonly limit: number | null;
  /** Makes the inputs, when what it needs is done, and brings the tasks along. */
  readonly gate: TaskDefinition;
}

export interface FlowShape {
  readonly name: string;
  readonly steps: readonly FlowStepShape[];
  readonly failure: { readonly task: TaskDefinition; readonly makeInput: MakeInput } | null;
}

/** One run of a flow: the task that stands for it, and which of its generations. */
export interface FlowRun {
  readonly rootId: string;
  readonly generation: number;
}

/** Ids follow from the run, so that whoever asks twice finds the same task. */
export function gateId({ rootId, generation }: FlowRun, step: string): string {
  return derivedId(idTime(rootId), `${rootId}|${generation}|${step}`);
}

/** In the order of the inputs. */
export function stepTaskId({ rootId, generation }: FlowRun, step: string, index: number): string {
  return derivedId(idTime(rootId) + index, `${rootId}|${generation}|${step}|${index}`);
}

export function failureId({ rootId, generation }: FlowRun): string {
  return derivedId(idTime(rootId), `${rootId}|${generation}`);
}

/** Throws INVALID_FLOW, with the path, for a step that cannot be added to these. */
export function checkStep(steps: readonly FlowStepShape[], name: unknown, needs: unknown): asserts name is string {
  const refuse = (path: string, problem: string): never => {
    throw taskFlowError('INVALID_FLOW', { path, problem });
  };
  checkName(name, 'The name of a step');
  const step = String(name);
  const known = steps.map((each) => each.name);
  if (step.includes('/')) refuse(`steps.${step}`, 'the name of a step has no slash');
  if (step === 'flow') refuse(`steps.${step}`, '"flow" is the input of the flow where a step makes its own');
  if (known.includes(step)) refuse(`steps.${step}`, 'there is a step of this name already');
  if (steps.length >= limits.flowStepsMax) refuse(`steps.${step}`, `a flow has at most ${limits.flowStepsMax} steps`);
  if (!Array.isArray(needs)) throw invalidOption(`steps.${step}.needs`, 'a list of steps is needed');
  for (const [index, need] of needs.entries()) {
    if (known.includes(need)) continue;
    const guess = typeof need === 'string' ? didYouMean(need, known) : '';
    refuse(
      `steps.${step}.needs[${index}]`,
      `there is no step ${JSON.stringify(need)} before it.${guess}`.replace(/\.$/, ''),
    );
  }
}

/** Throws INVALID_OPTION for a task that cannot be a step. */
export function checkStepTask(step: string, task: TaskDefinition, limit: unknown): void {
  const what = `steps.${step}`;
  // Whoever holds the key would stand for the step, and another flow may hold it.
  if (task.key !== null) throw invalidOption(what, `${task.name} has a key; give the flow one instead`);
  if (limit === undefined) return;
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1)
    throw invalidOption(`${what}.limit`, 'a whole number of 1 or more is needed');
  if (task.limits.length >= limits.limitsPerTaskMax)
    throw invalidOption(`${what}.limit`, `${task.name} has ${task.limits.length} limits already, which is the most`);
}

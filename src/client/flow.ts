/** Flows: tasks joined by typed dependencies, defined once and enqueued like a task. */

import type { CodeSchedule } from '../core/code-schedule.ts';
import { definitionBrand, definitionOf, type TaskDefinition, withParts } from '../core/definition.ts';
import { encodeJson } from '../core/json.ts';
import type { AsJson } from '../core/json-type.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import type { TaskRef } from './define.ts';
import { taskRef } from './define.ts';
import { type GateInput, runGate } from './flow-gate.ts';
import { flowRef } from './flow-handle.ts';
import { runFlow } from './flow-run.ts';
import { checkStep, checkStepTask, type FlowShape, type FlowStepShape, type MakeInput } from './flow-shape.ts';
import type { AnySchema, In, Out } from './schema.ts';
import { defineTask, type TaskOptions } from './task-options.ts';

/** Any task, for functions that take one. */
type AnyTask = TaskRef<string, unknown, unknown, unknown>;
type InputOf<Ref extends AnyTask> = Ref['~types']['input'];
type OutputOf<Ref extends AnyTask> = Ref['~types']['output'];

/** What a step may read: the input of the flow, and the results of the steps it needs. */
export type FlowResults<Input, Steps, Needs extends PropertyKey> = { readonly flow: AsJson<Input> } & {
  readonly [Step in Needs & keyof Steps]: Steps[Step];
};

/** What went wrong in a flow. */
export interface FlowFailure<Input> {
  readonly flow: AsJson<Input>;
  /** Name of the first step that did not succeed. */
  readonly failed: string;
  readonly error: Error;
}

export interface FlowStepOptions<Needs> {
  /** Steps, named before this one, whose results it reads and waits for. */
  readonly needs?: Needs;
  /** How many tasks of a `forEach` run at once. */
  readonly limit?: number;
}

/** A flow that has no step yet. */
export interface FlowStart<Name extends string, Input, Parsed, Steps> {
  /**
   * Adds a step: a task, with what it needs. What it is called with is said by `from` or `forEach`. Names are unique.
   * Throws INVALID_FLOW and INVALID_OPTION.
   */
  step<
    const Step extends string,
    Ref extends AnyTask,
    const Needs extends readonly (keyof Steps & string)[] = readonly [],
  >(
    name: Step,
    task: Ref,
    options?: FlowStepOptions<Needs>,
  ): FlowStep<Name, Input, Parsed, Steps, Step, Ref, Needs[number]>;
}

/** A step whose input is still to be said. The functions run in the worker, where what they need is done. */
export interface FlowStep<
  Name extends string,
  Input,
  Parsed,
  Steps,
  Step extends string,
  Ref extends AnyTask,
  Needs extends PropertyKey,
> {
  /** One task, with this input. */
  from(
    makeInput: (results: FlowResults<Parsed, Steps, Needs>) => InputOf<Ref> | Promise<InputOf<Ref>>,
  ): Flow<Name, Input, Parsed, Steps & { readonly [Key in Step]: OutputOf<Ref> }>;
  /** A task for each input of a list of at most 1,000; the result of the step is the list of their results, in that order. */
  forEach(
    makeInputs: (
      results: FlowResults<Parsed, Steps, Needs>,
    ) => readonly InputOf<Ref>[] | Promise<readonly InputOf<Ref>[]>,
  ): Flow<Name, Input, Parsed, Steps & { readonly [Key in Step]: OutputOf<Ref>[] }>;
}

/** A flow as code refers to it: to enqueue it like a task, whose result is what its steps returned, by their names. */
export interface Flow<Name extends string, Input, Parsed, Steps>
  extends FlowStart<Name, Input, Parsed, Steps>,
    TaskRef<Name, Input, Parsed, { [Step in keyof Steps]: Steps[Step] }> {
  /**
   * A task that runs once everything has ended and some step did not succeed; the flow fails after it. Not when the flow
   * was cancelled.
   */
  onFailure<Ref extends AnyTask>(
    task: Ref,
    makeInput: (failure: FlowFailure<Parsed>) => InputOf<Ref> | Promise<InputOf<Ref>>,
  ): Flow<Name, Input, Parsed, Steps>;
}

/** What a flow may say about itself: as of a task, but for what only a handler has. */
export type FlowOptions<Input extends AnySchema, Key extends string> = Pick<
  TaskOptions<Input, Key>,
  'input' | 'description' | 'queue' | 'retry' | 'key' | 'keyFor' | 'ifExists' | 'keep'
>;

/**
 * Defines a flow. Export what the last call returns: a worker with its file runs it, and the tasks of its steps need not be
 * exported. One task stands for the flow; it is enqueued, scheduled, found, cancelled and retried like any other, and a
 * retry runs again what did not succeed. Throws INVALID_OPTION and INVALID_FLOW for what is wrong.
 *
 * @example
 * export const greetAll = flow('greet.all', { input: z.object({ userIds: z.array(z.string()), day: z.string() }) })
 *   .step('welcome', sendWelcome)
 *   .forEach(({ flow }) => flow.userIds.map((userId) => ({ userId })))
 *   .step('report', buildReport, { needs: ['welcome'] })
 *   .from(({ flow, welcome }) => ({ kind: 'daily', day: `${flow.day}, ${welcome.length} greeted` }));
 */
export function flow<const Name extends string, Input extends AnySchema, const Key extends string = string>(
  name: Name,
  options: FlowOptions<Input, Key>,
  // biome-ignore lint/complexity/noBannedTypes: no step yet
): FlowStart<Name, In<Input>, Out<Input>, {}>;
export function flow(name: string, options: object): unknown {
  return buildFlow(options, { name, steps: [], failure: null });
}

/** Every link of the chain is a flow of its own: the last one is exported. */
function buildFlow(options: object, shape: FlowShape): object {
  const step = (name: unknown, task: unknown, stepOptions: FlowStepOptions<unknown> = {}): object => {
    const { needs = [], limit } = stepOptions;
    checkStep(shape.steps, name, needs);
    const definition = definitionOf(task);
    if (definition === null) throw invalidOption(`steps.${name}`, 'a task is needed, as task() or contract() makes it');
    checkStepTask(name, definition, limit);
    const add = (isList: boolean) => (makeInput: MakeInput) => {
      if (typeof makeInput !== 'function')
        throw invalidOption(`steps.${name}`, 'a function that makes its input is needed');
      const base = {
        name,
        task: definition,
        needs: [...new Set(needs as string[])],
        isList,
        makeInput,
        limit: limit ?? null,
      };
      return buildFlow(options, { ...shape, steps: [...shape.steps, withGate(options, shape, base)] });
    };
    return { from: add(false), forEach: add(true) };
  };
  // Names, options and schema are checked with the first link, where they are said.
  const schedules = new Map<string, CodeSchedule>();
  const run: TaskDefinition['run'] = (input, context) => runFlow(shape, asJson(shape.name, input), context);
  const definition = defineTask(shape.name, { ...options }, run, schedules);
  if (shape.steps.length === 0) return { step };
  Object.assign(definition, { isFlow: true, parts: partsOf(shape) });
  return {
    ...flowRef(taskRef(definition, schedules)),
    [definitionBrand]: definition,
    step,
    onFailure: (task: unknown, makeInput: MakeInput) => {
      const failed = definitionOf(task);
      if (failed === null || typeof makeInput !== 'function')
        throw invalidOption(`onFailure of ${shape.name}`, 'a task and a function that makes its input are needed');
      checkStepTask('onFailure', failed, undefined);
      return buildFlow(options, { ...shape, failure: { task: failed, makeInput } });
    },
  };
}

function withGate(options: object, { name, steps }: FlowShape, step: Omit<FlowStepShape, 'gate'>): FlowStepShape {
  const { queue, retry, keep } = options as Readonly<Record<string, unknown>>;
  const lists = new Set([...steps, step].filter(({ isList }) => isList).map((each) => each.name));
  const description = `Makes the input of step ${step.name} of flow ${name}`;
  const gate: TaskDefinition = defineTask(
    `${name}/${step.name}`,
    { input: anything, description, ...given({ queue, retry, keep }) },
    (input, context) => runGate({ ...step, gate }, lists, input as GateInput, context),
  );
  return { ...step, gate };
}

/** Passes what it is given: a gate's payload is made here and read here. */
const anything: AnySchema = {
  '~standard': { version: 1, vendor: 'taskflow', validate: (value) => ({ value }) },
};

function given(options: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function partsOf({ steps, failure }: FlowShape): readonly TaskDefinition[] {
  const tasks = [...steps.flatMap(({ gate, task }) => [gate, task]), ...(failure === null ? [] : [failure.task])];
  return [...new Set(tasks.flatMap(withParts))];
}

/** Steps read the input in the form in which it is stored with them. */
function asJson(name: string, input: unknown): unknown {
  const what = `The input of ${name}`;
  return JSON.parse(encodeJson(input, { what, bytesMax: limits.payloadBytesMax, depthMax: limits.jsonDepthMax }));
}

/** The gate of a step: makes the inputs from what the step needs, and brings its tasks along. */

import type { Context } from '../core/definition.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Dependency, NewTask, ParentResult } from '../core/task.ts';
import { fatal } from '../core/verdicts.ts';
import { newTask, prepareInput } from './enqueue.ts';
import { internalsOf, outputOf, tasksOf } from './flow-run.ts';
import { type FlowRun, type FlowStepShape, stepTaskId } from './flow-shape.ts';

/** The payload of a gate. */
export interface GateInput {
  /** Name of the flow. */
  readonly flow: string;
  readonly run: FlowRun;
  /** Of the flow, validated, as JSON. */
  readonly input: unknown;
  /** The gate of each step it needs. */
  readonly needs: Readonly<Record<string, string>>;
  /** The gates that wait for this step's tasks too. */
  readonly children: readonly string[];
}

/** The handler of a gate. Answers the ids of the tasks, in the order of their inputs. */
export async function runGate(
  step: FlowStepShape,
  listSteps: ReadonlySet<string>,
  gate: GateInput,
  context: Context,
): Promise<readonly string[]> {
  const { parents, add } = internalsOf(context);
  const known = new Map(parents.map((parent) => [parent.taskId, parent]));
  const inputs = await inputsOf(step, listSteps, gate, known);
  const tasks: NewTask[] = [];
  for (const [index, input] of inputs.entries()) tasks.push(await stepTask(step, gate, input, index));
  for (const task of tasks) add(task);
  return tasks.map(({ id }) => id);
}

async function inputsOf(
  step: FlowStepShape,
  listSteps: ReadonlySet<string>,
  gate: GateInput,
  known: ReadonlyMap<string, ParentResult>,
): Promise<readonly unknown[]> {
  const results: Record<string, unknown> = { flow: gate.input };
  for (const [need, needGate] of Object.entries(gate.needs)) {
    const outputs = tasksOf(needGate, known).map((taskId) => outputOf(known.get(taskId)));
    results[need] = listSteps.has(need) ? outputs : outputs[0];
  }
  const made = await step.makeInput(results);
  if (!step.isList) return [made];
  if (!Array.isArray(made)) throw fatal(`forEach of step ${step.name} gives a list, not a ${typeof made}.`);
  if (made.length <= limits.batchMax) return made;
  const problem = `forEach gives ${made.length} inputs, at most ${limits.batchMax} are allowed`;
  throw taskFlowError('INVALID_FLOW', { path: `steps.${step.name}`, problem });
}

async function stepTask(step: FlowStepShape, gate: GateInput, input: unknown, index: number): Promise<NewTask> {
  const { run, children } = gate;
  const task = newTask(step.task, await prepared(step, input, index), {}, stepTaskId(run, step.name, index));
  const limit = { name: `flow:${run.rootId}:${step.name}`, max: step.limit, rate: null };
  const held = children.map((taskId): Dependency => ({ taskId, onFailure: 'cancel' }));
  return {
    ...task,
    limits: step.limit === null ? task.limits : [...task.limits, limit],
    blocks: [{ taskId: run.rootId, onFailure: 'ignore' }, ...held],
    flowId: run.rootId,
  };
}

/** The same function would make the same wrong input again. */
async function prepared(step: FlowStepShape, input: unknown, index: number) {
  try {
    return await prepareInput(step.task, input);
  } catch (error) {
    if (!(error instanceof TaskFlowError) || error.code.startsWith('STORE_')) throw error;
    const which = step.isList ? `Input ${index} of step ${step.name}` : `The input of step ${step.name}`;
    throw fatal(`${which} is refused: ${error.message}`, { cause: error });
  }
}

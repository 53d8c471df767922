/** Runs a flow: the task that stands for it brings a gate along for each step, and waits until nothing of it is left. */

import { type Context, type ContextInternals, contextInternals, waits } from '../core/definition.ts';
import { taskFlowError } from '../core/errors.ts';
import { utf8Length } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import { isFinished } from '../core/states.ts';
import type { Dependency, NewTask, ParentResult, TaskError } from '../core/task.ts';
import { fatal } from '../core/verdicts.ts';
import { newTask, prepareInput } from './enqueue.ts';
import type { GateInput } from './flow-gate.ts';
import { type FlowRun, type FlowShape, type FlowStepShape, failureId, gateId } from './flow-shape.ts';

/** A result that would be too large names the tasks of its steps instead. */
export const taskIdsField = '$tasks';

/** The parents of a run, by id. */
type Known = ReadonlyMap<string, ParentResult>;

export function internalsOf(context: Context): ContextInternals {
  const internals = (context as Context & { readonly [contextInternals]?: ContextInternals })[contextInternals];
  if (internals === undefined) throw new Error('Invariant broken: a flow runs in a context of TaskFlow');
  return internals;
}

/**
 * The handler of the task that stands for a flow. It runs when the flow begins, after all steps have ended, and once more
 * after the task for a failure. What it knows it reads from its parents, so any run may be repeated. A retry by a person
 * keeps the steps that succeeded and runs the others again.
 */
export async function runFlow(shape: FlowShape, input: unknown, context: Context): Promise<unknown> {
  const { task, parents, add } = internalsOf(context);
  const run: FlowRun = { rootId: task.id, generation: task.generation };
  const known: Known = new Map(parents.map((parent) => [parent.taskId, parent]));
  const { gates, missing } = findGates(shape, run, known);
  if (missing.length > 0) {
    for (const step of missing) add(await gateTask(shape, step, { run, input, gates, missing, known }));
    return waits;
  }
  const failure = firstFailure(shape, gates, known);
  if (failure === null) return outputsOf(shape, gates, known);
  if (shape.failure !== null && !known.has(failureId(run))) {
    add(await failureTask(shape.failure, run, input, failure));
    return waits;
  }
  throw fatal(`Step ${failure.step} ${failure.words}`);
}

/** The gate of each step: of this generation, else of an earlier one whose step is done. The steps without one are still to run. */
function findGates(
  shape: FlowShape,
  run: FlowRun,
  known: Known,
): { readonly gates: ReadonlyMap<string, string>; readonly missing: readonly FlowStepShape[] } {
  const gates = new Map<string, string>();
  const missing: FlowStepShape[] = [];
  for (const step of shape.steps) {
    const own = gateId(run, step.name);
    const isDue = step.needs.some((need) => missing.some(({ name }) => name === need));
    const done = known.has(own) || isDue ? undefined : doneGate(step, run, known);
    if (!known.has(own) && done === undefined) missing.push(step);
    gates.set(step.name, done ?? own);
  }
  return { gates, missing };
}

function doneGate(step: FlowStepShape, { rootId, generation }: FlowRun, known: Known): string | undefined {
  for (let earlier = generation - 1; earlier >= 1; earlier -= 1) {
    const id = gateId({ rootId, generation: earlier }, step.name);
    if (known.get(id)?.state !== 'succeeded') continue;
    if (tasksOf(id, known).every((taskId) => known.get(taskId)?.state === 'succeeded')) return id;
  }
  return undefined;
}

/** The tasks that a gate brought along. */
export function tasksOf(gate: string, known: Known): readonly string[] {
  const parent = known.get(gate);
  checkHere(parent);
  const result = parent?.result;
  return result == null ? [] : (JSON.parse(result) as readonly string[]);
}

interface GateRequest {
  readonly run: FlowRun;
  readonly input: unknown;
  readonly gates: ReadonlyMap<string, string>;
  readonly missing: readonly FlowStepShape[];
  readonly known: Known;
}

/** What a step needs cancels it when it fails; the flow itself waits for whatever becomes of it. */
async function gateTask(
  shape: FlowShape,
  step: FlowStepShape,
  { run, input, gates, missing, known }: GateRequest,
): Promise<NewTask> {
  const needs = step.needs.map((need): [string, string] => [need, gates.get(need) ?? '']);
  const body: GateInput = {
    flow: shape.name,
    run,
    input,
    needs: Object.fromEntries(needs),
    children: missing.filter((other) => other.needs.includes(step.name)).map((other) => gateId(run, other.name)),
  };
  const parents = needs.flatMap(([, gate]) => [gate, ...tasksOf(gate, known)]);
  return {
    ...newTask(step.gate, await prepareInput(step.gate, body), {}, gateId(run, step.name)),
    dependsOn: parents.map((taskId): Dependency => ({ taskId, onFailure: 'cancel' })),
    blocks: [{ taskId: run.rootId, onFailure: 'ignore' }],
    flowId: run.rootId,
  };
}

interface Failure {
  readonly step: string;
  readonly error: TaskError | null;
  readonly words: string;
}

/** The first step that did not succeed by its own doing; one that was cancelled for another is told only when there is no other. */
function firstFailure(shape: FlowShape, gates: ReadonlyMap<string, string>, known: Known): Failure | null {
  const failures = shape.steps.flatMap(({ name }) => {
    const gate = gates.get(name) ?? '';
    return [gate, ...tasksOf(gate, known)].flatMap((id) => {
      const parent = known.get(id);
      return parent?.state === 'succeeded' ? [] : [failureOf(name, parent)];
    });
  });
  return failures.find(({ error }) => error !== null) ?? failures[0] ?? null;
}

function failureOf(step: string, parent: ParentResult | undefined): Failure {
  const error = parent?.error ?? null;
  const ended = parent?.state == null ? 'was removed' : isFinished(parent.state) ? parent.state : 'is not done';
  const verb = ended === 'cancelled' ? 'was cancelled' : ended;
  return { step, error, words: error === null ? verb : `${verb}: ${error.message}` };
}

async function failureTask(
  { task, makeInput }: NonNullable<FlowShape['failure']>,
  run: FlowRun,
  input: unknown,
  { step, error, words }: Failure,
): Promise<NewTask> {
  const cause = Object.assign(new Error(error?.message ?? `The step ${words}.`), { name: error?.name ?? 'Error' });
  const made = await makeInput({ flow: input, failed: step, error: cause });
  return {
    ...newTask(task, await prepareInput(task, made), {}, failureId(run)),
    blocks: [{ taskId: run.rootId, onFailure: 'ignore' }],
    flowId: run.rootId,
  };
}

/** What the steps returned, by name; the ids of their tasks where that is more than a result may hold. */
function outputsOf(shape: FlowShape, gates: ReadonlyMap<string, string>, known: Known): unknown {
  const pick = (of: (taskId: string) => unknown): Record<string, unknown> =>
    Object.fromEntries(
      shape.steps.map(({ name, isList }) => {
        const values = tasksOf(gates.get(name) ?? '', known).map(of);
        return [name, isList ? values : values[0]];
      }),
    );
  const ids = { [taskIdsField]: pick((taskId) => taskId) };
  // A result that is not here is one of many that are larger than one may be.
  if ([...known.values()].some(({ leftOutBytes }) => leftOutBytes !== undefined)) return ids;
  const outputs = pick((taskId) => outputOf(known.get(taskId)));
  return utf8Length(JSON.stringify(outputs)) <= limits.resultBytesMax ? outputs : ids;
}

/** Throws PARENTS_TOO_LARGE. */
function checkHere(parent: ParentResult | undefined): void {
  if (parent?.leftOutBytes !== undefined)
    throw taskFlowError('PARENTS_TOO_LARGE', { max: `${limits.parentsBytesMax} bytes` });
}

/** What a task returned, as JSON keeps it. Throws PARENTS_TOO_LARGE when it is not here. */
export function outputOf(parent: ParentResult | undefined): unknown {
  checkHere(parent);
  return parent?.result == null ? undefined : JSON.parse(parent.result);
}

/** The tasks that a run brings along. */

import { newTask, prepareInput } from '../client/enqueue.ts';
import { definitionOf, type SpawnOptions } from '../core/definition.ts';
import { readDependencies } from '../core/dependency-option.ts';
import { derivedId } from '../core/ids.ts';
import { invalidOption } from '../core/option-names.ts';
import type { NewTask } from '../core/task.ts';
import type { Attempt } from './attempt.ts';

/** The task that a handler asks for, validated and complete. Rejects like `enqueue`. */
export async function prepareSpawn(
  attempt: Attempt,
  ref: unknown,
  input: unknown,
  { blocks, ...options }: SpawnOptions,
): Promise<NewTask> {
  const definition = definitionOf(ref);
  if (definition === null)
    throw invalidOption('spawn', 'its first argument is a task, as task() or contract() makes it');
  if ('id' in options) throw invalidOption('id', 'a spawned task gets its id from the run that spawns it');
  const { task } = attempt;
  const prepared = await prepareInput(definition, input);
  attempt.spawnCalls += 1;
  // The same for a run whatever becomes of it, and another for every run; in the order of the calls.
  const id = derivedId((task.claimedAt ?? 0) + attempt.spawnCalls, `${task.id}|${task.epoch}|${attempt.spawnCalls}`);
  const child = newTask(definition, prepared, options, id);
  return {
    ...child,
    blocks: readDependencies(blocks, 'blocks'),
    flowId: child.flowId ?? task.flowId,
    traceparent: child.traceparent ?? attempt.traceparent,
  };
}

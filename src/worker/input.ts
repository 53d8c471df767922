/** What a handler is called with: the task's payload, or what its schedule makes of the time it was due. */

import type { TaskDefinition } from '../core/definition.ts';
import { decodeJson, encodeJson } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import type { Task } from '../core/task.ts';
import { dateOf } from '../core/time.ts';

type Payload = Pick<Task, 'name' | 'payload' | 'firedBy'>;

/** Whether the input is made by a schedule that this process does not have: as if the task itself were unknown. */
export function lacksSchedule({ firedBy }: Payload, definition: TaskDefinition): boolean {
  return firedBy?.input === 'made' && definition.schedules?.get(firedBy.schedule)?.makeInput == null;
}

/** The input, validated; a promise where there is something to wait for. Throws, or rejects with, whatever is wrong with it. */
export function readInput(task: Payload, definition: TaskDefinition): unknown {
  if (task.firedBy?.input === 'made') return makeInput(task, definition);
  const bounds = { bytesMax: limits.payloadBytesMax, depthMax: limits.jsonDepthMax };
  return definition.parseInput(decodeJson(task.payload, { what: `The payload of ${task.name}`, ...bounds }));
}

/** What its handler is given as text, wherever it runs: a schedule may stand in another file than its task. */
export async function payloadOf({ name, payload, firedBy }: Payload, definition: TaskDefinition): Promise<string> {
  if (firedBy?.input !== 'made') return payload;
  const schedule = definition.schedules?.get(firedBy.schedule);
  const made = await schedule?.makeInput?.({ at: dateOf(firedBy.at) });
  return encodeJson(made, {
    what: `The input that schedule ${firedBy.schedule} makes for ${name}`,
    bytesMax: limits.payloadBytesMax,
    depthMax: limits.jsonDepthMax,
  });
}

/** Goes through JSON, so that a schema sees the same whether an input was stored or made. */
async function makeInput(task: Payload, definition: TaskDefinition): Promise<unknown> {
  return definition.parseInput(JSON.parse(await payloadOf(task, definition)));
}

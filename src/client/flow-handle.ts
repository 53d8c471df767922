/** What the enqueue of a flow returns: the handle of its task, which speaks for all of it. */

import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { cancelFlow } from './cancel-flow.ts';
import type { ClientBroker } from './client.ts';
import { defaultClient } from './default-client.ts';
import type { TaskRef } from './define.ts';
import { taskIdsField } from './flow-run.ts';
import { cancelAnswer, type Handle, readReason } from './handle.ts';
import type { ManyOptions } from './options.ts';

type AnyRef = Omit<TaskRef<string, unknown, unknown, unknown>, '~types'>;

/** The reference to the task of a flow, whose handles cancel the whole flow and give the results of its steps. */
export function flowRef(ref: AnyRef): AnyRef {
  const enqueue: AnyRef['enqueue'] = async (input, options) => flowHandle(await ref.enqueue(input, options));
  return {
    ...ref,
    enqueue,
    enqueueMany: async (items: readonly unknown[], options?: ManyOptions) =>
      (await ref.enqueueMany(items, options)).map(flowHandle),
    async run(input, { wait, ...options } = {}) {
      return (await enqueue(input, options)).result(wait === undefined ? {} : { timeout: wait });
    },
  };
}

function flowHandle(handle: Handle<unknown>): Handle<unknown> {
  const open = (): Promise<ClientBroker> => defaultClient().open();
  return {
    id: handle.id,
    created: handle.created,
    get url() {
      return handle.url;
    },
    state: () => handle.state(),
    result: async (options) => resolved(await open(), await handle.result(options)),
    afterCommit: () => handle.afterCommit(),
    // The task of the flow may have ended before its steps.
    cancel: async (reason) =>
      cancelAnswer(handle.id, await cancelFlow(await open(), handle.id, { reason: readReason(reason) })),
  };
}

/** A result that was too large names the tasks of the steps: they have it. */
async function resolved(broker: ClientBroker, result: unknown): Promise<unknown> {
  if (typeof result !== 'object' || result === null || !(taskIdsField in result)) return result;
  const steps = result[taskIdsField] as Readonly<Record<string, string | readonly string[] | undefined>>;
  const outputs = new Map<string, unknown>();
  const ids = Object.values(steps).flatMap((each) => each ?? []);
  for (let start = 0; start < ids.length; start += limits.batchMax) {
    const chunk = ids.slice(start, start + limits.batchMax);
    for (const [index, task] of (await broker.getTasks(chunk)).entries()) {
      if (task === null) throw taskFlowError('TASK_NOT_FOUND', { id: chunk[index] ?? '' });
      outputs.set(task.id, task.result === null ? undefined : JSON.parse(task.result));
    }
  }
  return Object.fromEntries(
    Object.entries(steps).map(([step, of]) => {
      return [step, typeof of === 'string' ? outputs.get(of) : of?.map((id) => outputs.get(id))];
    }),
  );
}

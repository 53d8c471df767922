/** A program that talks HTTP with a server: enqueue, wait, walk through a list, and tell one error from another. */

import { createApiClient, pagesOf, TaskFlowError } from 'taskflowjs';

export const client = createApiClient({
  url: process.env.TASKFLOW_URL ?? 'http://127.0.0.1:8000',
  token: process.env.TASKFLOW_TOKEN,
  timeout: '10s',
});

/** What became of one task; `null` when it has not ended within half a minute, or when nobody wants to know any more. */
export async function runOnce(name: string, input: unknown, signal: AbortSignal): Promise<unknown> {
  const { id } = await client.task.enqueue({ name, input }, { signal });
  const { finished, result } = await client.task.result({ id, wait: '30s' }, { signal });
  return finished ? result : null;
}

/** What the handlers of many tasks returned: however many there are, they are waited for together. */
export async function runAll(name: string, inputs: readonly unknown[]): Promise<unknown[]> {
  const { tasks } = await client.task.enqueueMany({ tasks: inputs.map((input) => ({ name, input })) });
  return Promise.all(tasks.map(({ id }) => client.handle(id ?? '').result({ timeout: '10m' })));
}

/** The ids of all failed tasks, page by page. */
export async function failedIds(): Promise<string[]> {
  const ids: string[] = [];
  for await (const { tasks } of pagesOf(client.task.list, { q: 'state:failed', limit: 100 }))
    ids.push(...tasks.map(({ id }) => id));
  return ids;
}

/** Whether it was there to be cancelled. */
export async function cancelIfThere(id: string): Promise<boolean> {
  try {
    await client.task.cancel({ id });
    return true;
  } catch (error) {
    if (error instanceof TaskFlowError && (error.code === 'TASK_NOT_FOUND' || error.code === 'TASK_FINISHED'))
      return false;
    throw error;
  }
}

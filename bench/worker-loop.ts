/** How many no-op tasks a second the worker's own loop can run, over a store that costs almost nothing. */

import type { Broker, ClaimRequest, SettleAnswer } from '../src/broker/broker.ts';
import type { TaskDefinition } from '../src/core/definition.ts';
import type { ClaimedTask, Settlement, Task } from '../src/core/task.ts';
import type { Store } from '../src/history/history.ts';
import { createWorker } from '../src/worker/worker.ts';

const total = 300_000;

/** Prints tasks per second for three numbers of slots. */
export async function run(): Promise<void> {
  for (const concurrency of [1, 20, 200])
    console.log(`concurrency ${concurrency}:`, await measure(concurrency, total), 'tasks/s');
}

async function measure(concurrency: number, count: number): Promise<number> {
  const { store, whenDone } = fakeStore(count);
  const worker = createWorker({ store, definitions: [noop()], concurrency, services: 'never' });
  const startedAt = performance.now();
  worker.start();
  await whenDone;
  const tookMs = performance.now() - startedAt;
  await worker.stop();
  return Math.round((count / tookMs) * 1_000);
}

/** Hands out made-up tasks and counts settlements; each call costs a turn of the promise queue. */
function fakeStore(count: number): { readonly store: Store; readonly whenDone: Promise<void> } {
  let left = count;
  let settled = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const claim = async (request: ClaimRequest): Promise<ClaimedTask[]> => {
    const tasks: ClaimedTask[] = [];
    for (; tasks.length < request.limit && left > 0; left--) tasks.push(claimed(`${left}`, request));
    return tasks;
  };
  const settle = async (settlements: readonly Settlement[], next?: ClaimRequest): Promise<SettleAnswer> => {
    settled += settlements.length;
    if (settled === count) resolve();
    return {
      results: settlements.map(() => ({ outcome: 'applied' as const })),
      claimed: next === undefined ? [] : await claim(next),
    };
  };
  const heartbeat = async () => ({ now: 0, beats: [], commands: [], noServer: false });
  const broker = { claim, settle, heartbeat, subscribe: () => () => undefined } as unknown as Broker;
  return { store: { broker } as unknown as Store, whenDone: promise };
}

function claimed(id: string, request: ClaimRequest): ClaimedTask {
  const task = {
    id,
    name: 'noop',
    queue: 'default',
    payload: '{"to":"a@b.c","n":1}',
    policy: '{}',
    attempt: 1,
    generation: 1,
    epoch: 1,
    timeoutMs: 3_600_000,
  } as Task;
  return {
    task,
    lease: { taskId: id, token: request.token, epoch: 1 },
    runMs: 3_600_000,
    boundByLife: false,
    parents: [],
  };
}

function noop(): TaskDefinition {
  return {
    name: 'noop',
    description: null,
    queue: 'default',
    timeoutMs: 3_600_000,
    policy: '{}',
    isolate: 'none',
    key: null,
    keyForMs: null,
    ifExists: 'return',
    group: null,
    limits: [],
    inputSchema: null,
    schemaVersion: null,
    retryOn: null,
    parseInput: async (input: unknown) => input,
    parseOutput: async (output: unknown) => output,
    run: async () => ({ ok: true }),
  } as unknown as TaskDefinition;
}

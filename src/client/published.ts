/** Definitions of tasks whose code is elsewhere: as living workers publish them, or bare where nobody knows the name. */

import type { Broker } from '../broker/broker.ts';
import type { TaskDefinition } from '../core/definition.ts';
import { parsePolicy } from '../core/policy.ts';
import { checkName } from '../core/names.ts';
import type { Definition } from '../core/presence.ts';
import type { Clock } from '../core/time.ts';

/** Checks an input against a published JSON Schema: gives it with the schema's defaults, or throws INVALID_INPUT. */
export type PublishedValidator = (definition: Definition, input: unknown) => unknown;

/** Long enough that a burst of enqueues reads the workers once, short enough that nobody waits for a new task to be known. */
const cacheMs = 1_000;
const timeoutDefaultMs = 3_600_000;

/**
 * Finds definitions by name. What workers publish may be a second old. A name nobody publishes gets a bare definition:
 * its task is accepted, and waits until a worker knows it.
 */
export function createPublished(open: () => Promise<Pick<Broker, 'getWorkers'>>, validate: PublishedValidator, clock: Clock): (name: string) => Promise<TaskDefinition> {
  let cached: { readonly known: Promise<ReadonlyMap<string, TaskDefinition>>; readonly atMs: number } | null = null;

  async function load(): Promise<ReadonlyMap<string, TaskDefinition>> {
    const broker = await open();
    const workers = (await broker.getWorkers()).filter((worker) => worker.state !== 'stopped').sort((a, b) => a.startedAt - b.startedAt);
    // Of two versions the worker that started last speaks.
    return new Map(workers.flatMap((worker) => worker.definitions.map((each) => [each.name, fromPublished(each, validate)] as const)));
  }

  function known(): Promise<ReadonlyMap<string, TaskDefinition>> {
    if (cached !== null && clock.elapsed() - cached.atMs < cacheMs) return cached.known;
    const loading = load();
    cached = { known: loading, atMs: clock.elapsed() };
    // A failed look is not remembered: the next caller tries again.
    loading.catch(() => {
      if (cached?.known === loading) cached = null;
    });
    return loading;
  }

  return async (name) => (await known()).get(name) ?? bareDefinition(checkName(name, 'The name of the task'));
}

function fromPublished(published: Definition, validate: PublishedValidator): TaskDefinition {
  const { name, description, queue, inputSchema, schemaVersion, policy, timeoutMs, key, keyForMs, group } = published;
  return {
    ...bareDefinition(name),
    description, queue, inputSchema, schemaVersion, policy, timeoutMs, key, keyForMs, group,
    strictCancel: parsePolicy(policy).strictCancel,
    parseInput: async (input) => validate(published, input),
  };
}

function bareDefinition(name: string): TaskDefinition {
  return {
    name, description: null, queue: 'default', timeoutMs: timeoutDefaultMs, policy: '{}', isolate: 'none', key: null, keyForMs: null,
    ifExists: 'return', strictCancel: false, group: null, inputSchema: null, schemaVersion: null, retryOn: null, run: null,
    parseInput: (input) => Promise.resolve(input),
    parseOutput: (output) => Promise.resolve(output),
  };
}

/** Which tasks are known, and what of them: those of this process, else those that living workers publish. */

import type { Broker } from '../broker/broker.ts';
import { taskDefaults } from '../client/task-defaults.ts';
import { anyInput, type TaskDefinition } from '../core/definition.ts';
import { nearest } from '../core/nearest.ts';
import { once } from '../core/once.ts';
import { encodePolicy, parsePolicy } from '../core/policy.ts';
import { type Definition, isAlive } from '../core/presence.ts';
import type { Clock } from '../core/time.ts';

/** The known definitions. What workers publish may be {@link cacheMs} old. */
export interface Definitions {
  find(name: string): Promise<TaskDefinition | null>;
  /** The known name nearest to one that is not known, or `null`. */
  nearest(name: string): Promise<string | null>;
  all(): Promise<readonly TaskDefinition[]>;
}

/** Long enough that a burst of enqueues reads the workers once, short enough that nobody waits for a new task to be known. */
const cacheMs = 1_000;

/**
 * Definitions of this process (they win) and of the workers that beat within `limits.presenceMs`; of two workers with
 * different versions the one that started last speaks.
 */
export function createDefinitions(
  broker: Pick<Broker, 'info' | 'getWorkers'>,
  clock: Clock,
  local: readonly TaskDefinition[] = [],
): Definitions {
  const own = new Map(local.map((definition) => [definition.name, definition]));
  let cached: { readonly known: Promise<ReadonlyMap<string, TaskDefinition>>; readonly atMs: number } | null = null;

  async function load(): Promise<ReadonlyMap<string, TaskDefinition>> {
    const [info, workers] = await Promise.all([broker.info(), broker.getWorkers()]);
    const living = workers.filter((worker) => isAlive(worker, info.now)).sort((a, b) => a.startedAt - b.startedAt);
    const published = living.flatMap((worker) => worker.definitions.map(fromPublished));
    return new Map([...published.map((definition) => [definition.name, definition] as const), ...own]);
  }

  function known(): Promise<ReadonlyMap<string, TaskDefinition>> {
    const nowMs = clock.elapsed();
    if (cached !== null && nowMs - cached.atMs < cacheMs) return cached.known;
    const loading = load();
    cached = { known: loading, atMs: nowMs };
    // A failed look is not remembered: the next caller tries again.
    loading.catch(() => {
      if (cached?.known === loading) cached = null;
    });
    return loading;
  }

  return {
    find: async (name) => own.get(name) ?? (await known()).get(name) ?? null,
    nearest: async (name) => nearest(name, (await known()).keys()),
    all: async () => [...(await known()).values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** What a task that nobody knows is enqueued with: the project's defaults, and any input. */
export function unknownDefinition(name: string): TaskDefinition {
  const { policy, timeoutMs } = taskDefaults();
  const nothing = {
    description: null,
    inputSchema: null,
    schemaVersion: null,
    key: null,
    keyForMs: null,
    ifExists: 'return' as const,
    group: null,
    limits: [],
    file: null,
  };
  return fromPublished({
    ...nothing,
    name,
    queue: 'default',
    policy: encodePolicy(policy),
    timeoutMs,
  });
}

/** It loads zod. */
const jsonSchema = once(async () => {
  const { parseWithJsonSchema } = await import('./json-schema.ts');
  validate = parseWithJsonSchema;
  return parseWithJsonSchema;
});
/** Known once it is loaded: to wait for what is there already would cost each task of a batch a promise. */
let validate: ((definition: Definition, input: unknown) => unknown) | null = null;

/** A published definition in the shape of one from code, so that an enqueue is checked and rendered by the same functions. */
function fromPublished(definition: Definition): TaskDefinition {
  const { name, description, queue, timeoutMs, policy, key, keyForMs, ifExists, group, inputSchema, schemaVersion } =
    definition;
  const { isolate, strictCancel } = parsePolicy(policy);
  return {
    name,
    description,
    queue,
    timeoutMs,
    policy,
    isolate,
    memoryMb: null,
    file: null,
    key,
    keyForMs,
    strictCancel,
    group,
    limits: definition.limits ?? [],
    inputSchema,
    schemaVersion,
    ifExists,
    parseInput:
      inputSchema === null
        ? anyInput
        : (input) =>
            validate === null ? jsonSchema().then((parse) => parse(definition, input)) : validate(definition, input),
    parseOutput: async (output) => output,
    retryOn: null,
    ...(definition.isFlow === true && { isFlow: true }),
    run: null,
  };
}

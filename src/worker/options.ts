/** What a worker is made of, checked before anything begins, and what one can do with it. */

import { type Chance, createToken } from '../core/chance.ts';
import type { Middleware, TaskDefinition } from '../core/definition.ts';
import { taskFlowError } from '../core/errors.ts';
import { checkHiddenNames } from '../core/hidden-names.ts';
import { limits } from '../core/limits.ts';
import { createRedactions } from '../core/redact.ts';
import type { Clock } from '../core/time.ts';
import { readPlace } from '../engine/host.ts';
import type { Store } from '../history/history.ts';
import type { WorkerEventName, WorkerEvents } from './events.ts';
import type { QueueSlots } from './pools.ts';
import { publishedDefinition, type WorkerFacts } from './presence.ts';

export interface WorkerOptions {
  /** An open store. The worker does not close it. */
  readonly store: Store;
  /** What it can run. */
  readonly definitions: readonly TaskDefinition[];
  /** Files of definitions by task name, for publishing. */
  readonly files?: Readonly<Record<string, string>>;
  /**
   * Absolute path or URL of the file that exports a task, by name: what runs in a process of its own is loaded from there.
   * Left out, every task runs in this process.
   */
  readonly modules?: Readonly<Record<string, string>>;
  /** Memory of the process of an isolated task that says nothing, MB; `limits.isolateMemoryMb` when left out. */
  readonly memoryMb?: number;
  /** Paths of values whose text is kept out of errors, log lines and progress, beside those of the tasks, in their stored form. */
  readonly redact?: readonly string[];
  /** Added to the environment of such processes. */
  readonly childEnv?: Readonly<Record<string, string>>;
  /** `{ email: 20, default: 5 }` gives each queue its slots; a list shares `concurrency`. `['default']` when left out. */
  readonly queues?: QueueSlots;
  /** Slots shared by a list of queues; 10 when left out. */
  readonly concurrency?: number;
  /** Shown to people; host and pid when left out. */
  readonly name?: string;
  /** Version of this program, published with its presence. */
  readonly version?: string;
  readonly middleware?: readonly Middleware[];
  /** How long `stop` waits for handlers before it aborts them; `limits.drainMs` when left out. */
  readonly drainMs?: number;
  /** `limits.leaseMs` when left out; from `limits.leaseMinMs` to `limits.leaseMaxMs`. */
  readonly leaseMs?: number;
  /** Whether it runs the engine's services: `auto` (when left out) only while no server is alive. */
  readonly services?: 'auto' | 'always' | 'never';
  readonly clock?: Clock;
  readonly chance?: Chance;
  /** How long a handler may take to end after its abort; `limits.graceMs` when left out. */
  readonly graceMs?: number;
  /** How long a handler may keep the event loop from turning before the process ends itself; `limits.loopBlockMaxMs` when left out. */
  readonly blockMaxMs?: number;
  /** Passed to the engine; see `EngineOptions.recoveryMs`. */
  readonly recoveryMs?: number;
}

export interface StopOptions {
  /** Replaces `drainMs`. */
  readonly drainMs?: number;
}

export interface Worker extends AsyncDisposable {
  readonly id: string;
  /** Begins to claim. Starting twice is one start; a worker that was stopped stays stopped. */
  start(): void;
  /**
   * Stops claiming, gives back what has not begun, waits for handlers up to `drainMs`, aborts them with
   * WORKER_STOPPING, settles what ended. What still runs after that keeps its lease, which runs out. Resolves when
   * the worker touches the store no more; a second call is the same promise.
   */
  stop(options?: StopOptions): Promise<void>;
  on<Name extends WorkerEventName>(name: Name, listener: (event: WorkerEvents[Name]) => void): Worker;
  /** Handlers that have a slot now. */
  readonly running: number;
}

/** The definitions by name. Throws DUPLICATE_TASK_NAME for two with one name. */
export function byName(options: WorkerOptions): ReadonlyMap<string, TaskDefinition> {
  const known = new Map<string, TaskDefinition>();
  for (const definition of options.definitions) {
    const { name } = definition;
    const other = known.get(name);
    if (other !== undefined && other !== definition) {
      throw taskFlowError('DUPLICATE_TASK_NAME', {
        name,
        files: options.files?.[name] ?? 'both in the tasks of one worker',
      });
    }
    known.set(name, definition);
  }
  return known;
}

/** What runs need of them. Throws DUPLICATE_TASK_NAME, and INVALID_OPTION for names that would show what the project hides. */
export function runOptionsOf(options: WorkerOptions) {
  const definitions = byName(options);
  const redactionOf = createRedactions(options.redact ?? []);
  for (const [name, definition] of definitions)
    checkHiddenNames(definition, redactionOf(definition.policy), `Task ${name}: `);
  return { definitions, graceMs: options.graceMs ?? limits.graceMs, redactionOf };
}

/** What the worker publishes of itself for as long as it lives. */
export function factsOf(options: WorkerOptions, chance: Chance): WorkerFacts {
  const { definitions, files = {} } = options;
  const place = readPlace();
  return {
    ...place,
    workerId: createToken(chance),
    name: options.name ?? `${place.host}-${place.pid}`,
    version: options.version ?? '0',
    definitions: definitions.map((definition) => publishedDefinition(definition, files[definition.name] ?? null)),
    taskNames: definitions.filter((definition) => definition.run !== null).map((definition) => definition.name),
  };
}

/** Throws INVALID_OPTION for a lease outside of its limits. */
export function checkedLease(leaseMs: number = limits.leaseMs): number {
  if (Number.isInteger(leaseMs) && leaseMs >= limits.leaseMinMs && leaseMs <= limits.leaseMaxMs) return leaseMs;
  const problem = `it must be a whole number from ${limits.leaseMinMs} to ${limits.leaseMaxMs}, not ${leaseMs}`;
  throw taskFlowError('INVALID_OPTION', { what: 'leaseMs', problem });
}

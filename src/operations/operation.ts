/** What an operation is: one thing a person or a program may ask of TaskFlow, the same on every surface. */

import type { ZodType } from 'zod';
import type { EnqueueBatcher } from '../client/enqueue-batcher.ts';
import type { Waiter } from '../client/waiter.ts';
import { type Role, roles, type Scope, scopes } from '../core/access.ts';
import type { Chance } from '../core/chance.ts';
import type { Ids } from '../core/ids.ts';
import type { Rate } from '../core/limit-rules.ts';
import { once } from '../core/once.ts';
import type { RedactionOf } from '../core/redact.ts';
import type { Clock } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import { audited } from './audited.ts';
import type { SettingDocument } from './config.ts';
import type { Definitions } from './definitions.ts';
import type { ForeignLeases } from './foreign-leases.ts';
import { checkGrant, checkQueues } from './grant.ts';
import type { HeldTasks } from './held-tasks.ts';
import type { QueueNames } from './queue-names.ts';
import type { ResultPlaces } from './result-places.ts';
import type { WorkerHints } from './worker-hints.ts';

export { type Role, roles, type Scope, scopes };

/** Who asks. The name is kept with what was done: who paused a queue, who cancelled a task. */
export interface Actor {
  readonly name: string;
  readonly role: Role;
  /** What the key is for; `null`, or absent, is everything that the role may. */
  readonly scopes?: readonly Scope[] | null;
  /** Patterns of the queues it reaches; `null`, or absent, is all. */
  readonly queues?: readonly string[] | null;
  /** How often the key may ask; `null`, or absent, is as often as every key. */
  readonly rate?: Rate | null;
  /** Absent for who needed none. */
  readonly keyId?: string;
  /** Of who is signed in at a browser. */
  readonly sessionId?: string;
  /** For who keeps a connection open: to be asked again every few seconds. Absent where it never ends. */
  readonly isStillAllowed?: () => Promise<boolean>;
}

/** What every operation works with; one per request, cheap to make. */
export interface OperationContext {
  /** Without what nobody is shown: see `redactedStore`. */
  readonly store: Store;
  /** As it is: only for what runs tasks, and for who is to see hidden values, which the audit says. */
  readonly unredacted: Store;
  /** What is hidden of tasks. */
  readonly redactionOf: RedactionOf;
  readonly ids: Ids;
  /** For cache ages only: every time an answer shows comes from the store. */
  readonly clock: Clock;
  readonly definitions: Definitions;
  readonly queueNames: QueueNames;
  /** Stores tasks that are enqueued one by one at the same time in one call. */
  readonly enqueuer: EnqueueBatcher;
  /** Waits for the end of tasks: for who has a place among those that do. */
  readonly waiter: Waiter;
  readonly resultPlaces: ResultPlaces;
  readonly actor: Actor;
  /** The settings of this process, masked; absent where it has none. */
  readonly settings?: readonly SettingDocument[];
  /** Where the request came from; absent where it is none. */
  readonly address?: string;
  readonly remote: RemoteWorkers;
  /** What a caller finds this call by in the log; absent where it is no request. */
  readonly requestId?: string;
  /** W3C trace context of the request, as tasks carry it, which those it enqueues continue. */
  readonly traceparent?: string;
  /** Whether inputs were read from JSON: what such hold needs no second look. Absent where they may be values of a program. */
  readonly isDecoded?: true;
  /** Aborts when nobody waits for the answer any more; absent where that is not known. */
  readonly gone?: () => AbortSignal;
}

/** What a server keeps for workers that reach it over HTTP. Nothing of it is only here. */
export interface RemoteWorkers {
  readonly hints: WorkerHints;
  readonly held: HeldTasks;
  readonly foreign: ForeignLeases;
  /** For the jitter of retries. */
  readonly chance: Pick<Chance, 'float'>;
}

/** One method on one path. The input of a GET is its query, that of all others their body. */
export interface RestAddress {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** Where a body may be larger than one payload with its options. */
  readonly bodyBytesMax?: number;
  /** Where a body may also be a stream of lines (NDJSON), answered line by line: what a line is. */
  readonly streamOf?: string;
  /** Where the answer is a stream of events that does not end: the schema of the data of each. */
  readonly eventsOf?: () => Promise<ZodType>;
}

/** The statuses of good answers over HTTP, where they are not all 200. */
export interface Statuses<Output> {
  /** Each with when it is the one. */
  readonly words: Readonly<Record<number, string>>;
  statusOf(output: Output): number;
  /** What the answer is about, below `/api/v1`. */
  locationOf?(output: Output): string;
}

/**
 * One operation of the registry. Surfaces never call `run` with what somebody sent: they call {@link perform}, which
 * checks the role and the input first.
 */
export interface Operation<Input, Output> {
  /** `noun.verb`: also the MCP tool, the CLI command and the audit line. */
  readonly name: string;
  /** One line in the imperative, without a full stop. */
  readonly summary: string;
  /** The least role that may ask for it. */
  readonly role: Role;
  /** What a key has to be for to ask for it. */
  readonly scope: Scope;
  /** Where it is below `/api/v1`, in Hono's pattern language: what the path names is part of the input. */
  readonly rest: RestAddress;
  /** Absent where every good answer is a 200. */
  readonly statuses?: Statuses<Output>;
  /** What was done, in the past tense, with fields of the input in braces: `paused queue {name}`, `retried {q|ids}`. `null` for what only reads. */
  readonly audit: string | null;
  /**
   * What it changes, as the audit keeps it: read before, and again afterwards. It answers `null` for what is not there; what it throws for
   * a mistake of the caller counts as that. Cheap to read, and without payloads and secrets.
   */
  readonly state?: (context: OperationContext, input: Input) => Promise<unknown>;
  /** What the audit keeps of the answer of an operation that makes something, in place of a state before and after. */
  made?(output: Output): unknown;
  /** The schema of the input. Loaded when it is needed: zod costs 50 ms at start, which `--help` must not pay. */
  schema(): Promise<ZodType<Input>>;
  /** The schema of the answer: what this operation says is exactly that, field for field. Loaded like the one above. */
  output(): Promise<ZodType<Output>>;
  run(context: OperationContext, input: Input): Promise<Output>;
}

const schemas = new WeakMap<object, Promise<ZodType>>();
/** It loads zod. */
const reading = once(() => import('./input.ts'));

/** The schema of an operation's input, loaded once: to import what is there already costs a tenth of a small request each time. */
export function schemaOf<Input>(operation: Pick<Operation<Input, unknown>, 'schema'>): Promise<ZodType<Input>> {
  const known = schemas.get(operation) ?? operation.schema();
  schemas.set(operation, known);
  return known as Promise<ZodType<Input>>;
}

/**
 * Runs an operation for the context's actor on an input of unknown origin, with a row of the audit where it changes anything.
 * Throws FORBIDDEN when the role does not reach, SCOPE_MISSING and QUEUE_FORBIDDEN when the key does not, INVALID_OPTION (details: every wrong path with its problem) when the input does not fit, and whatever the
 * operation throws.
 */
export async function perform<Input, Output>(
  operation: Operation<Input, Output>,
  context: OperationContext,
  input: unknown,
): Promise<Output> {
  // Before its input is looked at: whoever may not ask learns nothing of it.
  checkGrant(operation, context.actor);
  const [schema, { parseInput }] = await Promise.all([schemaOf(operation), reading()]);
  return performRead(operation, context, parseInput(schema, input));
}

/** The same on an input that was read by the schema of the operation, or piece by piece by parts of it: to read it again is half of a stream's work. */
export async function performRead<Input, Output>(
  operation: Operation<Input, Output>,
  context: OperationContext,
  input: Input,
): Promise<Output> {
  checkGrant(operation, context.actor);
  const narrow = await checkQueues(operation.name, context, input);
  return narrow(await audited(operation, context, input));
}

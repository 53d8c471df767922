/** Enqueues a task by its name: with the definition somebody published when there is one, and explained when there is none. */

import type { EnqueueResult } from '../broker/broker.ts';
import { parseDuration } from '../core/duration.ts';
import { taskFlowError } from '../core/errors.ts';
import { parseId } from '../core/ids.ts';
import { encodeJson } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import { type Policy, defaultPolicy, encodePolicy, parsePolicy, policyOf } from '../core/policy.ts';
import { parsePriority, priorities } from '../core/priority.ts';
import type { TaskState } from '../core/states.ts';
import type { NewTask } from '../core/task.ts';
import { compileTemplate } from '../core/template.ts';
import type { KnownDefinition } from './definitions.ts';
import type { OperationContext } from './operation.ts';
import type { EnqueueInput } from './schemas.ts';

/** What became of an enqueue. */
export interface EnqueueDocument {
  /** The task to look at: the new one, or the one that was there. */
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  /** `null` when the task that holds the key is gone by now. */
  readonly state: TaskState | null;
  /** Whether this call stored a task. */
  readonly created: boolean;
  /** `existing`: the same id was sent before; `duplicate`: the key is held; `replaced`: the former holder was cancelled. */
  readonly outcome: 'created' | 'existing' | 'duplicate' | 'replaced';
  /** The task that was replaced. */
  readonly replaced: string | null;
  /** What the caller should know though the task was accepted: no worker knows the name, for example. */
  readonly note: string | null;
}

/** Throws INVALID_INPUT, INVALID_OPTION, INVALID_ID, PAYLOAD_*, ID_CONFLICT and KEY_CONFLICT; then nothing is stored. */
export async function enqueueByName(context: OperationContext, request: EnqueueInput): Promise<EnqueueDocument> {
  const definition = await context.definitions.find(request.name);
  const task = await newTask(context, request, definition);
  const [result] = await context.store.broker.enqueue([task]);
  if (result === undefined) throw taskFlowError('INTERNAL', { problem: 'the store answered nothing to an enqueue' });
  const note = definition === null ? await unknownNote(context, request.name) : null;
  return enqueueDocument(context, task, result, note);
}

async function newTask(context: OperationContext, request: EnqueueInput, definition: KnownDefinition | null): Promise<NewTask> {
  const payload = encodeJson(request.input ?? {}, { what: `The input of ${request.name}`, bytesMax: limits.payloadBytesMax, depthMax: limits.jsonDepthMax });
  const parsed = definition === null ? null : await validate(definition, JSON.parse(payload));
  const policy = requestedPolicy(request, definition);
  return {
    id: request.id === undefined ? context.ids.next() : parseId(request.id),
    name: request.name,
    queue: request.queue ?? definition?.queue ?? 'default',
    payload,
    schemaVersion: definition?.schemaVersion ?? null,
    priority: request.priority === undefined ? priorities.normal : parsePriority(request.priority),
    ...requestedTimes(request, definition),
    policy: encodePolicy(policy),
    keepMs: policy.keepFailedMs,
    strictCancel: policy.strictCancel,
    group: definition?.group == null ? null : compileTemplate(definition.group, { what: 'group' }).render(parsed),
    limits: [],
    ...requestedKey(request, definition, parsed),
    dependsOn: [],
    blocks: [],
    flowId: null,
    tags: [...new Set(request.tags ?? [])],
    traceparent: null,
  };
}

/** With the code when it is here, else with the JSON Schema its worker published. Answers the input as the handler will see it, as far as is known here. */
async function validate(definition: KnownDefinition, input: unknown): Promise<unknown> {
  if (definition.parseInput !== null) return definition.parseInput(input);
  const { validateWithJsonSchema } = await import('./json-schema.ts');
  return validateWithJsonSchema(definition, input);
}

function requestedTimes(request: EnqueueInput, definition: KnownDefinition | null) {
  if (request.delay !== undefined && request.at !== undefined) {
    throw taskFlowError('INVALID_OPTION', { what: 'at', problem: 'give either a delay or a time, not both' });
  }
  const optional = (value: string | number | undefined, what: string) => (value === undefined ? null : parseDuration(value, what, { min: 1 }));
  return {
    delayMs: request.delay === undefined ? 0 : parseDuration(request.delay, 'delay'),
    at: request.at === undefined ? null : Date.parse(request.at),
    startWithinMs: optional(request.startWithin, 'startWithin'),
    expiresInMs: optional(request.expiresIn, 'expiresIn'),
    timeoutMs: request.timeout === undefined ? definedTimeout(definition) : request.timeout === null ? null : parseDuration(request.timeout, 'timeout', { min: 1 }),
  };
}

/** A task nobody knows gets what a definition that says nothing gets. */
function definedTimeout(definition: KnownDefinition | null): number | null {
  return definition === null ? limits.timeoutMs : definition.timeoutMs;
}

function requestedPolicy(request: EnqueueInput, definition: KnownDefinition | null): Policy {
  const base = definition === null ? defaultPolicy : parsePolicy(definition.policy);
  return request.retry === undefined ? base : policyOf({ retry: request.retry }, base);
}

function requestedKey(request: EnqueueInput, definition: KnownDefinition | null, parsed: unknown) {
  const template = definition?.key ?? null;
  const key = request.key ?? (template === null ? null : compileTemplate(template, { what: 'key' }).render(parsed));
  const keyForMs = request.keyFor === undefined ? (definition?.keyForMs ?? null) : parseDuration(request.keyFor, 'keyFor', { min: 1 });
  if (key === null && (request.keyFor !== undefined || request.ifExists !== undefined)) {
    throw taskFlowError('INVALID_OPTION', { what: request.keyFor === undefined ? 'ifExists' : 'keyFor', problem: 'it says what a key means, and there is no key' });
  }
  const ifExists = request.ifExists ?? definition?.ifExists ?? 'return';
  return { key, keyForMs: key === null ? null : keyForMs, ifExists };
}

async function unknownNote(context: OperationContext, name: string): Promise<string> {
  const near = await context.definitions.nearest(name);
  return `no worker knows "${name}"${near === null ? '' : `; nearest: ${near}`}`;
}

async function enqueueDocument(context: OperationContext, task: NewTask, result: EnqueueResult, note: string | null): Promise<EnqueueDocument> {
  const { name, queue } = task;
  switch (result.outcome) {
    case 'created':
    case 'existing':
      return { id: result.taskId, name, queue, state: result.state, created: result.outcome === 'created', outcome: result.outcome, replaced: null, note };
    case 'replaced':
      return { id: result.taskId, name, queue, state: result.state, created: true, outcome: 'replaced', replaced: result.of, note };
    case 'duplicate': {
      const [holder] = await context.store.broker.getTasks([result.of]);
      return { id: result.of, name: holder?.name ?? name, queue: holder?.queue ?? queue, state: holder?.state ?? null, created: false, outcome: 'duplicate', replaced: null, note };
    }
    case 'conflict':
      if (result.of === task.id) throw taskFlowError('ID_CONFLICT', { id: task.id });
      throw taskFlowError('KEY_CONFLICT', { key: task.key ?? '', holder: result.of }, { details: { holder: result.of } });
  }
}

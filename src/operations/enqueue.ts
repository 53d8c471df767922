/** Enqueues a task by its name: with the definition somebody published when there is one, and explained when there is none. */

import type { EnqueueResult } from '../broker/broker.ts';
import {
  conflictError,
  encodeDecodedInput,
  encodeInput,
  newTask,
  type PreparedInput,
  prepareInput,
} from '../client/enqueue.ts';
import type { EnqueueOptions } from '../client/options.ts';
import { sendTraced } from '../client/send-traced.ts';
import { reachesQueue } from '../core/access.ts';
import { isRendered, type TaskDefinition } from '../core/definition.ts';
import { parseDuration } from '../core/duration.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { type Ids, parseId } from '../core/ids.ts';
import { checkName } from '../core/names.ts';
import type { TaskState } from '../core/states.ts';
import type { NewTask } from '../core/task.ts';
import { unknownDefinition } from './definitions.ts';
import { reaching } from './links.ts';
import type { OperationContext } from './operation.ts';
import type { EnqueueInput } from './schemas.ts';
import { type ResultDocument, readWait, resultOf } from './task-result.ts';
import { readAt } from './time-text.ts';

/** What became of an enqueue. */
export interface EnqueueDocument {
  /** The task to look at: the new one, or the one that was there. */
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  /** `null` when the task that holds the key is gone by now, or in a queue that the caller's key does not reach. */
  readonly state: TaskState | null;
  /** Whether this call stored a task. */
  readonly created: boolean;
  /** `existing`: the same id was sent before; `duplicate`: the key is held; `replaced`: the former holder was cancelled. */
  readonly outcome: 'created' | 'existing' | 'duplicate' | 'replaced';
  /** The task that was replaced. */
  readonly replaced: string | null;
  /** What the caller should know though the task was accepted: no worker knows the name, for example. */
  readonly note: string | null;
  /** What came of it, where the caller waited; `null` where nobody did. */
  readonly result: ResultDocument | null;
}

/** Throws INVALID_INPUT, INVALID_OPTION, INVALID_ID, PAYLOAD_*, TOO_MANY_QUEUES, ID_CONFLICT and KEY_CONFLICT; then nothing is stored. */
export async function enqueueByName(context: OperationContext, request: EnqueueInput): Promise<EnqueueDocument> {
  const name = checkName(request.name, 'name');
  const definition = await context.definitions.find(name);
  const task = await requestedTask(context, request, definition ?? unknownDefinition(name));
  const waitMs = readWait(request.wait);
  const isNew = context.queueNames.check(task.queue);
  if (isNew !== null) await isNew;
  const answer = await sendTraced([task], ([sent = task]) => context.enqueuer.enqueue(sent));
  const note = definition === null ? await unknownNote(context, name) : null;
  const document = await enqueueDocument(context, task, answer, note);
  // The task is stored: whatever its result cannot be told for must not look as if it were not.
  if (waitMs === 0 || document.state === null) return document;
  try {
    return { ...document, result: await resultOf(context, document.id, waitMs) };
  } catch (error) {
    if (!(error instanceof TaskFlowError)) throw error;
    return { ...document, note: `it is stored; its end could not be waited for: ${error.message}` };
  }
}

type Making = Pick<OperationContext, 'actor' | 'isDecoded' | 'redactionOf' | 'traceparent'> & {
  readonly ids: Pick<Ids, 'next'>;
};

/**
 * Makes the tasks of the requests of one call, which do not ask for a promise each where their schemas answer at once. Of requests that say
 * nothing but an input all but the first are copies of that one.
 */
export function taskMaker(
  context: Making,
): (request: EnqueueInput, definition: TaskDefinition) => NewTask | Promise<NewTask> {
  const plain = new Map<TaskDefinition, NewTask>();
  return (request, definition) => {
    if (!saysInputAlone(request) || isRendered(definition) || definition.isFlow === true)
      return requestedTask(context, request, definition);
    const known = plain.get(definition);
    if (known === undefined) {
      const made = requestedTask(context, request, definition);
      if (!(made instanceof Promise)) plain.set(definition, made);
      return made;
    }
    const id = idOf(context, request);
    const prepared = prepare(context, definition, request);
    return prepared instanceof Promise
      ? prepared.then(({ payload }) => copyOf(context, known, id, payload))
      : copyOf(context, known, id, prepared.payload);
  };
}

function copyOf(context: Making, task: NewTask, id: string, payload: string): NewTask {
  // The engine copies an object of a known shape at once.
  return withoutMask(context, { ...task, id, payload });
}

/** `timeout` and a time in text are what surfaces have beyond the options of the TypeScript API. */
function requestedTask(context: Making, request: EnqueueInput, definition: TaskDefinition): NewTask | Promise<NewTask> {
  const { at, timeout } = request;
  const rest = optionsOf(request);
  if (at !== undefined && rest.delay !== undefined)
    throw taskFlowError('INVALID_OPTION', { what: 'at', problem: 'a task has either a delay or a time, not both' });
  const taskId = idOf(context, request);
  const make = (prepared: PreparedInput): NewTask => {
    // The schema lets any text through where the compiler wants a duration or priority: newTask reads and refuses them.
    const made = newTask(definition, prepared, rest as EnqueueOptions, taskId);
    const { traceparent } = context;
    const task = withoutMask(
      context,
      traceparent === undefined || made.traceparent !== null ? made : { ...made, traceparent },
    );
    if (at === undefined && timeout === undefined) return task;
    return {
      ...task,
      at: at === undefined ? task.at : readAt(at),
      timeoutMs:
        timeout === undefined
          ? task.timeoutMs
          : timeout === null
            ? null
            : parseDuration(timeout, 'timeout', { min: 1 }),
    };
  };
  const prepared = prepare(context, definition, request);
  const { queues = null } = context.actor;
  const send = queues === null ? make : (ready: PreparedInput) => reaching(queues, make(ready));
  return prepared instanceof Promise ? prepared.then(send) : send(prepared);
}

function idOf({ ids }: Making, { id }: EnqueueInput): string {
  return id === undefined ? ids.next() : parseId(id);
}

function prepare(
  { isDecoded }: Making,
  definition: TaskDefinition,
  { input = {} }: EnqueueInput,
): PreparedInput | Promise<PreparedInput> {
  return prepareInput(definition, input, isDecoded === true ? encodeDecodedInput : encodeInput);
}

/** The same task. Throws REDACTED_VALUE where it holds what is shown in place of hidden values. */
function withoutMask({ redactionOf }: Making, task: NewTask): NewTask {
  if (redactionOf(task.policy)?.holdsMask('input', task.payload) === true)
    throw taskFlowError('REDACTED_VALUE', { what: `The input of ${task.name}` });
  return task;
}

const noOptions: Omit<EnqueueInput, 'name' | 'input' | 'id' | 'at' | 'timeout' | 'wait'> = {};

/** What of a request are options of the TypeScript API too; most have none, and to copy what is left is half of making a task. */
function optionsOf(request: EnqueueInput): typeof noOptions {
  if (saysInputAlone(request)) return noOptions;
  const { name: _name, input: _input, id: _id, at: _at, timeout: _timeout, wait: _wait, ...options } = request;
  return options;
}

function saysInputAlone(request: EnqueueInput): boolean {
  for (const field in request) if (field !== 'name' && field !== 'input' && field !== 'id') return false;
  return true;
}

/** Says that no worker knows a name, and which one is nearest. */
export async function unknownNote(context: OperationContext, name: string): Promise<string> {
  const near = await context.definitions.nearest(name);
  return `no worker knows "${name}"${near === null ? '' : `; nearest: ${near}`}`;
}

async function enqueueDocument(
  context: OperationContext,
  task: NewTask,
  result: EnqueueResult,
  note: string | null,
): Promise<EnqueueDocument> {
  const { name, queue } = task;
  switch (result.outcome) {
    case 'created':
    case 'existing':
    case 'replaced':
      return {
        id: result.taskId,
        name,
        queue,
        state: result.state,
        created: result.outcome !== 'existing',
        outcome: result.outcome,
        replaced: result.outcome === 'replaced' ? result.of : null,
        note,
        result: null,
      };
    case 'duplicate': {
      const [found] = await context.store.broker.getTasks([result.of]);
      const isShown = found != null && reachesQueue(context.actor.queues ?? null, found.queue);
      const holder = isShown ? found : null;
      return {
        id: result.of,
        name: holder?.name ?? name,
        queue: holder?.queue ?? queue,
        state: holder?.state ?? null,
        created: false,
        outcome: 'duplicate',
        replaced: null,
        note,
        result: null,
      };
    }
    case 'conflict':
      throw conflictError(task, result.of);
  }
}

/** Enqueues many tasks by their names in one call: all are checked before any is stored, or each stands for itself. */

import type { EnqueueResult } from '../broker/broker.ts';
import { conflictError } from '../client/enqueue.ts';
import { bytesOf } from '../client/enqueue-batcher.ts';
import { numbered } from '../client/enqueue-many.ts';
import { sendTraced } from '../client/send-traced.ts';
import type { TaskDefinition } from '../core/definition.ts';
import { type ErrorDocument, TaskFlowError, taskFlowError } from '../core/errors.ts';
import type { Ids } from '../core/ids.ts';
import { formatBytes } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import { checkName } from '../core/names.ts';
import type { NewTask } from '../core/task.ts';
import { unknownDefinition } from './definitions.ts';
import { taskMaker, unknownNote } from './enqueue.ts';
import type { Operation, OperationContext } from './operation.ts';
import { type QueueNames, refusedQueues } from './queue-names.ts';
import type { EnqueueInput, EnqueueManyInput } from './schemas.ts';

/** What became of one of many, in the order in which they were sent. */
export interface EnqueuedDocument {
  /** The task to look at; `null` for one that was refused and had no id of its own. */
  readonly id: string | null;
  /** `conflict`: another task has the id, or the key; `refused`: it is wrong, as `problem` says. Neither is stored. */
  readonly outcome: 'created' | 'existing' | 'duplicate' | 'replaced' | 'conflict' | 'refused';
  readonly problem: Pick<ErrorDocument, 'code' | 'message'> | null;
}

export interface ManyEnqueuedDocument {
  readonly tasks: readonly EnqueuedDocument[];
  /** How many this call has stored. */
  readonly created: number;
  /** What the caller should know though tasks were accepted. */
  readonly notes: readonly string[];
}

export const taskEnqueueMany: Operation<EnqueueManyInput, ManyEnqueuedDocument> = {
  name: 'task.enqueue-many',
  summary: 'Enqueue many tasks by their names in one call',
  role: 'operator',
  scope: 'enqueue',
  rest: {
    method: 'POST',
    path: '/tasks/batch',
    bodyBytesMax: limits.batchBodyBytesMax,
    streamOf:
      'A task a line, as one of `tasks`; each is answered by a line with its number, the last line has the sums',
  },
  audit: 'enqueued many tasks',
  made: ({ tasks, created }) => ({ created, first: tasks[0]?.id ?? null }),
  schema: async () => (await import('./schemas.ts')).enqueueManyInput,
  output: async () => (await import('./task-output.ts')).enqueueManyOutput,
  run: (context, { tasks, partial = false }) => enqueueMany(context, tasks, partial),
};

type Prepared = NewTask | TaskFlowError;
/** By name, with the defaults where no worker has it; a name that is none is not there. */
type Known = ReadonlyMap<string, { readonly definition: TaskDefinition; readonly isKnown: boolean }>;

/** Throws what is wrong with the first wrong one, with its index, unless `partial`; then nothing is stored. */
async function enqueueMany(
  context: OperationContext,
  requests: readonly EnqueueInput[],
  partial: boolean,
): Promise<ManyEnqueuedDocument> {
  const known = await knownDefinitions(context, requests, partial);
  const made = await prepareAll(context, requests, known);
  refuseWrong(made, partial);
  const prepared = await refuseNewQueues(context.queueNames, made);
  const tasks = refuseWrong(prepared, partial) ? prepared.filter(isTask) : (prepared as readonly NewTask[]);
  checkBytes(tasks);
  const results = await sendTraced(tasks, async (sent) =>
    sent.length === 0 ? [] : context.store.broker.enqueue(sent),
  );
  const names = [...known].filter(([, { isKnown }]) => !isKnown).map(([name]) => name);
  return {
    ...documentsOf(prepared, results),
    notes: await Promise.all(names.slice(0, limits.namesToldMax).map((name) => unknownNote(context, name))),
  };
}

/** Whether any is wrong. Throws what is wrong with the first, unless `partial`. */
function refuseWrong(prepared: readonly Prepared[], partial: boolean): boolean {
  const first = prepared.findIndex(isWrong);
  if (!partial && first >= 0) throw numberedRefusal(first, prepared[first]);
  return first >= 0;
}

/** Those that would make a queue too many are wrong, and no others. */
async function refuseNewQueues(names: QueueNames, prepared: readonly Prepared[]): Promise<readonly Prepared[]> {
  const queues = new Set<string>();
  for (const one of prepared) if (isTask(one)) queues.add(one.queue);
  const wrong = await refusedQueues(names, queues);
  return wrong.size === 0 ? prepared : prepared.map((one) => (isTask(one) ? (wrong.get(one.queue) ?? one) : one));
}

function isWrong(one: Prepared): one is TaskFlowError {
  return one instanceof TaskFlowError;
}

function isTask(one: Prepared): one is NewTask {
  return !isWrong(one);
}

/** What is known of each name among them; one look for all of a name. */
async function knownDefinitions(
  { definitions }: OperationContext,
  requests: readonly EnqueueInput[],
  partial: boolean,
): Promise<Known> {
  const known = new Map<string, { readonly definition: TaskDefinition; readonly isKnown: boolean }>();
  for (let index = 0, last: string | undefined; index < requests.length; index++) {
    const name = requests[index]?.name ?? '';
    if (name === last || known.has(name)) continue;
    last = name;
    try {
      const definition = await definitions.find(checkName(name, 'name'));
      known.set(name, { definition: definition ?? unknownDefinition(name), isKnown: definition !== null });
    } catch (error) {
      // A name that is none: of one task where each stands for itself, else of the call.
      if (!partial || !isRefusal(error)) throw numberedRefusal(index, error);
    }
  }
  return known;
}

/** Each as a task, or as what is wrong with it. What nobody foresaw is thrown. */
async function prepareAll(
  context: OperationContext,
  requests: readonly EnqueueInput[],
  known: Known,
): Promise<readonly Prepared[]> {
  const makeTask = taskMaker({ ...context, ids: idsFor(context.ids, requests) });
  const prepared = requests.map((request): Prepared | Promise<Prepared> => {
    try {
      const definition = known.get(request.name)?.definition ?? unknownDefinition(checkName(request.name, 'name'));
      const task = makeTask(request, definition);
      return task instanceof Promise ? task.catch(refused) : task;
    } catch (error) {
      return refused(error);
    }
  });
  // Most schemas answer at once: a promise a task would be a third of the whole.
  return prepared.some((one) => one instanceof Promise) ? Promise.all(prepared) : (prepared as Prepared[]);
}

/** Those that have none of their own get theirs from one call: to ask for the time is half of making an id. */
function idsFor(ids: Ids, requests: readonly EnqueueInput[]): Pick<Ids, 'next'> {
  const made = ids.many(requests.filter(({ id }) => id === undefined).length);
  let used = 0;
  return { next: () => made[used++] ?? ids.next() };
}

function refused(error: unknown): TaskFlowError {
  if (isRefusal(error)) return error;
  throw error;
}

function isRefusal(error: unknown): error is TaskFlowError {
  return error instanceof TaskFlowError && !error.retryable && error.status < 500;
}

/** The same error with the index of its task, in words and among its details. */
function numberedRefusal(index: number, error: unknown): unknown {
  const told = numbered(index, error);
  if (!(told instanceof TaskFlowError)) return told;
  const { details } = told;
  Object.assign(told, { details: { index, ...(typeof details === 'object' && details !== null ? details : {}) } });
  return told;
}

/** One call of the store, so that all or nothing of it is stored. */
function checkBytes(tasks: readonly NewTask[]): void {
  const bytes = tasks.reduce((sum, { payload }) => sum + bytesOf(payload, limits), 0);
  if (bytes > limits.batchBytesMax)
    throw taskFlowError('BATCH_TOO_LARGE', {
      max: `${formatBytes(limits.batchBytesMax)} of input`,
      actual: formatBytes(bytes),
    });
}

function documentsOf(
  prepared: readonly Prepared[],
  results: readonly EnqueueResult[],
): Pick<ManyEnqueuedDocument, 'tasks' | 'created'> {
  let next = 0;
  let created = 0;
  const tasks = prepared.map((one): EnqueuedDocument => {
    if (isWrong(one)) return { id: null, outcome: 'refused', problem: problemOf(one) };
    const result = results[next++];
    if (result === undefined) throw taskFlowError('INTERNAL', { problem: 'the store answered for fewer tasks' });
    if (result.outcome === 'created' || result.outcome === 'replaced') created++;
    return enqueuedDocument(one, result);
  });
  return { tasks, created };
}

function enqueuedDocument(task: NewTask, result: EnqueueResult): EnqueuedDocument {
  switch (result.outcome) {
    case 'conflict':
      return { id: result.of, outcome: 'conflict', problem: problemOf(conflictError(task, result.of)) };
    case 'duplicate':
      return { id: result.of, outcome: 'duplicate', problem: null };
    default:
      return { id: result.taskId, outcome: result.outcome, problem: null };
  }
}

function problemOf({ code, message }: TaskFlowError): Pick<ErrorDocument, 'code' | 'message'> {
  return { code, message };
}

/** Operations on bulk operations: the same done to every task that a filter finds, with a time to think better of it. */

import { newTask } from '../client/enqueue.ts';
import { reachesQueue } from '../core/access.ts';
import {
  type BulkOrder,
  type BulkVerb,
  bulkTaskName,
  internalQueue,
  readBulkOrder,
  readBulkState,
} from '../core/bulk.ts';
import { parseDuration } from '../core/duration.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Filter } from '../core/filter.ts';
import { parseFilter } from '../core/filter-parse.ts';
import { parseId } from '../core/ids.ts';
import type { Rate } from '../core/limit-rules.ts';
import { limits } from '../core/limits.ts';
import { checkName } from '../core/names.ts';
import { invalidOption } from '../core/option-names.ts';
import { parsePriority } from '../core/priority.ts';
import { readRate } from '../core/rate-text.ts';
import { type TaskState, type TaskView, viewOf } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import { isoTime } from '../core/time.ts';
import { begunBulk, standingOf } from './audited-state.ts';
import type { BulkInput, BulkListInput, BulkRemoveInput, PurgeInput } from './bulk-schemas.ts';
import { unknownDefinition } from './definitions.ts';
import type { Actor, Operation, OperationContext } from './operation.ts';
import { queueGet } from './queue.ts';
import type { TaskInput } from './schemas.ts';
import { type ListedTaskDocument, listedTaskDocument } from './task-document.ts';

/** A bulk operation as every surface shows it. */
export interface BulkDocument {
  readonly id: string;
  readonly verb: BulkVerb;
  /** The filter; empty where the tasks are named. */
  readonly q: string;
  readonly ids: readonly string[] | null;
  /** Where the tasks move to, and what priority they get; `null` for other verbs. */
  readonly queue: string | null;
  readonly priority: number | null;
  /** Patterns of the queues it is narrowed to, since the key of whoever asked reaches no others; `null` is all. */
  readonly queues: readonly string[] | null;
  readonly by: string;
  readonly reason: string | null;
  readonly rate: Rate | null;
  /** `scheduled` while it can be undone, then as a task. */
  readonly state: TaskState;
  readonly view: TaskView;
  /** Tasks that matched when it was asked for; at least so many where `exact` is false. */
  readonly matched: number;
  readonly exact: boolean;
  readonly done: number;
  /** Tasks that did not fit any more when their turn came, and the first 100 of them with what the store said. */
  readonly refused: number;
  readonly failures: readonly { readonly id: string; readonly outcome: string }[];
  readonly createdAt: string;
  /** When the time to undo it is over. */
  readonly startsAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** Why it could not go on. */
  readonly error: string | null;
}

export interface BulkCreatedDocument {
  readonly matched: number;
  /** Whether that is all of them: counting ends at 10,000 tasks, or after 5 s. */
  readonly exact: boolean;
  /** Patterns of the queues it is narrowed to, as those of the key are; `null` is all. */
  readonly queues: readonly string[] | null;
  /** The newest of them; none where they were named. */
  readonly sample: readonly ListedTaskDocument[];
  /** `null` for a dry run: nothing happens. */
  readonly operation: BulkDocument | null;
}

export interface BulkListDocument {
  /** Newest first. */
  readonly operations: readonly BulkDocument[];
  readonly next: string | null;
}

export const operationCreate: Operation<BulkInput, BulkCreatedDocument> = {
  name: 'operation.create',
  summary: 'Retry, cancel, move or hasten every task that a filter finds or that is named, after a time to undo it',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/operations' },
  audit: 'began to {verb} all tasks of {q|ids}',
  made: begunBulk,
  schema: async () => (await import('./bulk-schemas.ts')).bulkInput,
  output: async () => (await import('./bulk-output.ts')).bulkCreatedOutput,
  run: createBulk,
};

export const operationRemove: Operation<BulkRemoveInput, BulkCreatedDocument> = {
  name: 'operation.remove-tasks',
  summary: 'Remove every finished task that a filter finds or that is named, after a time to undo it',
  role: 'admin',
  scope: 'admin',
  rest: { method: 'POST', path: '/operations/remove-tasks' },
  audit: 'began to remove all tasks of {q|ids}',
  made: begunBulk,
  schema: async () => (await import('./bulk-schemas.ts')).bulkRemoveInput,
  output: async () => (await import('./bulk-output.ts')).bulkCreatedOutput,
  run: (context, input) => createBulk(context, { ...input, verb: 'remove' }),
};

/** What waits in it is cancelled, what runs goes on. A queue that nobody knows is QUEUE_NOT_FOUND. */
export const queuePurge: Operation<PurgeInput, BulkCreatedDocument> = {
  name: 'queue.purge',
  summary: 'Cancel every task that waits in a queue, after a time to undo it',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/queues/:name/purge' },
  audit: 'began to purge queue {name}',
  made: begunBulk,
  schema: async () => (await import('./bulk-schemas.ts')).purgeInput,
  output: async () => (await import('./bulk-output.ts')).bulkCreatedOutput,
  async run(context, { name, ...rest }) {
    await queueGet.run(context, { name });
    // A worker of another program may serve a queue of any name.
    const quoted = `"${name.replace(/["\\]/g, '\\$&')}"`;
    return createBulk(context, { ...rest, verb: 'cancel', q: `state:queued,scheduled,blocked queue:${quoted}` });
  },
};

export const operationList: Operation<BulkListInput, BulkListDocument> = {
  name: 'operation.list',
  summary: 'List the bulk operations, newest first',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/operations' },
  audit: null,
  schema: async () => (await import('./bulk-schemas.ts')).bulkListInput,
  output: async () => (await import('./bulk-output.ts')).bulkListOutput,
  async run({ store, actor }, { limit = 50, after = null }) {
    const { tasks, next } = await store.history.search(ofBulk, { after, limit });
    const known = await store.broker.getTasks(tasks.map(({ id }) => id));
    const operations = known.flatMap((task) => (task === null ? [] : [bulkDocument(task)]));
    return { operations: operations.filter(({ queues }) => isWithin(queues, actor)), next };
  },
};

/** What is no bulk operation is OPERATION_NOT_FOUND. */
export const operationGet: Operation<TaskInput, BulkDocument> = {
  name: 'operation.get',
  summary: 'Show how far a bulk operation is, and what failed',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/operations/:id' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).taskInput,
  output: async () => (await import('./bulk-output.ts')).bulkOutput,
  run: async (context, { id }) => bulkDocument(await find(context, parseId(id))),
};

/** Before it has begun nothing happens; what it has done stays done. One that has ended is TASK_FINISHED. */
export const operationStop: Operation<TaskInput, BulkDocument> = {
  name: 'operation.stop',
  summary: 'Undo a bulk operation that has not begun, or stop one that runs where it is',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/operations/:id/stop' },
  audit: 'stopped operation {id}',
  state: standingOf,
  schema: async () => (await import('./schemas.ts')).taskInput,
  output: async () => (await import('./bulk-output.ts')).bulkOutput,
  async run(context, { id }) {
    const taskId = parseId(id);
    await find(context, taskId);
    const [result] = await context.store.broker.cancel({ taskIds: [taskId], reason: `by ${context.actor.name}` });
    if (result?.outcome === 'already') throw taskFlowError('TASK_FINISHED', { id: taskId, state: result.state });
    return bulkDocument(await find(context, taskId));
  },
};

type Asked = Omit<BulkInput, 'verb'> & { readonly verb: BulkVerb };

/** Counts, and begins it unless that was all that was asked for. Throws INVALID_FILTER, INVALID_ID and INVALID_OPTION. */
export async function createBulk(context: OperationContext, asked: Asked): Promise<BulkCreatedDocument> {
  const { q = '', ids, verb, reason = null } = asked;
  const taskIds = ids === undefined ? undefined : [...new Set(ids.map(parseId))];
  if ((taskIds === undefined) !== (asked.q !== undefined))
    throw invalidOption('q', 'tasks are found by a filter in `q`, or named in `ids`: one of them');
  const filter = parseFilter(q);
  if (taskIds === undefined && filter.terms.length === 0)
    throw invalidOption('q', 'it names every task there is: say which, such as state:failed');
  const { queues = null } = context.actor;
  const change = changeOf(asked);
  if (change.queue !== null && !reachesQueue(queues, change.queue))
    throw taskFlowError('QUEUE_FORBIDDEN', {
      queue: change.queue,
      actor: context.actor.name,
      queues: (queues ?? []).join(', '),
    });
  if (change.queue !== null) await context.queueNames.check(change.queue);
  const delayMs = asked.delay === undefined ? limits.bulkUndoMs : parseDuration(asked.delay, 'delay');
  const rate = asked.rate === undefined ? null : readRate(asked.rate, 'rate');
  const { matched, isExact, sample } =
    taskIds === undefined ? await count(context, filter) : { matched: taskIds.length, isExact: true, sample: [] };
  const counted = { matched, exact: isExact, queues, sample };
  if (asked.dryRun === true) return { ...counted, operation: null };
  const order: BulkOrder = {
    ...{ verb, filter: q, ...(taskIds !== undefined && { taskIds }), ...change },
    ...{ by: context.actor.name, reason, rate, matched, isExact, queues },
  };
  const taskId = context.ids.next();
  const definition = { ...unknownDefinition(bulkTaskName), queue: internalQueue, timeoutMs: null };
  const input = { payload: JSON.stringify(order), parsed: order };
  await context.store.broker.enqueue([newTask(definition, input, { delay: delayMs }, taskId)]);
  return { ...counted, operation: bulkDocument(await find(context, taskId)) };
}

function changeOf({ verb, queue, priority }: Asked): Pick<BulkOrder, 'queue' | 'priority'> {
  if ((verb === 'move') !== (queue !== undefined))
    throw invalidOption('queue', 'it goes with the verb move, and with no other');
  if ((verb === 'priority') !== (priority !== undefined))
    throw invalidOption('priority', 'it goes with the verb priority, and with no other');
  return {
    queue: queue === undefined ? null : checkName(queue, 'queue'),
    priority: priority === undefined ? null : parsePriority(priority),
  };
}

interface Counted {
  readonly matched: number;
  readonly isExact: boolean;
  readonly sample: readonly ListedTaskDocument[];
}

/** Page by page, so that nothing is held up; to a bound, which is told. */
async function count({ store, clock, actor }: OperationContext, filter: Filter): Promise<Counted> {
  const until = clock.elapsed() + limits.bulkCountMs;
  const sample: ListedTaskDocument[] = [];
  let matched = 0;
  let after: string | null = null;
  do {
    const page = await store.history.search(filter, { after, limit: limits.pageMax });
    const meant = page.tasks.filter(
      ({ queue }) => queue !== internalQueue && reachesQueue(actor.queues ?? null, queue),
    );
    sample.push(...meant.slice(0, limits.bulkSampleMax - sample.length).map(listedTaskDocument));
    matched += meant.length;
    after = page.next;
  } while (after !== null && matched < limits.bulkCountMax && clock.elapsed() < until);
  return { matched, isExact: after === null, sample };
}

const ofBulk: Filter = {
  terms: [
    {
      field: 'name',
      path: [],
      values: [{ kind: 'word', text: bulkTaskName, prefix: false }],
      negated: false,
      position: 1,
    },
  ],
};

/** Of another's queues there is none to who reaches some alone. */
async function find({ store, actor }: OperationContext, taskId: string): Promise<Task> {
  const [task] = await store.broker.getTasks([taskId]);
  if (task == null || task.name !== bulkTaskName || !isWithin(readBulkOrder(task.payload).queues, actor))
    throw taskFlowError('OPERATION_NOT_FOUND', { id: taskId });
  return task;
}

/** Whether somebody reaches all queues that one is narrowed to. */
function isWithin(queues: readonly string[] | null, { queues: reached = null }: Actor): boolean {
  return reached === null || queues?.every((pattern) => reached.includes(pattern)) === true;
}

function bulkDocument(task: Task): BulkDocument {
  const { verb, filter, taskIds, queue, priority, queues, by, reason, rate, matched, isExact } = readBulkOrder(
    task.payload,
  );
  const { done, refused, failures } = readBulkState(task);
  return {
    id: task.id,
    verb,
    q: filter,
    ids: taskIds ?? null,
    queue,
    priority,
    queues,
    by,
    reason,
    rate,
    state: task.state,
    view: viewOf(task),
    matched,
    exact: isExact,
    done,
    refused,
    failures: failures.map(({ taskId, outcome }) => ({ id: taskId, outcome })),
    createdAt: isoTime(task.createdAt),
    startsAt: isoTime(task.dueAt),
    startedAt: isoTime(task.startedAt),
    finishedAt: isoTime(task.finishedAt),
    error: task.error?.message ?? null,
  };
}

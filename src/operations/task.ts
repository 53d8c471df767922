/** Operations on tasks. */

import type { CancelResult } from '../broker/broker.ts';
import { cancelFlow } from '../client/cancel-flow.ts';
import { conflictError } from '../client/enqueue.ts';
import { internalQueue } from '../core/bulk.ts';
import { taskFlowError } from '../core/errors.ts';
import { explain, type Gate, type GateCode } from '../core/explain.ts';
import type { Filter } from '../core/filter.ts';
import { parseFilter } from '../core/filter-parse.ts';
import { parseId } from '../core/ids.ts';
import type { TaskState, TaskView } from '../core/states.ts';
import type { LogLevel, Task } from '../core/task.ts';
import { isoTime } from '../core/time.ts';
import type { TaskRecord } from '../history/history.ts';
import { standingOf } from './audited-state.ts';
import type { Definitions } from './definitions.ts';
import { type EnqueueDocument, enqueueByName } from './enqueue.ts';
import { cursorWithin, withinQueues } from './grant.ts';
import type { Operation } from './operation.ts';
import type { CancelInput, EnqueueInput, ListInput, LogsInput, TaskInput } from './schemas.ts';
import {
  type ListedTaskDocument,
  type LogDocument,
  listedTaskDocument,
  logDocument,
  type TaskRecordDocument,
  type TimelineDocument,
  taskRecordDocument,
  timelineDocuments,
} from './task-document.ts';
import { checkNotInternal } from './task-queues.ts';

export const taskEnqueue: Operation<EnqueueInput, EnqueueDocument> = {
  name: 'task.enqueue',
  summary: 'Enqueue a task by its name',
  role: 'operator',
  scope: 'enqueue',
  rest: { method: 'POST', path: '/tasks' },
  statuses: {
    words: { 201: 'The task is stored', 200: 'It was there already' },
    statusOf: ({ created }) => (created ? 201 : 200),
    locationOf: ({ id }) => `/tasks/${id}`,
  },
  audit: 'enqueued {name}',
  made: ({ id, outcome }) => ({ id, outcome }),
  schema: async () => (await import('./schemas.ts')).enqueueInput,
  output: async () => (await import('./task-output.ts')).enqueueOutput,
  run: enqueueByName,
};

export interface TaskListDocument {
  /** Newest first. */
  readonly tasks: readonly ListedTaskDocument[];
  /** Pass it as `after` for the next page; `null` at the end. */
  readonly next: string | null;
  /** `newest`: the filter has no index and only the newest tasks were looked at. */
  readonly scanned: 'all' | 'newest';
}

/** Tasks on a page nobody asked a size of. */
const pageDefault = 50;

/** Throws INVALID_FILTER with the position of the mistake. */
export const taskList: Operation<ListInput, TaskListDocument> = {
  name: 'task.list',
  summary: 'List tasks, newest first, by a filter',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/tasks' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).listInput,
  output: async () => (await import('./task-output.ts')).taskListOutput,
  async run({ store, actor }, { q = '', limit = pageDefault, after = null }) {
    const filter = parseFilter(q);
    const { queues = null } = actor;
    const { tasks, next, scanned } = await store.history.search(withinQueues(filter, queues), { after, limit });
    // A page may be shorter for it; its `next` leads on all the same.
    const shown = namesOne(filter) ? tasks : tasks.filter(({ queue }) => queue !== internalQueue);
    return { tasks: shown.map(listedTaskDocument), next: cursorWithin(queues, { after, tasks, next }), scanned };
  },
};

/** Whether a filter asks for tasks by who they are: then those that are TaskFlow's own are shown too. */
function namesOne({ terms }: Filter): boolean {
  return terms.some(({ field }) => field === 'id' || field === 'text' || field === 'name' || field === 'queue');
}

/** Throws TASK_NOT_FOUND, like every operation on one task. */
export const taskGet: Operation<TaskInput, TaskRecordDocument> = {
  name: 'task.get',
  summary: 'Show one task with its runs and timeline',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/tasks/:id' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).taskInput,
  output: async () => (await import('./task-output.ts')).taskRecordOutput,
  async run({ store }, { id }) {
    const taskId = parseId(id);
    const [[facts], record, workers] = await Promise.all([
      store.broker.inspect([taskId]),
      store.history.task(taskId),
      store.broker.getWorkers(),
    ]);
    const live = facts?.task ?? null;
    const known: TaskRecord | null =
      record ?? (live === null ? null : { task: live, attempts: [], logs: [], notes: [], timeline: [] });
    if (known === null) throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
    return taskRecordDocument(known, live, workers, facts ?? null);
  },
};

export interface CancelDocument {
  readonly id: string;
  /** `requested`: it runs, and its worker was told. Of a flow, its other tasks are ended, or asked, too. */
  readonly outcome: 'cancelled' | 'requested';
}

/** A task that has ended is TASK_FINISHED; one that stands for a flow with tasks in queues the actor does not reach QUEUE_FORBIDDEN. */
export const taskCancel: Operation<CancelInput, CancelDocument> = {
  name: 'task.cancel',
  summary: 'Cancel a task that has not finished',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/tasks/:id/cancel' },
  audit: 'cancelled {id}',
  state: standingOf,
  schema: async () => (await import('./schemas.ts')).cancelInput,
  output: async () => (await import('./task-output.ts')).cancelOutput,
  async run({ store, actor, definitions }, { id, reason }) {
    const taskId = parseId(id);
    const words = reason === undefined ? `by ${actor.name}` : `by ${actor.name}: ${reason}`;
    const [task] = await store.broker.getTasks([taskId]);
    if (task?.queue === internalQueue) throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
    const isFlow = task != null && (await standsForFlow(task, definitions));
    const { name, queues = null } = actor;
    const result = isFlow
      ? await cancelFlow(store.broker, taskId, { reason: words, queues })
      : (await store.broker.cancel({ taskIds: [taskId], reason: words }))[0];
    if (result?.outcome === 'forbidden')
      throw taskFlowError('QUEUE_FORBIDDEN', {
        queue: `flow ${taskId}`,
        actor: name,
        queues: queues?.join(', ') ?? '*',
      });
    return { id: taskId, outcome: cancelOutcome(taskId, result) };
  },
};

/** Whether its end is that of a flow. One that was enqueued before any worker had told that its name is that of a flow does not say so itself; under way it is blocked. */
export async function standsForFlow(task: Task, definitions: Definitions): Promise<boolean> {
  if (task.flowId === task.id || task.state === 'blocked') return true;
  return (await definitions.find(task.name))?.isFlow === true;
}

export interface RetryDocument {
  readonly id: string;
  /** `blocked`: a task it depends on has not succeeded. */
  readonly outcome: 'queued' | 'blocked';
  readonly generation: number;
}

/** A task that has not ended is TASK_NOT_FINISHED; one whose key another task holds is KEY_CONFLICT. */
export const taskRetry: Operation<TaskInput, RetryDocument> = {
  name: 'task.retry',
  summary: 'Run a finished task again, with all of its attempts',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/tasks/:id/retry' },
  audit: 'retried {id}',
  state: standingOf,
  schema: async () => (await import('./schemas.ts')).taskInput,
  output: async () => (await import('./task-output.ts')).retryOutput,
  async run({ store }, { id }) {
    const taskId = parseId(id);
    await checkNotInternal(store, taskId);
    const [result] = await store.broker.retry([taskId]);
    switch (result?.outcome) {
      case 'queued':
      case 'blocked':
        return { id: taskId, outcome: result.outcome, generation: result.generation };
      case 'already':
        throw taskFlowError('TASK_NOT_FINISHED', { id: taskId, state: result.state });
      case 'conflict': {
        const [task] = await store.broker.getTasks([taskId]);
        throw conflictError({ id: taskId, key: task?.key ?? null }, result.of);
      }
      default:
        throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
    }
  },
};

export interface RemovedDocument {
  readonly id: string;
  readonly outcome: 'removed';
}

/** A task that has not ended is TASK_NOT_FINISHED. */
export const taskRemove: Operation<TaskInput, RemovedDocument> = {
  name: 'task.remove',
  summary: 'Remove a finished task with its logs and result',
  role: 'admin',
  scope: 'admin',
  rest: { method: 'DELETE', path: '/tasks/:id' },
  audit: 'removed {id}',
  state: standingOf,
  schema: async () => (await import('./schemas.ts')).taskInput,
  output: async () => (await import('./task-output.ts')).removeOutput,
  async run({ store }, { id }) {
    const taskId = parseId(id);
    await checkNotInternal(store, taskId);
    const [result] = await store.broker.remove([taskId]);
    if (result?.outcome === 'already') throw taskFlowError('TASK_NOT_FINISHED', { id: taskId, state: result.state });
    if (result?.outcome !== 'removed') throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
    return { id: taskId, outcome: 'removed' };
  },
};

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export interface LogsDocument {
  readonly id: string;
  readonly logs: readonly LogDocument[];
}

/** What the handler logged, oldest first; `level` leaves out what is less than it. */
export const taskLogs: Operation<LogsInput, LogsDocument> = {
  name: 'task.logs',
  summary: 'Show what a task logged',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/tasks/:id/logs' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).logsInput,
  output: async () => (await import('./task-output.ts')).logsOutput,
  async run({ store }, { id, level = 'debug' }) {
    const taskId = parseId(id);
    const record = await store.history.task(taskId);
    if (record === null) throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
    const logs = record.logs.filter((line) => levels.indexOf(line.level) >= levels.indexOf(level));
    return { id: taskId, logs: logs.map(logDocument) };
  },
};

/** One thing a task waits for. */
export interface GateDocument {
  readonly code: GateCode;
  readonly sentence: string;
  readonly holder: string | null;
  readonly earliestAt: string | null;
  readonly command: string | null;
}

export function gateDocument(gate: Gate): GateDocument {
  return { ...gate, earliestAt: isoTime(gate.earliestAt) };
}

/** The answer to "why?", with its times as text. */
export interface ExplanationDocument {
  readonly id: string;
  readonly name: string;
  readonly view: TaskView;
  /** One sentence: what it waits for first, how its run stands, or how it ended. */
  readonly summary: string;
  /** Everything that holds it back, in the order in which the rules are looked at. */
  readonly gates: readonly GateDocument[];
  /** What happened so far, oldest first. */
  readonly timeline: readonly TimelineDocument[];
}

export const taskExplain: Operation<TaskInput, ExplanationDocument> = {
  name: 'task.explain',
  summary: 'Say why a task waits, or how it came to its end',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/tasks/:id/explain' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).taskInput,
  output: async () => (await import('./task-output.ts')).explainOutput,
  async run({ store }, { id }) {
    const taskId = parseId(id);
    const [[facts], record, workers] = await Promise.all([
      store.broker.inspect([taskId]),
      store.history.task(taskId),
      store.broker.getWorkers(),
    ]);
    if (facts == null) throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
    const { name, view, summary, gates, timeline } = explain(facts);
    return {
      id: taskId,
      name,
      view,
      summary,
      gates: gates.map(gateDocument),
      // The record knows the runs before this one; while it is behind, the task's own story has to do.
      timeline: timelineDocuments(record?.timeline ?? timeline, workers),
    };
  },
};

export function cancelOutcome(taskId: string, result: CancelResult | undefined): 'cancelled' | 'requested' {
  switch (result?.outcome) {
    case 'cancelled':
    case 'requested':
      return result.outcome;
    case 'already':
      throw finished(taskId, result.state);
    default:
      throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
  }
}

function finished(taskId: string, state: TaskState) {
  return taskFlowError('TASK_FINISHED', { id: taskId, state });
}

/** Operations on flows: the task that stands for one, and the tasks in it. */

import { cancelFlow } from '../client/cancel-flow.ts';
import { taskFlowError } from '../core/errors.ts';
import { explain } from '../core/explain.ts';
import { parseFilter } from '../core/filter-parse.ts';
import { parseId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { isFinished, isWaiting, type TaskView } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import { summaryOf, type TaskSummary } from '../history/history.ts';
import { standingOf } from './audited-state.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { CancelInput, ListFlowsInput, TaskInput } from './schemas.ts';
import { type CancelDocument, cancelOutcome } from './task.ts';
import { type ListedTaskDocument, listedTaskDocument } from './task-document.ts';

export interface FlowListDocument {
  /** The tasks that stand for flows, newest first. */
  readonly flows: readonly ListedTaskDocument[];
  readonly next: string | null;
}

/** A task of a flow, as far as its flow is told. */
export interface FlowTaskDocument {
  readonly id: string;
  readonly name: string;
  readonly view: TaskView;
  /** What holds it back first, in words; `null` for one that runs or has ended. */
  readonly waitsFor: string | null;
}

export interface FlowDocument {
  /** The task that stands for the flow. */
  readonly flow: ListedTaskDocument;
  /** How many of `tasks` are in each view. */
  readonly counts: Readonly<Partial<Record<TaskView, number>>>;
  /** The unfinished first, each oldest first. */
  readonly tasks: readonly FlowTaskDocument[];
  /** Whether there are more than are told: `task list` with the filter `flow:ID` pages through them. */
  readonly more: boolean;
}

const listDefault = 50;
/** Waiting tasks that are asked why they wait. */
const explainedMax = 100;

export const flowList: Operation<ListFlowsInput, FlowListDocument> = {
  name: 'flow.list',
  summary: 'List the flows, newest first',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/flows' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).listFlowsInput,
  output: async () => (await import('./flow-output.ts')).flowListOutput,
  async run({ store }, { limit = listDefault, after = null }) {
    const { flowIds, next } = await store.history.flows({ after, limit });
    const tasks = await store.broker.getTasks(flowIds);
    return { flows: tasks.flatMap((task) => (task === null ? [] : [listedTaskDocument(summaryOf(task))])), next };
  },
};

/** What is no flow is FLOW_NOT_FOUND. */
export const flowGet: Operation<TaskInput, FlowDocument> = {
  name: 'flow.get',
  summary: 'Show a flow with its tasks, and what each of them waits for',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/flows/:id' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).taskInput,
  output: async () => (await import('./flow-output.ts')).flowOutput,
  async run(context, { id }) {
    const flow = await find(context, parseId(id));
    const page = { after: null, limit: limits.pageMax };
    const { tasks: all, next } = await context.store.history.search(parseFilter(`flow:${flow.id}`), page);
    const tasks = all.filter((task) => task.id !== flow.id).reverse();
    const words = await waitsOf(context, tasks.filter(({ state }) => isWaiting(state)).slice(0, explainedMax));
    const counts: Partial<Record<TaskView, number>> = {};
    for (const { view } of tasks) counts[view] = (counts[view] ?? 0) + 1;
    const ordered = [
      ...tasks.filter((task) => !isFinished(task.state)),
      ...tasks.filter((task) => isFinished(task.state)),
    ];
    return {
      flow: listedTaskDocument(summaryOf(flow)),
      counts,
      tasks: ordered.map((task) => ({
        id: task.id,
        name: task.name,
        view: task.view,
        waitsFor: words.get(task.id) ?? null,
      })),
      more: next !== null,
    };
  },
};

/** One whose task has ended is TASK_FINISHED; what runs of it yet is asked to stop all the same. */
export const flowCancel: Operation<CancelInput, CancelDocument> = {
  name: 'flow.cancel',
  summary: 'Cancel a flow with everything in it',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/flows/:id/cancel' },
  audit: 'cancelled flow {id}',
  state: standingOf,
  schema: async () => (await import('./schemas.ts')).cancelInput,
  output: async () => (await import('./task-output.ts')).cancelOutput,
  async run(context, { id, reason }) {
    const flow = await find(context, parseId(id));
    const { actor, store } = context;
    const words = reason === undefined ? `by ${actor.name}` : `by ${actor.name}: ${reason}`;
    return { id: flow.id, outcome: cancelOutcome(flow.id, await cancelFlow(store.broker, flow.id, { reason: words })) };
  },
};

/** The task of a flow: it says so itself, or has tasks; those of one that was enqueued before its name was known do. */
async function find({ store }: OperationContext, taskId: string): Promise<Task> {
  const [task] = await store.broker.getTasks([taskId]);
  if (task != null) {
    if (task.flowId === taskId) return task;
    const { tasks } = await store.history.search(parseFilter(`flow:${taskId}`), { after: null, limit: 1 });
    if (tasks.length > 0) return task;
  }
  throw taskFlowError('FLOW_NOT_FOUND', { id: taskId });
}

async function waitsOf(
  { store }: OperationContext,
  tasks: readonly TaskSummary[],
): Promise<ReadonlyMap<string, string | null>> {
  const facts = await store.broker.inspect(tasks.map(({ id }) => id));
  return new Map(
    facts.flatMap((each) => (each === null ? [] : [[each.task.id, explain(each).gates[0]?.sentence ?? null] as const])),
  );
}

/**
 * What runs of workers over HTTP ask for before they end: tasks of their own, and results of those they waited for. See
 * docs/adr/0061-what-runs-over-http-ask-for.md.
 */

import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import type { Task } from '../core/task.ts';
import type {
  EnqueueTasksAnswer,
  EnqueueTasksMessage,
  LeaseMessage,
  ParentsAnswer,
  ParentsMessage,
} from '../core/worker-protocol.ts';
import { checkQueues, type Holder, holderOf, readLease, readNewTask } from './http-worker-reading.ts';
import { enqueuedMessage, parentMessage } from './http-worker-writing.ts';
import { withinReach } from './links.ts';
import type { Operation } from './operation.ts';
import { checkQueueNames } from './queue-names.ts';

/** Sent again, its tasks are `existing`: they have their ids. */
export const workerEnqueue: Operation<EnqueueTasksMessage, EnqueueTasksAnswer> = {
  name: 'worker.enqueue',
  summary: 'Enqueue complete tasks from a run of a worker over HTTP',
  role: 'operator',
  scope: 'enqueue',
  rest: { method: 'POST', path: '/worker/enqueue', bodyBytesMax: limits.workerBodyBytesMax },
  audit: 'enqueued tasks as the worker {worker}',
  made: ({ results }) => results.slice(0, limits.auditTasksMax),
  schema: async () => (await import('./http-worker-schemas.ts')).enqueueTasksInput,
  output: async () => (await import('./http-worker-output.ts')).enqueueTasksOutput,
  async run(context, { tasks: messages }) {
    const tasks = messages.map((message, index) => readNewTask(message, `tasks[${index}]`));
    checkQueues(
      context.actor,
      tasks.map(({ queue }) => queue),
    );
    await checkQueueNames(context.queueNames, tasks);
    const sent = await withinReach(context, tasks, { unknown: 'refuse' });
    return { results: (await context.store.broker.enqueue(sent)).map(enqueuedMessage) };
  },
};

/** Throws LEASE_LOST, and INVALID_OPTION for a task that the leased one did not wait for: its key need not be for reading others. */
export const workerParents: Operation<ParentsMessage, ParentsAnswer> = {
  name: 'worker.parents',
  summary: 'Read results that a claim over HTTP left out, by the lease of the task that waited for them',
  role: 'operator',
  scope: 'work',
  rest: { method: 'POST', path: '/worker/parents', bodyBytesMax: limits.workerBodyBytesMax },
  audit: null,
  schema: async () => (await import('./http-worker-schemas.ts')).parentsInput,
  output: async () => (await import('./http-worker-output.ts')).parentsOutput,
  async run(context, { worker, lease, ids }) {
    const { actor, unredacted, remote } = context;
    // Its handler works on them, as on those that come with a claim.
    const { broker } = unredacted;
    const holder = holderOf(actor, worker);
    const [child = null] = await broker.getTasks([lease.id]);
    if (child === null || !isHeldBy(child, holder, lease)) {
      const { workerId } = holder;
      const leases = [readLease(holder, lease)];
      remote.foreign.note(context, { operation: 'worker.parents', worker, workerId, leases, found: [child] });
      throw taskFlowError('LEASE_LOST', { id: lease.id });
    }
    const waitedFor = new Set(child.dependsOn.map(({ taskId }) => taskId));
    for (const [index, id] of ids.entries())
      if (!waitedFor.has(id)) throw invalidOption(`ids[${index}]`, `${lease.id} did not wait for ${id}`);
    const parents = await broker.getTasks(ids);
    return {
      parents: ids.map((taskId, index) => {
        const { name = null, state = null, result = null, error = null } = parents[index] ?? {};
        return parentMessage({ taskId, name, state, result, error });
      }),
    };
  },
};

/** The worker's id is a digest over who asks, so nobody else has it; the epoch tells this run of the task from every other. */
function isHeldBy({ state, workerId, epoch }: Task, holder: Holder, lease: LeaseMessage): boolean {
  return state === 'running' && workerId === holder.workerId && epoch === lease.epoch;
}

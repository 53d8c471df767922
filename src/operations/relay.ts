/** Operations on the relay: what of users' transactions has yet to reach the broker, and what it does not take. */

import { taskFlowError } from '../core/errors.ts';
import { parseId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { RelayRetry, RelayStatus, SetAsideTask } from '../core/relay.ts';
import { isoTime } from '../core/time.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { Nothing, TaskInput } from './schemas.ts';

/** A task of a committed transaction that the broker does not take. */
export interface SetAsideDocument {
  readonly id: string;
  /** `null` where its row cannot be read. */
  readonly name: string | null;
  readonly enqueuedAt: string;
  readonly problem: string;
}

/** The oldest first, at most `limits.relayAsideMax`: then transactions get no more tasks. */
export interface RelayDocument extends RelayStatus {
  readonly tasks: readonly SetAsideDocument[];
}

export interface RelayPushedDocument {
  readonly id: string;
  readonly outcome: 'pushed';
}

export interface RelayDroppedDocument {
  readonly id: string;
  readonly outcome: 'dropped';
}

const nothingThere: RelayDocument = { waiting: 0, setAside: 0, lagMs: 0, tasks: [] };

export const relayList: Operation<Nothing, RelayDocument> = {
  name: 'relay.list',
  summary: 'List the tasks of transactions that the broker does not take',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/relay' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).nothing,
  output: async () => (await import('./relay-output.ts')).relayOutput,
  async run({ store: { relay } }) {
    if (relay === undefined) return nothingThere;
    const [status, tasks] = await Promise.all([relay.status(), relay.setAside(limits.relayAsideMax)]);
    return { ...status, tasks: tasks.map(setAsideDocument) };
  },
};

export const relayRetry: Operation<TaskInput, RelayPushedDocument> = {
  name: 'relay.retry',
  summary: 'Push a task that was set aside to the broker once more',
  role: 'operator',
  scope: 'operate',
  rest: { method: 'POST', path: '/relay/:id/retry' },
  audit: 'pushed {id} again',
  state: asideOf,
  schema: async () => (await import('./schemas.ts')).taskInput,
  output: async () => (await import('./relay-output.ts')).relayPushedOutput,
  async run({ store: { relay } }, { id }) {
    const taskId = parseId(id);
    const [result = { outcome: 'unknown' }] = ((await relay?.retry([taskId])) ?? []) as readonly RelayRetry[];
    if (result.outcome === 'unknown') throw taskFlowError('RELAY_TASK_NOT_FOUND', { id: taskId });
    if (result.outcome === 'refused')
      throw taskFlowError('RELAY_TASK_REFUSED', { id: taskId, problem: result.problem });
    return { id: taskId, outcome: 'pushed' };
  },
};

export const relayDrop: Operation<TaskInput, RelayDroppedDocument> = {
  name: 'relay.drop',
  summary: 'Forget a task that was set aside: it is never run',
  role: 'admin',
  scope: 'admin',
  rest: { method: 'DELETE', path: '/relay/:id' },
  audit: 'dropped {id} of the relay',
  state: asideOf,
  schema: async () => (await import('./schemas.ts')).taskInput,
  output: async () => (await import('./relay-output.ts')).relayDroppedOutput,
  async run({ store: { relay } }, { id }) {
    const taskId = parseId(id);
    const [isDropped = false] = (await relay?.drop([taskId])) ?? [];
    if (!isDropped) throw taskFlowError('RELAY_TASK_NOT_FOUND', { id: taskId });
    return { id: taskId, outcome: 'dropped' };
  },
};

function setAsideDocument({ taskId, name, at, problem }: SetAsideTask): SetAsideDocument {
  return { id: taskId, name, enqueuedAt: isoTime(at), problem };
}

/** `null` for one that is not, or not any more. */
async function asideOf(
  { store: { relay } }: Pick<OperationContext, 'store'>,
  { id }: TaskInput,
): Promise<SetAsideDocument | null> {
  const taskId = parseId(id);
  const task = (await relay?.setAside(limits.relayAsideMax))?.find((one) => one.taskId === taskId);
  return task === undefined ? null : setAsideDocument(task);
}

/** What the audit keeps of what was changed, from before and after: what names and places it, never what it works on. */

import { parseId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { TaskState } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import { isoTime } from '../core/time.ts';
import type { BulkCreatedDocument } from './bulk.ts';
import type { OperationContext } from './operation.ts';

/** A task as far as people change it. */
export interface TaskStanding {
  readonly id: string;
  readonly state: TaskState;
  readonly queue: string;
  readonly priority: number;
  readonly dueAt: string;
  readonly limits: Task['limits'];
  readonly tags: readonly string[];
  readonly attempt: number;
  readonly generation: number;
  readonly cancelRequestedAt: string | null;
}

/** `null` for one that the live store does not know. */
export async function standingOf(
  { store }: Pick<OperationContext, 'store'>,
  { id }: { readonly id: string },
): Promise<TaskStanding | null> {
  const [task] = await store.broker.getTasks([parseId(id)]);
  return task == null ? null : standing(task);
}

/** Of the first of several: a row has room for so many. */
export async function standingsOf(
  { store }: Pick<OperationContext, 'store'>,
  { ids }: { readonly ids: readonly string[] },
): Promise<readonly TaskStanding[]> {
  const taskIds = [...new Set(ids.map(parseId))].slice(0, limits.auditTasksMax);
  return (await store.broker.getTasks(taskIds)).flatMap((task) => (task === null ? [] : [standing(task)]));
}

function standing({
  id,
  state,
  queue,
  priority,
  limits: rules,
  tags,
  attempt,
  generation,
  ...times
}: Task): TaskStanding {
  const { dueAt, cancelRequestedAt } = times;
  const own = { id, state, queue, priority, limits: rules, tags, attempt, generation };
  return { ...own, dueAt: isoTime(dueAt), cancelRequestedAt: isoTime(cancelRequestedAt) };
}

/** What was begun: the tasks in it are told by it. */
export function begunBulk({ matched, exact, operation }: BulkCreatedDocument) {
  return { matched, exact, operation: operation?.id ?? null };
}

/** What a click does to tasks with a time to undo it: an operation that begins in ten seconds, and can be stopped until then. */

import { TaskFlowError } from '../core/errors.ts';
import { type BulkDocument, operationCreate, operationRemove, operationStop } from '../operations/bulk.ts';
import { type Operation, type OperationContext, perform } from '../operations/operation.ts';
import { taskCancel, taskRemove, taskRetry } from '../operations/task.ts';
import { backOf, seeOther, type Visit } from './frame.tsx';

export type UndoableVerb = 'retry' | 'cancel' | 'remove';

/** What comes of a click: how many tasks it is about, how many it could not be done to, and the operation that undoes it. */
export interface Begun {
  readonly done: number;
  readonly not: number;
  readonly undo: string | null;
}

const atOnce = { retry: taskRetry, cancel: taskCancel, remove: taskRemove } as const;

export async function beginUndoable(
  context: OperationContext,
  verb: UndoableVerb,
  ids: readonly string[],
): Promise<Begun> {
  if (ids.length === 0) return { done: 0, not: 0, undo: null };
  if (context.actor.queues != null) return doAtOnce(context, verb, ids);
  const { matched, operation } = await (verb === 'remove'
    ? perform(operationRemove, context, { ids })
    : perform(operationCreate, context, { ids, verb }));
  return { done: matched, not: 0, undo: operation?.id ?? null };
}

/** For who reaches only some queues: an operation may touch tasks of any. A task that has gone on does not keep the others. */
async function doAtOnce(context: OperationContext, verb: UndoableVerb, ids: readonly string[]): Promise<Begun> {
  let done = 0;
  for (const id of ids) {
    try {
      await perform(atOnce[verb] as unknown as Operation<unknown, unknown>, context, { id });
      done += 1;
    } catch (error) {
      if (!(error instanceof TaskFlowError) || error.status !== 409) throw error;
    }
  }
  return { done, not: ids.length - done, undo: null };
}

/** As an address tells it. */
export function begunQuery(verb: string, { done, not, undo }: Begun): Readonly<Record<string, string>> {
  return { done: `${verb}.${done}.${not}`, ...(undo === null ? {} : { undo }) };
}

/** Leads back to the page that offered it, which says what it came to. */
export async function answerStop(visit: Visit, context: OperationContext): Promise<Response> {
  const stopped = await perform(operationStop, context, { id: visit.params.id });
  const back = backOf(visit.form);
  return seeOther(visit, `${back}${back.includes('?') ? '&' : '?'}done=${stopQuery(stopped)}`);
}

/** One that runs goes on until it hears of it, and what it did stays done. */
function stopQuery({ state, startedAt, done }: BulkDocument): string {
  if (state !== 'cancelled') return `stopping.${done}`;
  return startedAt === null && done === 0 ? 'undone' : `stopped.${done}`;
}

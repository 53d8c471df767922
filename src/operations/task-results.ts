/** What came of several tasks, with one wait for the first of them that ends: `GET /tasks/results`. */

import { reachesQueue } from '../core/access.ts';
import { parseId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import type { Task } from '../core/task.ts';
import type { Operation, OperationContext } from './operation.ts';
import type { ResultsInput } from './schemas.ts';
import { checkStillLetIn } from './still-allowed.ts';
import { lookMax } from './task-queues.ts';
import { isOver, type ResultDocument, readWait, resultDocument } from './task-result.ts';

export interface ResultsDocument {
  /** In the order of the ids, each once. */
  readonly results: readonly ResultDocument[];
  /** Those that are not there, or in queues that the key does not reach. */
  readonly missing: readonly string[];
  /** Those that have ended, and whose results did not fit into this answer: ask for them again. */
  readonly left: readonly string[];
}

/**
 * One call for whoever waits for many. It waits only while there is nothing to tell: until one of them ends, unless one has ended
 * already or is not there. Of those that have ended it has at least one result.
 */
export const taskResultMany: Operation<ResultsInput, ResultsDocument> = {
  name: 'task.result-many',
  summary: 'Answer what several tasks returned, and wait for the first that ends where that is asked',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/tasks/results' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).resultsInput,
  output: async () => (await import('./task-output.ts')).resultsOutput,
  async run(context, { ids, wait }) {
    const taskIds = readIds(ids);
    const waitMs = readWait(wait);
    const now = await lookAt(context, taskIds);
    const hasNews = now.missing.length > 0 || now.results.some(({ finished }) => finished);
    if (waitMs === 0 || hasNews) return now;
    await firstEnd(context, taskIds, waitMs);
    await checkStillLetIn(context.actor);
    return lookAt(context, taskIds);
  },
};

/** Throws INVALID_ID for the first that is none, and INVALID_OPTION where there are too many. */
function readIds(text: string): readonly string[] {
  const ids = [...new Set(text.split(',').map((id) => parseId(id.trim())))];
  if (ids.length <= limits.resultsMax) return ids;
  throw invalidOption('ids', `there are ${ids.length}, at most ${limits.resultsMax} are answered together`);
}

async function lookAt(context: OperationContext, taskIds: readonly string[]): Promise<ResultsDocument> {
  const results: ResultDocument[] = [];
  const missing: string[] = [];
  const left: string[] = [];
  let bytes = 0;
  for (let from = 0; from < taskIds.length; from += lookMax) {
    const part = taskIds.slice(from, from + lookMax);
    const tasks = await context.store.broker.getTasks(part);
    for (const [index, taskId] of part.entries()) {
      const task = tasks[index] ?? (await context.store.history.task(taskId))?.task ?? null;
      const size = task?.result?.length ?? 0;
      if (task === null || !isReached(context, task)) missing.push(taskId);
      else if (bytes > 0 && bytes + size > limits.resultsBytesMax) left.push(taskId);
      else {
        bytes += size;
        results.push(resultDocument(context, task));
      }
    }
  }
  return { results, missing, left };
}

function isReached({ actor: { queues = null } }: OperationContext, { queue }: Task): boolean {
  return queues === null || reachesQueue(queues, queue);
}

/** Resolves when one of them has ended, when the time is over, and when nobody waits for the answer any more. Throws TOO_MANY_WAITS and WAITS_FULL. */
async function firstEnd(context: OperationContext, taskIds: readonly string[], waitMs: number): Promise<void> {
  const leave = context.resultPlaces.take(context, taskIds.length);
  const told = new AbortController();
  const gone = context.gone?.();
  const signal = gone === undefined ? told.signal : AbortSignal.any([told.signal, gone]);
  const waitFor = async (taskId: string): Promise<void> => {
    try {
      await context.waiter.finished(taskId, waitMs, signal);
    } catch (error) {
      if (!signal.aborted && !isOver(error)) throw error;
    }
  };
  try {
    await Promise.race(taskIds.map(waitFor));
  } finally {
    told.abort();
    leave();
  }
}

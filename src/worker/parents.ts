/** The parents of a run whose results were too much for its claim: they are fetched before its handler begins. */

import type { Parent } from '../core/definition.ts';
import { parentsThatFit } from '../core/dependencies.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { utf8Length } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import type { Lease, ParentResult, TaskResult } from '../core/task.ts';
import type { Attempt } from './attempt.ts';

/** Fetches what came of tasks for the run that waited for them. */
export type FetchResults = (lease: Lease, taskIds: readonly string[]) => Promise<readonly TaskResult[]>;

/** Whether something of them is not here. Most runs have no parents at all. */
export function lacksResults(parents: readonly ParentResult[]): boolean {
  return parents.length > 0 && parents.some(({ leftOutBytes }) => leftOutBytes !== undefined);
}

/**
 * Fetches what the claim left out, as far as a run may hold it. Answers false when the store is away: nothing has begun yet,
 * and the task may go back for free.
 */
export async function fetchParents(attempt: Attempt, fetchResults: FetchResults): Promise<boolean> {
  try {
    attempt.parents = await withResults(attempt, fetchResults);
    return true;
  } catch (thrown) {
    if (thrown instanceof TaskFlowError && thrown.code.startsWith('STORE_')) return false;
    throw thrown;
  }
}

async function withResults(
  { lease, parents }: Pick<Attempt, 'lease' | 'parents'>,
  fetchResults: FetchResults,
): Promise<readonly ParentResult[]> {
  const sizes = parents.map(({ taskId, leftOutBytes = 0 }) => ({ taskId, bytes: leftOutBytes }));
  const hereBytes = parents.reduce((sum, { result }) => sum + utf8Length(result ?? ''), 0);
  const fitting = parentsThatFit(sizes, limits.parentsBytesMax - hereBytes);
  const wanted = parents.filter(({ taskId, leftOutBytes }) => leftOutBytes !== undefined && fitting.has(taskId));
  const known = new Map<string, ParentResult>();
  for (let start = 0; start < wanted.length; start += limits.parentsFetchMax) {
    const chunk = wanted.slice(start, start + limits.parentsFetchMax);
    const found = await fetchResults(
      lease,
      chunk.map(({ taskId }) => taskId),
    );
    for (const [index, { taskId, name, state }] of chunk.entries()) {
      const { result = null, error = null } = found[index] ?? {};
      known.set(taskId, { taskId, name, state, result, error });
    }
  }
  return parents.map((parent) => known.get(parent.taskId) ?? parent);
}

/** A parent as a handler sees it. Throws PARENTS_TOO_LARGE where its result is asked for and is not here. */
export function parentOf({ taskId, name, state, result, error, leftOutBytes }: ParentResult): Parent {
  if (leftOutBytes !== undefined) {
    const refuse = (): never => {
      throw taskFlowError('PARENTS_TOO_LARGE', { max: `${limits.parentsBytesMax} bytes` });
    };
    return {
      id: taskId,
      name,
      state,
      get result(): unknown {
        return refuse();
      },
      get error(): Error | null {
        return refuse();
      },
    };
  }
  return {
    id: taskId,
    name,
    state,
    result: state === 'succeeded' && result !== null ? JSON.parse(result) : undefined,
    error:
      error === null ? null : Object.assign(new Error(error.message), { name: error.name, stack: error.stack ?? '' }),
  };
}

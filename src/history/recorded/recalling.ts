/** A live store that forgets finished tasks soon, and the record that keeps them: together they answer as one store does. */

import type { Broker } from '../../broker/broker.ts';
import { TaskFlowError } from '../../core/errors.ts';
import { idTime } from '../../core/ids.ts';
import { limits } from '../../core/limits.ts';
import { isFinished } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import type { Clock } from '../../core/time.ts';
import type { Recording } from '../recording.ts';

export interface RecallingOptions {
  readonly broker: Broker;
  readonly recording: Pick<Recording, 'tasks' | 'remove'>;
  /** Tells whether an id may be older than what the live store remembers. */
  readonly clock: Pick<Clock, 'now'>;
}

/**
 * The same broker, which knows finished tasks as long as the record does. One that the live store must have for a call, because its
 * id is enqueued again, a child waits for it or it is retried, is brought back first; all others are answered from the record.
 */
export function recalling({ broker, recording, clock }: RecallingOptions): Broker {
  const finishedOf = async (taskIds: readonly string[]): Promise<readonly Task[]> => {
    if (taskIds.length === 0) return [];
    const tasks = await recording.tasks([...new Set(taskIds)]);
    // An unfinished one is the live store's to tell: what it does not have was removed, or is brought back by the recorder.
    return tasks.filter((task) => task !== null && isFinished(task.state)) as readonly Task[];
  };
  /** Answers whether any was brought back. */
  const recall = async (taskIds: readonly string[]): Promise<boolean> => {
    const tasks = await finishedOf(taskIds);
    // Each alone: a call has a bound of bytes, and hardly ever more than one is asked for.
    for (const task of tasks) await broker.restore([task]);
    return tasks.length > 0;
  };
  /** Of an id made lately the live store has not forgotten the task yet. Half of that time is left to clocks that differ. */
  const mayBeForgotten = (taskId: string): boolean => idTime(taskId) < clock.now() - limits.liveKeepMs / 2;

  return {
    ...broker,
    enqueue: async (tasks) => {
      await recall(tasks.map(({ id }) => id).filter(mayBeForgotten));
      try {
        return await broker.enqueue(tasks);
      } catch (error) {
        if (!(error instanceof TaskFlowError && error.code === 'INVALID_FLOW')) throw error;
        const parents = tasks.flatMap(({ dependsOn }) => dependsOn.map(({ taskId }) => taskId));
        if (!(await recall(parents))) throw error;
        return await broker.enqueue(tasks);
      }
    },
    getTasks: async (taskIds) => {
      const tasks = await broker.getTasks(taskIds);
      const missing = taskIds.filter((_taskId, index) => tasks[index] === null);
      const recorded = new Map((await finishedOf(missing)).map((task) => [task.id, task]));
      return tasks.map((task, index) => task ?? recorded.get(taskIds[index] ?? '') ?? null);
    },
    cancel: async (request) => {
      const results = await broker.cancel(request);
      const missing = unknownOf(request.taskIds, results);
      const recorded = new Map((await finishedOf(missing)).map((task) => [task.id, task.state]));
      return results.map((result, index) => {
        const state = recorded.get(request.taskIds[index] ?? '');
        return state === undefined ? result : { outcome: 'already', state };
      });
    },
    retry: async (taskIds) => {
      const results = await broker.retry(taskIds);
      const missing = unknownOf(taskIds, results);
      if (!(await recall(missing))) return results;
      const late = await broker.retry(missing);
      const found = new Map(missing.map((taskId, index) => [taskId, late[index]]));
      return results.map((result, index) => found.get(taskIds[index] ?? '') ?? result);
    },
    remove: async (taskIds) => {
      const results = await broker.remove(taskIds);
      const missing = unknownOf(taskIds, results);
      if (missing.length === 0) return results;
      const removed = await recording.remove(missing);
      const gone = new Set(missing.filter((_taskId, index) => removed[index]));
      return results.map((result, index) => (gone.has(taskIds[index] ?? '') ? { outcome: 'removed' } : result));
    },
    update: async (changes) => {
      const results = await broker.update(changes);
      const taskIds = changes.map(({ taskId }) => taskId);
      const recorded = new Map((await finishedOf(unknownOf(taskIds, results))).map((task) => [task.id, task.state]));
      return results.map((result, index) => {
        const state = recorded.get(taskIds[index] ?? '');
        return state === undefined ? result : { outcome: 'already', state };
      });
    },
  };
}

function unknownOf(taskIds: readonly string[], results: readonly { readonly outcome: string }[]): readonly string[] {
  return taskIds.filter((_taskId, index) => results[index]?.outcome === 'unknown');
}

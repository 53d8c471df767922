/** What the witness knows of flows and of what runs bring along: a cancelled flow is over, and only an applied success spawns. */

import type { CancelRequest, SettleResult } from '../../src/broker/broker.ts';
import type { Tell } from '../../src/checker/verdict.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import { isFinished, isWaiting, type TaskState } from '../../src/core/states.ts';
import type { NewTask, Settlement } from '../../src/core/task.ts';

export interface FlowBook {
  take(event: BatchEvent): void;
  /** Looks at a cancellation that was executed. */
  cancel(request: Pick<CancelRequest, 'flowId'>): void;
  /** Looks at what these settlements brought along; `fresh` are the events of the call. Answers what was stored of it. */
  settle(
    settlements: readonly Pick<Settlement, 'lease' | 'spawn'>[],
    results: readonly SettleResult[],
    fresh: readonly BatchEvent[],
  ): readonly NewTask[];
  /** Looks at the tasks that a call stored, when all its events were taken. */
  stored(fresh: readonly BatchEvent[]): void;
}

export function createFlowBook(asked: ReadonlyMap<string, NewTask>, tell: Tell): FlowBook {
  const states = new Map<string, TaskState>();
  /** Of the present generation. */
  const requested = new Set<string>();
  const cancelled = new Set<string>();
  const isUnwanted = (taskId: string): boolean => cancelled.has(asked.get(taskId)?.flowId ?? '');

  return {
    take({ kind, items }) {
      for (const { taskId, to } of items) {
        if (kind === 'cancelRequest') requested.add(taskId);
        if (kind === 'retry') {
          requested.delete(taskId);
          // Who begins the flow anew wants it again.
          cancelled.delete(taskId);
        }
        // A person may retry a part of it. Nobody else lets it go on.
        if (kind === 'unblock' && to !== 'cancelled' && isUnwanted(taskId))
          tell('S14', taskId, `was let go to ${to} although its flow was cancelled`);
        if (to === null) states.delete(taskId);
        else states.set(taskId, to);
      }
    },
    cancel({ flowId }) {
      if (flowId == null) return;
      cancelled.add(flowId);
      for (const [taskId, state] of states) {
        if (asked.get(taskId)?.flowId !== flowId || isFinished(state)) continue;
        if (isWaiting(state) || !requested.has(taskId)) tell('S14', taskId, `is ${state} after its flow was cancelled`);
      }
    },
    settle(settlements, results, fresh) {
      const storedNow = storedBy(fresh);
      return settlements.flatMap(({ lease, spawn }, index) => {
        const outcome = results[index]?.outcome;
        for (const { id } of spawn) {
          if (outcome === 'applied' && !states.has(id) && !storedNow.has(id))
            tell('S14', id, `is not there after the success of ${lease.taskId} that brings it along`);
          if (outcome !== 'applied' && storedNow.has(id))
            tell('S14', id, `was brought along by a settlement that was answered ${outcome}`);
        }
        return spawn.filter(({ id }) => storedNow.has(id));
      });
    },
    stored(fresh) {
      for (const taskId of storedBy(fresh))
        if (isUnwanted(taskId) && states.get(taskId) !== 'cancelled')
          tell('S14', taskId, `is ${states.get(taskId)}, stored after its flow was cancelled`);
    },
  };
}

export function storedBy(fresh: readonly BatchEvent[]): ReadonlySet<string> {
  return new Set(fresh.flatMap(({ kind, items }) => (kind === 'enqueue' ? items.map(({ taskId }) => taskId) : [])));
}

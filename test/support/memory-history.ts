/** A record over the memory store, found by scanning: for tests of what stands on a store. */

import type { MemoryState } from '../../src/broker/memory/state.ts';
import { internalQueue } from '../../src/core/bulk.ts';
import { matches } from '../../src/core/filter-match.ts';
import { isWaiting, type TaskView, viewOf } from '../../src/core/states.ts';
import type { Task } from '../../src/core/task.ts';
import { type History, summaryOf } from '../../src/history/history.ts';
import { timelineOf } from '../../src/history/timeline.ts';

export function createMemoryHistory(state: MemoryState): History {
  const tasks = (): readonly Task[] => [...state.rows.values()].map((row) => row.task);
  return {
    async search(filter, { after, limit, show }) {
      const found = tasks()
        .filter((task) => matches(filter, task, state.lastNow) && (after === null || task.id < after))
        .sort((a, b) => (a.id < b.id ? 1 : -1));
      const page = found.slice(0, limit).map((task) => summaryOf(task, show));
      return { tasks: page, next: found.length > limit ? (page.at(-1)?.id ?? null) : null, scanned: 'all' };
    },
    async flows({ after, limit }) {
      const ids = new Set(
        tasks().flatMap(({ flowId }) => (flowId !== null && flowId < (after ?? '~') ? [flowId] : [])),
      );
      const flowIds = [...ids].sort().reverse();
      return { flowIds: flowIds.slice(0, limit), next: flowIds.length > limit ? (flowIds[limit - 1] ?? null) : null };
    },
    async task(taskId) {
      const row = state.rows.get(taskId);
      return row === undefined
        ? null
        : {
            task: row.task,
            attempts: row.attempts,
            logs: row.logs,
            notes: [],
            timeline: timelineOf(row.task, row.attempts, []),
          };
    },
    minutes: async () => [],
    activity: async () => ({ steps: [], parts: [], recent: [], names: [] }),
    ended: async ({ from }) => ({ from, minutes: [] }),
    samples: async () => [],
    sample: async () => false,
    async facets() {
      const views: Partial<Record<TaskView, number>> = {};
      const own = tasks().filter(({ queue }) => queue !== internalQueue);
      for (const task of own) views[viewOf(task)] = (views[viewOf(task)] ?? 0) + 1;
      const waiting = own.filter(({ state }) => isWaiting(state));
      return { views, queues: countBy(own, 'queue'), names: countBy(own, 'name'), waiting: countBy(waiting, 'name') };
    },
    events: async (after, limit) => state.events.filter((event) => event.seq > after).slice(0, limit),
    eventSpan: async () => ({ from: (state.events[0]?.seq ?? state.lastSeq + 1) - 1, last: state.lastSeq }),
    lagMs: async () => 0,
  };
}

function countBy(tasks: readonly Task[], field: 'queue' | 'name'): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const task of tasks) counts[task[field]] = (counts[task[field]] ?? 0) + 1;
  return counts;
}

/** Planted bugs of dependencies, in the memory store. */

import { closeEdges, release } from '../../src/broker/memory/release.ts';
import type { MemoryState } from '../../src/broker/memory/state.ts';
import { beginStep, endStep } from '../../src/broker/memory/step.ts';
import { isFinished } from '../../src/core/states.ts';
import type { Settlement } from '../../src/core/task.ts';
import { during, inStore } from './bend.ts';
import type { Mutation } from './mutation.ts';
import { calmRates } from './network.ts';
import type { Swarm } from './swarm.ts';

const manyChains: Partial<Swarm> = { chained: 0.6, tasks: 60 };

export const dependencyMutations: readonly Mutation[] = [
  inStore(
    'first-parent-unblocks',
    'a task waits for one of its parents only',
    (broker, { edges }) => ({
      settle: (settlements, claimNext) => {
        for (const { lease } of settlements)
          for (const parents of edges.values())
            if (parents.has(lease.taskId))
              for (const [parentId, edge] of parents)
                if (parentId !== lease.taskId && edge === 'open') parents.set(parentId, 'done');
        return broker.settle(settlements, claimNext);
      },
    }),
    manyChains,
  ),
  inStore(
    'failure-unblocks',
    'a parent that failed counts as done',
    (broker) => ({
      enqueue: (tasks) =>
        broker.enqueue(
          tasks.map((task) => ({
            ...task,
            dependsOn: task.dependsOn.map((parent) => ({ ...parent, onFailure: 'ignore' as const })),
          })),
        ),
    }),
    manyChains,
  ),
  inStore(
    'unblock-by-counter',
    'the ends of parents are counted: one that is told twice stands for another',
    (broker, state) => ({
      async settle(settlements, claimNext) {
        const answer = await broker.settle(settlements);
        const repeated = settlements.filter((_, index) => answer.results[index]?.outcome === 'alreadyApplied');
        for (const { lease } of repeated) countTwice(state, lease.taskId);
        return { ...answer, claimed: claimNext === undefined ? [] : await broker.claim(claimNext) };
      },
    }),
    { ...manyChains, rates: { ...calmRates, replyLost: 0.3, resent: 0.3 } },
  ),
  inStore(
    'unblock-outside-the-step',
    'who waits for a task is let go by the next promotion, and not by the end of the task',
    (broker, state) => {
      const ended: string[] = [];
      return {
        async settle(settlements, claimNext) {
          const answer = await during(
            () => hideEdges(state, settlements),
            () => broker.settle(settlements, claimNext),
          );
          ended.push(...settlements.map(({ lease }) => lease.taskId));
          return answer;
        },
        promote(limit) {
          const step = beginStep(state, state.lastNow);
          for (const taskId of ended.splice(0))
            if (isFinished(state.rows.get(taskId)?.task.state ?? 'queued')) closeEdges(step, taskId);
          release(step);
          endStep(step);
          return broker.promote(limit);
        },
      };
    },
    manyChains,
  ),
  inStore(
    'unblock-lost',
    'a settlement leaves those blocked that wait for its task',
    (broker, state) => ({
      settle: (settlements, claimNext) =>
        during(
          () => hideEdges(state, settlements),
          () => broker.settle(settlements, claimNext),
        ),
    }),
    manyChains,
  ),
];

/** For every child of a parent that is done already, one more of its parents counts as done. */
function countTwice(state: MemoryState, parentId: string): void {
  const step = beginStep(state, state.lastNow);
  for (const [childId, parents] of state.edges) {
    const other = [...parents].find(([, edge]) => edge === 'open');
    if (parents.get(parentId) !== 'done' || other === undefined) continue;
    parents.set(other[0], 'done');
    step.blocked.add(childId);
  }
  release(step);
  endStep(step);
}

/** Whom nobody sees waiting for these tasks is not let go by their end. */
function hideEdges({ edges }: MemoryState, settlements: readonly Settlement[]): () => void {
  const ids = new Set(settlements.map(({ lease }) => lease.taskId));
  const hidden = [...edges.values()].flatMap((parents) =>
    [...parents].filter(([id, edge]) => edge === 'open' && ids.has(id)).map(([id]) => ({ parents, id })),
  );
  for (const { parents, id } of hidden) {
    parents.delete(id);
    parents.set(`hidden ${id}`, 'open');
  }
  return () => {
    for (const { parents, id } of hidden) {
      parents.delete(`hidden ${id}`);
      parents.set(id, 'open');
    }
  };
}

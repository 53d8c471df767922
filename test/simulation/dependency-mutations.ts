/** Planted bugs of dependencies, in the memory store. */

import { during, inStore } from './bend.ts';
import type { Mutation } from './mutation.ts';
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
    'unblock-lost',
    'a settlement leaves those blocked that wait for its task',
    (broker, { edges }) => ({
      settle: (settlements, claimNext) =>
        during(
          () => {
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
          },
          () => broker.settle(settlements, claimNext),
        ),
    }),
    manyChains,
  ),
];

/** Planted bugs of what runs bring along, of tasks that block others and of flows, in the memory store. */

import type { Broker, SettleResult } from '../../src/broker/broker.ts';
import type { NewTask } from '../../src/core/task.ts';
import { change, during, inStore, rowsOf, settleEach } from './bend.ts';
import type { Mutation } from './mutation.ts';
import { calmRates } from './network.ts';
import type { Swarm } from './swarm.ts';

const manyFamilies: Partial<Swarm> = { families: 0.8, tasks: 60, workers: 4 };

/** Calls that are repeated, and workers that come back when somebody else has their task. */
const repeatedRuns: Partial<Swarm> = {
  ...manyFamilies,
  leaseMs: 2_000,
  freezeEveryMs: 4_000,
  rates: { ...calmRates, replyLost: 0.2, resent: 0.2 },
};

/** They cancel flows while more comes to them. */
const manyFlows: Partial<Swarm> = { ...manyFamilies, people: 8, safetyMs: 60_000 };

/** Stores what settlements with such an answer bring along, after them. */
function storing(
  broker: Broker,
  outcome: SettleResult['outcome'],
  bend: (task: NewTask) => NewTask,
): Pick<Broker, 'settle'> {
  return {
    async settle(settlements, claimNext) {
      const answer = await broker.settle(settlements, claimNext);
      const spawned = settlements.flatMap(({ spawn }, index) =>
        answer.results[index]?.outcome === outcome ? spawn : [],
      );
      if (spawned.length > 0) await broker.enqueue(spawned.map((task) => bend({ ...task, dependsOn: [], blocks: [] })));
      return answer;
    },
  };
}

const withoutBlocks = (task: NewTask): NewTask => ({ ...task, blocks: [] });

export const flowMutations: readonly Mutation[] = [
  inStore(
    'spawn-twice',
    'a repeated settlement brings its tasks along once more, under new ids',
    (broker) => storing(broker, 'alreadyApplied', (task) => ({ ...task, id: `${task.id.slice(0, -2)}ZZ` })),
    repeatedRuns,
  ),
  inStore(
    'spawn-of-the-stale',
    'a settlement that came too late brings its tasks along',
    (broker) => storing(broker, 'stale', (task) => task),
    repeatedRuns,
  ),
  inStore(
    'spawn-of-the-diverted',
    'a success that does not count for a cancellation brings its tasks along',
    (broker) => storing(broker, 'diverted', (task) => task),
    { ...manyFlows, strict: 1, rude: true },
  ),
  inStore(
    'spawn-lost',
    'a success is stored without the tasks that it brings along',
    (broker) => settleEach(broker, (settlement) => ({ ...settlement, spawn: [] })),
    manyFamilies,
  ),
  inStore(
    'blocks-ignored',
    'a task that is to wait for a new one does not',
    (broker) => ({
      enqueue: (tasks) => broker.enqueue(tasks.map(withoutBlocks)),
      ...settleEach(broker, (settlement) => ({ ...settlement, spawn: settlement.spawn.map(withoutBlocks) })),
    }),
    manyFamilies,
  ),
  inStore(
    'flow-wish-forgotten',
    'what comes to a flow after its cancellation runs',
    (broker, { cancelledFlows }) => ({
      async cancel(request) {
        const results = await broker.cancel(request);
        if (request.flowId != null) cancelledFlows.delete(request.flowId);
        return results;
      },
    }),
    manyFlows,
  ),
  inStore(
    'flow-keeps-the-blocked',
    'the cancellation of a flow spares those of it that wait for others',
    (broker, state) => ({
      cancel: (request) =>
        during(
          () => {
            const blocked = rowsOf(state, 'blocked').map((row) => [row, row.task.flowId] as const);
            for (const [row] of blocked) change(row, { flowId: null });
            return () => {
              for (const [row, flowId] of blocked) change(row, { flowId });
            };
          },
          () => broker.cancel(request),
        ),
    }),
    { ...manyFlows, chained: 0.6 },
  ),
];

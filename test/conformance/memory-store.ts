/** MemoryBroker as a store under test. */

import { createMemoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { createMemoryState } from '../../src/broker/memory/state.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import { queueLimitName } from '../../src/core/limit-rules.ts';
import type { TaskView } from '../../src/core/states.ts';
import { recordingBeforePrune, unlimited } from './recorded.ts';
import type { CreateStore, OutboxLimits, StoreUnderTest } from './store.ts';

export const createMemoryStore: CreateStore = (options) => createStore(options, null);

/** A memory store that is not the record. */
export const createMemoryStoreWithOutbox: CreateStore = (options) =>
  createStore(options, options.outboxLimits ?? unlimited);

const createStore = async (
  { now, chance }: Parameters<CreateStore>[0],
  outboxLimits: OutboxLimits | null,
): Promise<StoreUnderTest> => {
  const state = createMemoryState(outboxLimits);
  const recorded: BatchEvent[] = [];
  return {
    connect: async () => {
      const broker = createMemoryBroker({ now, chance, state });
      return outboxLimits === unlimited ? recordingBeforePrune(broker, recorded) : broker;
    },
    contents: async () => ({
      taskIds: [...state.rows.keys()],
      keys: [...state.keys].map(([key, held]) => ({ key, ...held })),
      counts: [...state.counts].map(([text, count]) => {
        const [queue, name, view] = JSON.parse(text) as [string, string, TaskView];
        return { queue, name, view, count };
      }),
      slots: [...state.rows.values()].flatMap(({ task }) => {
        if (task.state !== 'running') return [];
        const ofQueue = state.limits.get(queueLimitName(task.queue));
        const names = task.limits.map(({ name }) => name);
        if (ofQueue?.max ?? ofQueue?.rate) names.push(queueLimitName(task.queue));
        return names.map((name) => ({ name, taskId: task.id }));
      }),
      turns: [...state.rounds].flatMap(([queue, round]) =>
        [...round.groups].map(([group, { turn, since }]) => ({
          queue,
          group,
          ahead: turn - round.turn,
          since,
          waits: group === null || (state.groups.get(group)?.pause ?? null) === null,
        })),
      ),
      edges: [...state.edges].flatMap(([childId, parents]) =>
        [...parents].map(([parentId, edge]) => ({ parentId, childId, state: edge })),
      ),
      cancelledFlows: [...state.cancelledFlows.keys()],
      limits: [...state.limits].map(([name, { max, rate, pause }]) => ({
        name,
        settings: { max, rate, ...(pause && { pause }) },
      })),
    }),
    events: async () => [...recorded, ...state.events],
    record: async (taskId) => {
      const row = state.rows.get(taskId);
      return { attempts: [...(row?.attempts ?? [])], logs: [...(row?.logs ?? [])] };
    },
    dispose: async () => {},
  };
};

/** How bugs are planted in the memory store: its rows are bent before, after or during a call. */

import type { Broker } from '../../src/broker/broker.ts';
import type { MemoryState, Row } from '../../src/broker/memory/state.ts';
import type { Lease, Settlement, Task } from '../../src/core/task.ts';
import type { Mutation } from './mutation.ts';
import type { SimStore } from './sim-store.ts';
import type { Swarm } from './swarm.ts';

/** What takes the place of some calls. */
type Bend = (broker: Broker, state: MemoryState) => Partial<Broker>;

export function inStore(name: string, says: string, bend: Bend, swarm: Partial<Swarm> = {}): Mutation {
  const store = ({ broker, state }: SimStore): Partial<Broker> => {
    if (state === null) throw new Error('Bugs are planted in the memory store only.');
    return bend(broker, state);
  };
  return { name, says, store, swarm };
}

export const rowOf = (state: MemoryState, { taskId }: Lease): Row | undefined => state.rows.get(taskId);

export function change(row: Row, patch: Partial<Task>): void {
  row.task = { ...row.task, ...patch };
}

export const rowsOf = (state: MemoryState, is: Task['state']): Row[] =>
  [...state.rows.values()].filter(({ task }) => task.state === is);

/** Settles something else than what was given. */
export const settleEach = (broker: Broker, bend: (settlement: Settlement) => Settlement): Partial<Broker> => ({
  settle: (settlements, claimNext) => broker.settle(settlements.map(bend), claimNext),
});

/** Runs `call` while what `bend` did to the state holds, and what it answers undoes it. */
export async function during<Answer>(bend: () => () => void, call: () => Promise<Answer>): Promise<Answer> {
  const undo = bend();
  try {
    return await call();
  } finally {
    undo();
  }
}

/** A flow is cancelled whole, however large it is. */

import { expect, test } from 'vitest';
import { newTask, sampleId } from '../../test/conformance/samples.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { seededChance } from '../core/chance.ts';
import { limits } from '../core/limits.ts';
import { cancelFlow } from './cancel-flow.ts';

test('a flow of more tasks than one call cancels is cancelled whole', async () => {
  const broker = createMemoryBroker({ now: () => 1_000, chance: seededChance(1) });
  const flowId = sampleId(0);
  const tasks = Array.from({ length: limits.flowCancelMax + 2_500 }, (_, index) =>
    newTask(sampleId(index), { flowId }),
  );
  for (let start = 0; start < tasks.length; start += limits.batchMax)
    await broker.enqueue(tasks.slice(start, start + limits.batchMax));
  expect(await cancelFlow(broker, flowId, { reason: 'enough' })).toEqual({ outcome: 'cancelled' });
  const [queue] = await broker.getQueues();
  expect(queue?.counts).toEqual({ cancelled: tasks.length });
});

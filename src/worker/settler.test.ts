/** Checks the settler on a store that runs calls side by side: what it settles beside a claim, and what it does when that fails. */

import { expect, test } from 'vitest';
import { rest } from '../../test/support/manual-clock.ts';
import { createSettlerRig, endedAttempt } from '../../test/support/settler-rig.ts';
import type { Broker } from '../broker/broker.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { ClaimedTask } from '../core/task.ts';
import { createPools } from './pools.ts';
import type { SettlerOptions } from './settler.ts';

function settlerOn(broker: Partial<Broker>, heard: Partial<SettlerOptions> = {}) {
  const woken = { times: 0 };
  const { settler } = createSettlerRig(broker, {
    store: { broker: broker as Broker, isParallel: true },
    pools: createPools(['default'], 200),
    onWork: () => void woken.times++,
    ...heard,
  });
  return { settler, woken };
}

test('many settlements are sent beside the claim, few along with it', async () => {
  const calls: string[] = [];
  const { settler } = settlerOn({
    claim: async () => {
      calls.push('claim');
      return [];
    },
    settle: async (all, next) => {
      calls.push(`settle ${all.length}${next === undefined ? '' : ' and claim'}`);
      return { results: [], claimed: [] };
    },
  });
  settler.add(endedAttempt());
  await settler.tick();
  for (let n = 0; n < limits.settleAsideMin; n++) settler.add(endedAttempt());
  await settler.tick();
  expect(calls).toEqual(['settle 1 and claim', `settle ${limits.settleAsideMin}`, 'claim']);
});

test('while there is more, what was claimed starts behind the next claim; the last of it at once', async () => {
  const told: string[] = [];
  const answers = [200, 7];
  const broker: Partial<Broker> = {
    claim: async () => {
      told.push('claim');
      return Array.from({ length: answers.shift() ?? 0 }, () => ({}) as ClaimedTask);
    },
  };
  const { settler } = settlerOn(broker, {
    onClaimed: (claimed) => void told.push(`${claimed.length} claimed`),
    onReady: () => void told.push('ready'),
  });
  await settler.tick();
  await settler.tick();
  expect(told).toEqual(['claim', '200 claimed', 'claim', 'ready', '7 claimed', 'ready']);
});

test('a store that claims but settles nothing is asked by the loop, which backs off', async () => {
  const { settler, woken } = settlerOn({
    claim: async () => [],
    settle: async () => {
      throw taskFlowError('STORE_UNREACHABLE', { problem: 'away' });
    },
  });
  for (let n = 0; n < limits.settleAsideMin; n++) settler.add(endedAttempt());
  await settler.tick();
  await rest();
  expect(woken.times).toBe(1);
  await expect(settler.tick()).rejects.toThrow('away');
  await expect(settler.tick()).rejects.toThrow('away');
});

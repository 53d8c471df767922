/** claim with `standMs`: whether the store keeps what found nothing or not, the same claim sent again is given each task once. */

import { expect } from 'vitest';
import type { ClaimRequest } from '../../src/broker/broker.ts';
import { claimRequest, newTask } from './samples.ts';
import type { Case, World } from './world.ts';

const standing = (world: World, given: Partial<ClaimRequest> = {}): ClaimRequest =>
  claimRequest(world.nextToken(), { standMs: 2_000, ...given });

export const standingCases: readonly Case[] = [
  [
    'what was enqueued since is claimed under the same token, once',
    async (world) => {
      const request = standing(world);
      expect(await world.broker().claim(request)).toEqual([]);
      const id = await world.put();
      const claimed = await world.broker().claim(request);
      expect(claimed).toMatchObject([{ task: { id, state: 'running', epoch: 1, attempt: 1 } }]);
      await world.put();
      expect(await world.broker().claim(request)).toEqual(claimed);
    },
  ],
  [
    'nothing changes when a claim stands, nor when it is taken back',
    async (world) => {
      const request = standing(world);
      await world.check((broker) => broker.claim(request), []);
      await world.check((broker) => broker.claim({ ...request, queues: [], limit: 0 }), []);
      const id = await world.put();
      expect(await world.task(id)).toMatchObject({ state: 'queued' });
    },
  ],
  [
    'a batch that is too large for one claim is left where it is',
    async (world) => {
      await world.broker().claim(standing(world));
      const tasks = Array.from({ length: 50 }, () => newTask(world.nextId()));
      await world.broker().enqueue(tasks);
      expect(await world.claimAll()).toHaveLength(50);
    },
  ],
];

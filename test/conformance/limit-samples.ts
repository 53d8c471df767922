/** Tasks with limits, and claims of everything. */

import type { LimitRule, NewTask } from '../../src/core/task.ts';
import type { World } from './world.ts';

export const slots = (name: string, max: number | null): LimitRule => ({ name, max, rate: null });
export const rated = (name: string, count: number, perMs: number): LimitRule => ({
  name,
  max: null,
  rate: { count, perMs },
});
export const one = { limits: [slots('user:1', 1)] };

/** Ids of what a claim of everything gives. */
export async function claimIds(world: World): Promise<readonly string[]> {
  return (await world.claimAll()).map(({ task }) => task.id);
}

export async function putAll(world: World, ...given: readonly Partial<NewTask>[]): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const each of given) ids.push(await world.put(each));
  return ids;
}

/** One seed as a test: every promise is kept, and the seed comes to one end on whatever store. */

import { expect } from 'vitest';
import { complaintsOf, simulate, type Verdict } from './simulate.ts';
import { drawSwarm } from './swarm.ts';
import { hintMark, type WorldOptions } from './world.ts';

/** Fails with what is broken and the command that repeats it, or with what the end on memory is in place of this. */
export async function runSeed(options: Pick<WorldOptions, 'seed' | 'store'>): Promise<void> {
  const verdict = await simulate(options);
  expect(complaintsOf(verdict).join('\n')).toBe('');
  if (options.store !== 'memory' && isComparable(options.seed)) await expectEndOfMemory(verdict);
}

/**
 * A store whose clock was put back stands still at the last time that it gave out, and which calls give one out is open:
 * with such a clock each store makes a story of its own.
 */
const isComparable = (seed: number): boolean => drawSwarm(seed).storeStepEveryMs === Number.POSITIVE_INFINITY;

/**
 * The same story, and at its end the same tasks, to the version and the millisecond. A store may hint more, less or in another
 * order than memory, and whoever is woken by that goes another way: up to there the stories are the same.
 */
async function expectEndOfMemory(verdict: Verdict): Promise<void> {
  const { seed } = verdict.options;
  const memory = await simulate({ seed, store: 'memory' });
  const parting = partingOf(verdict.story, memory.story);
  if (parting.some((line) => line?.includes(` ${hintMark} `))) return;
  expect(parting, `where seed ${seed} goes another way than on memory`).toEqual([]);
  expect(endOf(verdict), `the end of seed ${seed}, which on memory is another`).toEqual(endOf(memory));
}

/** The first lines that are not the same. */
function partingOf(mine: readonly string[], other: readonly string[]): readonly (string | undefined)[] {
  for (let at = 0; at < Math.max(mine.length, other.length); at++)
    if (mine[at] !== other[at]) return [mine[at], other[at]];
  return [];
}

function endOf({ tasks, counts }: Verdict): Pick<Verdict, 'tasks' | 'counts'> {
  return { tasks: tasks.toSorted((left, right) => (left.id < right.id ? -1 : 1)), counts };
}

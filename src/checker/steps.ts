/** The steps of handlers: what was kept is kept, and nothing is kept that did not run. */

import type { Effect } from './evidence.ts';
import type { Says } from './story.ts';

/**
 * Tells steps that ran again in a generation that keeps them, and values that no run of their generation made. Who runs a
 * step under a lease older than the one it was kept under is a ghost, and no promise to it is broken.
 */
export function checkSteps(effects: readonly Effect[], says: Says): void {
  const ran = new Set<string>();
  const kept = new Map<string, Effect>();
  for (const effect of [...effects].sort((left, right) => left.at - right.at)) {
    const name = `step ${effect.step} of generation ${effect.generation}`;
    const keptBefore = kept.get(name);
    if (effect.what === 'step') {
      ran.add(name);
      if (keptBefore !== undefined && keptBefore.epoch <= effect.epoch)
        says('steps', `${name} ran in epoch ${effect.epoch}, and was kept in epoch ${keptBefore.epoch}`);
    } else {
      if (!ran.has(name)) says('steps', `${name} has a value and never ran`);
      if (keptBefore === undefined || effect.epoch < keptBefore.epoch) kept.set(name, effect);
    }
  }
}

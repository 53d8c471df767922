/** The steps of handlers: what was kept is kept, and nothing is kept that did not run. */

import type { Effect } from './run-history.ts';
import type { Tell } from './task-story.ts';

/**
 * Tells steps that ran again in a generation that keeps them, and values that no run of their generation made. Who runs a
 * step under a lease older than the one it was kept under is a ghost, and no promise to it is broken.
 */
export function checkSteps(taskId: string, effects: readonly Effect[], tell: Tell): void {
  const ran = new Map<string, Effect>();
  const kept = new Map<string, Effect>();
  for (const effect of effects) {
    const name = `step ${effect.step} of generation ${effect.generation}`;
    const keptBefore = kept.get(name);
    if (effect.what === 'step') {
      ran.set(name, effect);
      if (keptBefore !== undefined && keptBefore.epoch <= effect.epoch)
        tell('steps', taskId, `${name} ran in epoch ${effect.epoch}, and was kept in epoch ${keptBefore.epoch}`);
    } else if (effect.what === 'kept') {
      if (!ran.has(name)) tell('steps', taskId, `${name} has a value and never ran`);
      if (keptBefore === undefined || effect.epoch < keptBefore.epoch) kept.set(name, effect);
    }
  }
}

/** A task that tells when its handler starts, for both sides of the pick-up bench. */

import process from 'node:process';
import { z } from 'zod';
import { definitionBrand, type TaskDefinition } from '../src/core/definition.ts';
import { task } from '../src/index.ts';

/** A definition whose handler calls `onStart` with the time of {@link monotonicMs}. */
export function stampTask(onStart: (at: number) => void): TaskDefinition {
  const stamp = task('stamp', {
    input: z.object({ n: z.number() }),
    async run() {
      onStart(monotonicMs());
    },
  });
  return stamp[definitionBrand];
}

/** Milliseconds with fractions since the machine started: the same clock in every process. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

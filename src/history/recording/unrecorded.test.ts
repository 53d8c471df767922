// Finding the few tasks that a database refuses among the many that it takes.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bodyOf } from '../../../test/conformance/recording-samples.ts';
import { sampleId } from '../../../test/conformance/samples.ts';
import type { Written } from './lives.ts';
import { findRefused } from './unrecorded.ts';

const suspects = Array.from({ length: 1_000 }, (_each, index): Written => ({ body: bodyOf(index), before: null }));

/** Tries what is asked for where these are bad; tells how many tasks were tried in all. */
async function search(bad: readonly number[]) {
  const ids = new Set(bad.map(sampleId));
  let tried = 0;
  const refused = await findRefused(suspects, async (some) => {
    tried += some.length;
    return some.some(({ body }) => ids.has(body.task.id)) ? 'refused' : null;
  });
  return { found: [...refused.keys()].sort(), tried };
}

test('finds exactly those that are refused', async () => {
  const numbers = fc.uniqueArray(fc.nat({ max: suspects.length - 1 }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(numbers, async (bad) => {
      expect((await search(bad)).found).toEqual(bad.map(sampleId).sort());
    }),
  );
});

test('finds a bad one by trying at most twice as many tasks as there are', async () => {
  for (const bad of [0, 1, 499, 500, 999]) expect((await search([bad])).tried).toBeLessThan(2 * suspects.length);
});

test('finds nobody where what was refused is not refused any more', async () => {
  expect((await search([])).found).toEqual([]);
});

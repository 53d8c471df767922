/** What the simulation is worth: the same seed tells the same, and planted bugs are found, of which `npm test` plants some. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/time.ts';
import { catchMutation } from './catch.ts';
import { goesStale } from './member-mutations.ts';
import type { Mutation } from './mutation.ts';
import { mutations } from './mutations.ts';
import { isFull } from './seeds.ts';
import { simulate } from './simulate.ts';

test.for(['memory', 'sqlite'] as const)('a seed on %s tells the same story each time', async (store) => {
  for (const seed of [3, 9, 19, 20]) {
    const [first, second] = [
      await simulate({ seed, store, trace: true }),
      await simulate({ seed, store, trace: true }),
    ];
    expect(first.lines.length).toBeGreaterThan(100);
    expect(second.lines.join('\n') === first.lines.join('\n')).toBe(true);
  }
});

/** Three of them each day, all of them within some days. */
const day = Math.floor(systemClock.now() / 86_400_000);
const today = isFull
  ? mutations
  : Array.from({ length: 3 }, (_, index) => mutations[(3 * day + index) % mutations.length]!);

test.for(today.map(({ says, name }) => [says, name] as const))('finds that %s (%s)', async ([, name]) => {
  const mutation = mutations.find((one) => one.name === name)!;
  expect(await catchMutation(mutation)).not.toBeNull();
});

test('workers whose connections lead nowhere time and again make them anew', async () => {
  let made = 0;
  const says = 'its connection goes stale, and is made anew';
  const mutation: Mutation = { name: 'stale', says, member: (broker) => goesStale(broker, () => made++) };
  for (let seed = 1; seed <= 6; seed++)
    expect((await simulate({ seed, store: 'memory', mutation })).violations).toEqual([]);
  expect(made).toBeGreaterThan(3);
});

test('the list of bugs names every switch that plants one', () => {
  const page = readFileSync(new URL('./seeded-bugs.md', import.meta.url), 'utf8');
  for (const { name } of mutations) expect(page).toContain(`\`${name}\``);
});

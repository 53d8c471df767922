/** The whole engine on a virtual clock and a real Postgres, from seeds: `npm test` runs some, `SIMULATION=full` 30, `long` 100. */

import { expect, test } from 'vitest';
import { onPostgres } from '../support/postgres-tests.ts';
import { postgresWorlds } from './postgres-store.ts';
import { runSeed } from './run-seed.ts';
import { simulate } from './simulate.ts';

/** Two at a time: a seed is thousands of transactions. */
/** A world that goes on behind its time would spoil the next ones. */
const patienceMs = process.env.SIMULATION === 'long' ? 900_000 : 120_000;
const length = { full: 15, long: 50 }[process.env.SIMULATION ?? ''] ?? 5;
const parts = Array.from({ length }, (_, part) => 1 + 2 * part);

/** Where no order is asked for, Postgres answers in any. Events are numbered on from those of the world before. */
const inOrder = (line: string): string =>
  line
    .replace(/"seq":\d+/, '')
    .split(/[,{}]/)
    .sort()
    .join();

await onPostgres(({ url }) => {
  const store = postgresWorlds(url);

  test.for(parts)(
    'Postgres keeps every promise, and ends as memory does, from seed %i on',
    { timeout: patienceMs },
    async (first) => {
      for (let seed = first; seed < first + 2; seed++) await runSeed({ seed, store });
    },
  );

  test('a seed on Postgres tells the same story each time', async () => {
    const [first, second] = [
      await simulate({ seed: 9, store, trace: true }),
      await simulate({ seed: 9, store, trace: true }),
    ];
    expect(first.lines.length).toBeGreaterThan(100);
    expect(second.lines.map(inOrder)).toEqual(first.lines.map(inOrder));
  });
});

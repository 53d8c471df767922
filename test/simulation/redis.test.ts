/** The whole engine on a virtual clock and a real Redis, from seeds: `npm test` runs some, `SIMULATION=full` 100, `long` 300. */

import { expect, test } from 'vitest';
import { onOwnRedis } from '../support/redis-tests.ts';
import { redisWorlds } from './redis-store.ts';
import { runSeed } from './run-seed.ts';
import { simulate } from './simulate.ts';

/** A world that goes on behind its time would spoil the next ones. */
const patienceMs = process.env.SIMULATION === 'long' ? 900_000 : 120_000;
const length = { full: 20, long: 60 }[process.env.SIMULATION ?? ''] ?? 4;
const parts = Array.from({ length }, (_, part) => 1 + 5 * part);

await onOwnRedis((server) => {
  const store = redisWorlds({ path: server.path });

  test.for(parts)(
    'Redis keeps every promise, and ends as memory does, from seed %i on',
    { timeout: patienceMs },
    async (first) => {
      for (let seed = first; seed < first + 5; seed++) await runSeed({ seed, store });
    },
  );

  test('a seed on Redis tells the same story each time', async () => {
    const [first, second] = [
      await simulate({ seed: 9, store, trace: true }),
      await simulate({ seed: 9, store, trace: true }),
    ];
    expect(first.lines.length).toBeGreaterThan(100);
    expect(second.lines.join('\n') === first.lines.join('\n')).toBe(true);
  });
});

/** The whole engine on a virtual clock, in memory: `npm test` runs some seeds, `SIMULATION=full` more. */

import { test } from 'vitest';
import { isFull, parts, runSeeds } from './seeds.ts';

test.for(parts(isFull ? 3_000 : 500, 25))('memory keeps every promise from seed %i on', (first) =>
  runSeeds('memory', first, 25),
);

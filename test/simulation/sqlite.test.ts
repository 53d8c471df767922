/** The same engine on SQLite, each seed beside its run in memory: `npm test` runs some, `SIMULATION=full` more. */

import { test } from 'vitest';
import { isFull, parts, runSeeds } from './seeds.ts';

test.for(parts(isFull ? 300 : 50, 10))(
  'SQLite keeps every promise, and ends as memory does, from seed %i on',
  (first) => runSeeds('sqlite', first, 10),
);

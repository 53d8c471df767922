/** Runs every command through a server and straight on Postgres: they say the same. */

import { describe } from 'vitest';
import { declareParity } from '../support/cli-parity.ts';
import { onPostgres } from '../support/postgres-tests.ts';

await onPostgres(({ createDatabase }) => {
  describe('each command says the same on Postgres', () => {
    declareParity(async () => ({ broker: await createDatabase() }));
  });
});

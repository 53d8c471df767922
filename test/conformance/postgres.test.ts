/** Postgres, whole: every method in every state in a schema of its own. */

import { onPostgres } from '../support/postgres-tests.ts';
import { conform } from './conform.ts';
import { postgresStores } from './postgres-store.ts';

await onPostgres(({ url }) => conform('Postgres', postgresStores(url)));

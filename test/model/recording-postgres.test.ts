/** A record in Postgres against the store that it follows. */

import { onPostgres } from '../support/postgres-tests.ts';
import { postgresRecords } from '../support/record-databases.ts';
import { compareRecords } from './recording-runs.ts';

await onPostgres(({ url }) => compareRecords('Postgres', postgresRecords(url), 4));

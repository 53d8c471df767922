/** A record in Postgres. */

import { onPostgres } from '../support/postgres-tests.ts';
import { postgresRecords } from '../support/record-databases.ts';
import { conformRecording } from './recording.ts';

await onPostgres(({ url }) => conformRecording('Postgres', postgresRecords(url)));

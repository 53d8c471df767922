/** Postgres against the model. */

import { postgresStores } from '../conformance/postgres-store.ts';
import { onPostgres } from '../support/postgres-tests.ts';
import { runModel } from './model-runs.ts';

await onPostgres(({ url }) => runModel('Postgres', postgresStores(url), { runs: 40, commandsMax: 60 }));

// Prints the schema that the migrations make, as src/broker/sql/schema.sql keeps it: node scripts/schema.ts > src/broker/sql/schema.sql

import { readSchema } from '../test/integration/sqlite-schema.ts';

process.stdout.write(await readSchema());

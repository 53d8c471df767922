/** A record in SQLite against the store that it follows. */

import { sqliteRecord } from '../support/record-databases.ts';
import { compareRecords } from './recording-runs.ts';

compareRecords('SQLite', sqliteRecord, 20);

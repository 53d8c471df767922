/** A record in SQLite. */

import { sqliteRecord } from '../support/record-databases.ts';
import { conformRecording } from './recording.ts';

conformRecording('SQLite', sqliteRecord);

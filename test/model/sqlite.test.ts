/** SQLite against the model. */

import { createSqliteStore } from '../conformance/sqlite-store.ts';
import { runModel } from './model-runs.ts';

runModel('SQLite', createSqliteStore, { runs: 40, commandsMax: 60 });

/** SQLite, whole: every method in every state on a file of its own. */

import { conform } from './conform.ts';
import { createSqliteStore } from './sqlite-store.ts';

conform('SQLite', createSqliteStore);

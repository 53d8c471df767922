/** The suite on the reference model itself. */

import { conform } from './conform.ts';
import { createMemoryStore } from './memory-store.ts';

conform('memory', createMemoryStore);

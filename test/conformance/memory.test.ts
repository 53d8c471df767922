/** The suite on the reference model itself, as the record and beside one. */

import { conform } from './conform.ts';
import { createMemoryStore, createMemoryStoreWithOutbox } from './memory-store.ts';
import { conformOutbox } from './outbox.ts';

conform('memory', createMemoryStore);
conform('memory with an outbox', createMemoryStoreWithOutbox);
conformOutbox('memory', createMemoryStoreWithOutbox);

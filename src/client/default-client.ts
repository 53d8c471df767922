/** The client that tasks use by themselves: opened on first use, by whoever put the program together. */

import { invariant } from '../core/assert.ts';
import { type Client, type ClientStore, makeClient } from './client.ts';

/** Opens the store of a broker URL; the configured or default one when there is none. */
export type Opener = (broker: string | null) => Promise<ClientStore>;

let opener: Opener | null = null;
let current: Client | null = null;

/** Says how stores are opened. Called once, by the composition root, before anything is enqueued. */
export function setDefaultOpener(open: Opener): void {
  opener = open;
}

/** Opens a store with the installed opener. */
export function openWithDefault(broker: string | null): Promise<ClientStore> {
  invariant(
    opener !== null,
    'an opener is installed before a store is opened: import from taskflowjs, not from a file inside it',
  );
  return opener(broker);
}

/** The client behind `sendWelcome.enqueue(…)`. */
export function defaultClient(): Client {
  current ??= makeClient({ open: () => openWithDefault(null) });
  return current;
}

/** Puts another client behind all tasks of this process (the test kit does); `null` returns to the default one. Answers the former. */
export function replaceDefaultClient(client: Client | null): Client | null {
  const former = current;
  current = client;
  return former;
}

/** The client that tasks use by themselves: opened on first use, by whoever put the program together. */

import { invariant } from '../core/assert.ts';
import { type Client, type ClientOptions, makeClient } from './client.ts';

let parts: Pick<ClientOptions, 'open' | 'ready'> | null = null;
let current: Client | null = null;

/** Says how the configured store is opened, and what comes before. Called once, by the composition root. */
export function setDefaultParts(given: Pick<ClientOptions, 'open' | 'ready'>): void {
  parts = given;
}

/** The client behind `sendWelcome.enqueue(…)`. */
export function defaultClient(): Client {
  current ??= makeDefaultClient();
  return current;
}

function makeDefaultClient(): Client {
  invariant(
    parts !== null,
    'the parts of the client are known before it is used: import from taskflowjs, not from a file inside it',
  );
  return makeClient(parts);
}

/** Puts another client behind all tasks of this process (the test kit does); `null` returns to the default one. Answers the former. */
export function replaceDefaultClient(client: Client | null): Client | null {
  const former = current;
  current = client;
  return former;
}

/** The broker as another thread of this program, or a process of its, opens it: from its URL, with nothing else to load. */

import type { Broker } from '../broker.ts';
import { createPostgresBroker } from './store.ts';
import { readPostgresUrl } from './url.ts';

/** See `StoreAddress`. */
export const module = import.meta.url;

export function connect(url: string): { readonly broker: Broker; readonly close: () => Promise<void> } {
  const address = readPostgresUrl(url);
  if (address.namespace === null) throw new Error('Invariant broken: the URL for a thread names the namespace');
  const { driver: _driver, ...broker } = createPostgresBroker({ address, namespace: address.namespace });
  return { broker, close: broker.close };
}

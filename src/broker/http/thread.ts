/** The server as another thread of a worker reaches it, or a process of its: from the URL, and the key of the environment. */

import { systemClock } from '../../core/time.ts';
import type { Broker } from '../broker.ts';
import { createHttpBroker } from './http-broker.ts';

/** See `StoreAddress`. */
export const module = import.meta.url;

export function connect(url: string): { readonly broker: Broker; readonly close: () => Promise<void> } {
  const broker = createHttpBroker({ url, clock: systemClock });
  return { broker, close: broker.close };
}

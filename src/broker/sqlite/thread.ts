/** The broker as another thread of this program, or a process of its, opens it: from its URL, with nothing else to load. */

import type { Broker } from '../broker.ts';
import { createSqliteBroker } from './store.ts';

/** See `StoreAddress`. */
export const module = import.meta.url;

export function connect(url: string): { readonly broker: Broker; readonly close: () => Promise<void> } {
  const { driver: _driver, ...broker } = createSqliteBroker({ file: url.slice('sqlite:'.length) });
  return { broker, close: broker.close };
}

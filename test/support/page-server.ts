/** A whole server for pages in a browser: real time, a store of its own, its services, and live events; it can go away and come back. */

import { createApp } from '../../src/api/app.ts';
import { createLiveEndpoint } from '../../src/api/live/endpoint.ts';
import { type RunningServer, serve } from '../../src/api/serve.ts';
import { createSqliteStore } from '../../src/broker/connect.ts';
import { systemClock } from '../../src/core/time.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import { createEngine } from '../../src/engine/engine.ts';
import type { Store } from '../../src/history/history.ts';
import { createLiveHub } from '../../src/live/hub.ts';
import { createContext } from '../../src/operations/context.ts';
import type { OperationContext } from '../../src/operations/operation.ts';

export interface PageServer {
  readonly store: Store;
  readonly context: OperationContext;
  readonly url: string;
  /** How many follow the live events. */
  readonly followers: number;
  get(path: string): Promise<Response>;
  post(path: string, body?: unknown): Promise<Response>;
  /** Cuts everybody off and does not listen any more; the store stays. */
  away(): Promise<void>;
  /** Listens again at the same address, as another process of the same store. */
  back(): Promise<void>;
  close(): Promise<void>;
}

export interface PageServerOptions {
  /** In memory unless there is another; it is closed with the server. */
  readonly store?: Store;
}

const report = (): void => undefined;

export async function startPageServer(options: PageServerOptions = {}): Promise<PageServer> {
  const { store = createSqliteStore({ file: ':memory:' }) } = options;
  const { access } = store;
  await store.broker.open();
  const presence = { workerId: 'server-1', name: 'server', version: '0.0.0' };
  const engine = createEngine({ store, recoveryMs: 0, presence, report });
  engine.start();
  const context = createContext({ store, actor: { name: 'ada', role: 'admin' } });
  let port = 0;

  async function listen() {
    const live = createLiveEndpoint({ hub: createLiveHub({ context, report }), clock: systemClock });
    const pages = createPages({ version: '0.0.0', environment: 'staging' });
    const fetch = createApp({ context, live, pages, report, ...(access && { access }) });
    const running: RunningServer = await serve({
      ...{ fetch, host: '127.0.0.1', port, insecure: false, clock: systemClock },
    });
    port = running.port;
    return { live, running, fetch };
  }

  let now = await listen();
  let isAway = false;
  const url = now.running.url;
  const send = (path: string, init: RequestInit) => now.fetch(new Request(url + path, init));
  async function away(): Promise<void> {
    if (isAway) return;
    isAway = true;
    await now.live.close();
    await now.running.close(0);
  }
  return {
    store,
    context,
    url,
    get followers() {
      return now.live.connected;
    },
    get: (path) => send(path, {}),
    post: (path, body) =>
      send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    away,
    async back() {
      now = await listen();
      isAway = false;
    },
    async close() {
      await away();
      await engine.stop();
      await store.close();
    },
  };
}

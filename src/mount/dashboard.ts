/** The whole server as a function, to be mounted in a program of one's own: dashboard, REST API and live updates. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OnUpgrade } from '../api/live/upgrade.ts';
import { readBasePath } from '../core/base-path.ts';
import { checkOptionNames, invalidOption } from '../core/option-names.ts';
import { readRedactPaths } from '../core/redact-paths.ts';
import type { Role } from '../operations/operation.ts';
import { createMountUpgrade, type UpgradeHandler } from './upgrade.ts';

/** Who asks, as the program that it is mounted in knows them. */
export interface Visitor {
  /** Shown beside what they did. */
  readonly name: string;
  /** `viewer` may look, `operator` may act, `admin` may do what cannot be undone. */
  readonly role: Role;
}

export interface DashboardOptions {
  /** Where it is mounted, such as `/admin/tasks`; the root of the host when not given. */
  readonly basePath?: string;
  /**
   * Asked with each request: who it is; `null` is answered with 401, a `Response` (to a login page, say) as it is. `/healthz`, `/readyz` and
   * `/health` are not asked for: they tell nothing but whether all is well.
   */
  readonly authorize: (request: Request) => Visitor | Response | null | Promise<Visitor | Response | null>;
  /** URL of the broker; the configured one when not given. */
  readonly broker?: string;
  /** URL of the record beside a broker that is Redis, as the setting `store`; with another broker it is that one. */
  readonly store?: string;
  /** Name of this environment, shown on every page; the configured one when not given. */
  readonly env?: string;
  /** Paths of values that nobody is shown, such as `input.card.number` and `**.password`; the configured ones when not given. */
  readonly redact?: readonly string[];
  /** Hears of errors that are nobody's mistake but ours; on stderr when not given. */
  readonly onError?: (error: unknown) => void;
}

type RouteHandler = (request: Request) => Promise<Response>;

/** It opens its store with the first request. */
export interface Dashboard extends AsyncDisposable {
  /** For Hono, Bun, Deno, and whatever speaks in requests and responses. Never rejects. */
  readonly fetch: RouteHandler;
  /** For Node's own server, Express, Connect and Nest, and for the raw requests of Fastify. */
  node(): (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>;
  /**
   * For the `upgrade` event of the server of your program, which no function from a request to a response hears of:
   * `server.on('upgrade', tf.upgrade())`. Without it there are no WebSockets, and live updates come as events. `authorize` is asked as with
   * each request. The handler answers `false` for what is not below `basePath`, and leaves that alone.
   */
  upgrade(): UpgradeHandler;
  /** For a route of Next.js: `export const { GET, POST, PATCH, DELETE } = tf.next()` in `app/admin/tasks/[[...path]]/route.ts`. */
  next(): Readonly<Record<'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS', RouteHandler>>;
  /** Closes its store; requests after that open it anew. */
  close(): Promise<void>;
}

/** The server behind it, made when it is first asked. */
export interface OpenDashboard {
  readonly fetch: RouteHandler;
  readonly upgrade: OnUpgrade;
  close(): Promise<void>;
}

export type OpenWith = (options: DashboardOptions & { readonly basePath: string }) => Promise<OpenDashboard>;

const optionNames: Readonly<Record<keyof DashboardOptions, true>> = {
  basePath: true,
  authorize: true,
  broker: true,
  store: true,
  env: true,
  redact: true,
  onError: true,
};

/** Throws INVALID_OPTION. What it does first, connecting, it does with the first request. */
export function mountDashboard(options: DashboardOptions, openWith: OpenWith): Dashboard {
  checkOptionNames(options, Object.keys(optionNames), ['namespace'], 'The options of dashboard');
  if (typeof options.authorize !== 'function')
    throw invalidOption('authorize', 'say who may look: authorize: (request) => ({ name, role }) or null');
  if (options.redact !== undefined) readRedactPaths(options.redact);
  const basePath = readBasePath(options.basePath ?? '/');
  let opening: Promise<OpenDashboard> | null = null;

  function open(): Promise<OpenDashboard> {
    opening ??= openWith({ ...options, basePath }).catch((error: unknown) => {
      // A store that is away comes back: the next request tries again.
      opening = null;
      throw error;
    });
    return opening;
  }

  async function closed(request: Request, error: unknown): Promise<Response> {
    const { closedResponse } = await import('./closed.ts');
    return closedResponse(request, error, { basePath, onError: options.onError });
  }

  const fetch: RouteHandler = async (request) => {
    let opened: OpenDashboard;
    try {
      opened = await open();
    } catch (error) {
      return closed(request, error);
    }
    return opened.fetch(request);
  };

  async function close(): Promise<void> {
    const opened = opening;
    opening = null;
    await (await opened?.catch(() => null))?.close();
  }

  return {
    fetch,
    node() {
      const handler = import('../api/node-handler.ts').then(({ createNodeHandler }) => createNodeHandler(fetch));
      return async (incoming, outgoing) => (await handler)(incoming, outgoing);
    },
    upgrade: () => createMountUpgrade({ basePath, open, closed }),
    next: () => ({ GET: fetch, HEAD: fetch, POST: fetch, PUT: fetch, PATCH: fetch, DELETE: fetch, OPTIONS: fetch }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

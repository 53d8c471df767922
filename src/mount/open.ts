/** Puts the server of a mounted dashboard together over an open store. */

import { createApp } from '../api/app.ts';
import { createLiveEndpoint } from '../api/live/endpoint.ts';
import { createUpgrade } from '../api/live/upgrade.ts';
import { createMetrics } from '../api/metrics.ts';
import { taskFlowError } from '../core/errors.ts';
import { systemClock } from '../core/time.ts';
import { createPages } from '../dashboard/pages.tsx';
import type { Store } from '../history/history.ts';
import { createLiveHub } from '../live/hub.ts';
import { createContext } from '../operations/context.ts';
import { type Actor, roles } from '../operations/operation.ts';
import type { DashboardOptions, OpenDashboard } from './dashboard.ts';
import { tellError } from './tell-error.ts';

export interface OpenParts {
  readonly store: Store;
  readonly version: string;
  readonly environment: string | null;
}

export function openDashboard(
  { basePath, authorize, onError, redact = [] }: DashboardOptions & { readonly basePath: string },
  { store, version, environment }: OpenParts,
): OpenDashboard {
  const context = createContext({ store, redact, actor: { name: 'dashboard', role: 'viewer' } });
  // Told once when it begins: a store that is away must not fill a log.
  const hub = createLiveHub({
    context,
    report: (trouble) => trouble.kind === 'failed' && trouble.failures === 1 && tellError(trouble.error, onError),
  });
  const live = createLiveEndpoint({ hub, clock: systemClock });
  // Whoever is let in was recognised by the host, under whatever name it is reached.
  const asked = {
    context,
    live,
    basePath,
    hosts: 'any',
    authenticate: async (request: Request) => {
      const visitor = visitorOf(await authorize(request));
      return visitor instanceof Response ? visitor : { ...visitor, isStillAllowed: () => isStill(visitor, request) };
    },
    report: (error: unknown) => tellError(error, onError),
  } as const;
  /** Whoever keeps a connection open is asked for again: a session of the host ends there too. */
  async function isStill({ name }: Actor, request: Request): Promise<boolean> {
    const now: unknown = await authorize(request);
    return typeof now === 'object' && now !== null && 'name' in now && shownName(now.name) === name;
  }

  const fetch = createApp({
    ...asked,
    version,
    pages: createPages({ version, environment }),
    metrics: createMetrics({ version, clock: systemClock }),
  });
  return {
    fetch,
    upgrade: createUpgrade(asked),
    async close() {
      await live.close();
      await store.close();
    },
  };
}

/** Throws UNAUTHENTICATED, and TypeError for an answer of the host that is none: a bug of its own. */
function visitorOf(answer: unknown): Actor | Response {
  if (answer instanceof Response) return answer;
  if (answer === null || answer === undefined || answer === false)
    throw taskFlowError('UNAUTHENTICATED', { problem: 'the program it is part of knows nobody by it' });
  const { name, role } = answer as Partial<Actor>;
  if (typeof name !== 'string' || name === '' || role === undefined || !roles.includes(role))
    throw new TypeError(`authorize answered neither null nor { name, role } with one of ${roles.join(', ')}`);
  return { name: shownName(name), role };
}

function shownName(name: unknown): string {
  return String(name).slice(0, 200);
}

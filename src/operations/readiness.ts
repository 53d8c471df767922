/** The operation that says whether work is taken and moves: what a load balancer asks before it sends anybody here. */

import { isAlive } from '../core/presence.ts';
import type { Operation } from './operation.ts';
import type { Nothing } from './schemas.ts';

export interface ReadinessDocument {
  /** The store answers and a living process runs the services. */
  readonly ready: boolean;
  /** Living processes that promote what is due, judge what is overdue and fire schedules. */
  readonly services: number;
}

/** Rejects with STORE_* when the store does not answer. */
export const systemReady: Operation<Nothing, ReadinessDocument> = {
  name: 'system.ready',
  summary: 'Say whether the store answers and somebody runs the services',
  role: 'viewer',
  scope: 'read',
  rest: { method: 'GET', path: '/ready' },
  audit: null,
  schema: async () => (await import('./schemas.ts')).nothing,
  output: async () => (await import('./metrics-output.ts')).readinessOutput,
  async run({ store }) {
    const [info, workers] = await Promise.all([store.broker.info(), store.broker.getWorkers()]);
    const services = workers.filter(
      (worker) => worker.services && worker.state !== 'stopped' && isAlive(worker, info.now),
    ).length;
    return { ready: services > 0, services };
  },
};

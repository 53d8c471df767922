/** What machines ask beside the API: whether the process lives, whether it is ready, and its numbers. */

import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { within } from '../core/patience.ts';
import { systemMetrics } from '../operations/metrics.ts';
import { type OperationContext, perform } from '../operations/operation.ts';
import { type ReadinessDocument, systemReady } from '../operations/readiness.ts';
import { type Metrics, metricsType } from './metrics.ts';
import type { Route } from './routes.ts';

/**
 * `/healthz` asks nobody, so that a store that is away restarts no process. `/readyz` and `/health` ask the store, and tell whoever asks
 * whether it is well: no name, no place, no words of the store.
 */
export const probeRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/healthz',
    operation: null,
    isOpen: true,
    answer: async () => Response.json({ status: 'ok' }),
  },
  { method: 'GET', path: '/readyz', operation: systemReady.name, isOpen: true, answer: answerReady },
  { method: 'GET', path: '/health', operation: systemReady.name, isOpen: true, answer: answerHealth },
];

/** Whether it is never refused for being asked often: whoever watches over the process must not take it for dead. */
export function isProbe(path: string): boolean {
  return path === '/healthz' || path === '/readyz';
}

/** Whether what is answered there is for programs: to a person who asks for anything else a problem is shown as a page. */
export function isForMachine(path: string): boolean {
  return /^\/(api\/|(healthz?|readyz|metrics)(\/|$)|openapi\.json$)/.test(path);
}

/** The route of the metrics, for those who may look. */
export function metricsRoute(metrics: Metrics): Route {
  return {
    method: 'GET',
    path: '/metrics',
    operation: systemMetrics.name,
    role: systemMetrics.role,
    async answer(_request, context) {
      const text = await metrics.text((minutes) => perform(systemMetrics, context, { minutes }));
      return new Response(text, { headers: { 'content-type': metricsType } });
    },
  };
}

async function answerReady(_request: unknown, context: OperationContext): Promise<Response> {
  const { ready } = await askReadiness(context);
  if (!ready) throw taskFlowError('NOT_READY', { problem: 'no living process runs the services' });
  return Response.json({ status: 'ready' });
}

async function answerHealth(_request: unknown, context: OperationContext): Promise<Response> {
  await askReadiness(context);
  return Response.json({ status: 'ok' });
}

/** Rejects with NOT_READY and the code of what is wrong alone: its words may name files and hosts. */
async function askReadiness(context: OperationContext): Promise<ReadinessDocument> {
  try {
    return await within(context.clock, limits.readyAskMs, perform(systemReady, context, {}));
  } catch (error) {
    if (!(error instanceof TaskFlowError)) throw error;
    throw taskFlowError('NOT_READY', { problem: `the store does not answer (${error.code})` }, { cause: error });
  }
}

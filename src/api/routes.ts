/** The routes of the REST API: each one an operation of the registry, with where its input comes from. */

import type { HonoRequest } from 'hono';
import { taskFlowError } from '../core/errors.ts';
import { flowCancel, flowGet, flowList } from '../operations/flow.ts';
import { groupList, groupPause, groupResume, groupWeight } from '../operations/group.ts';
import { limitList, limitPause, limitResume, limitSet } from '../operations/limit.ts';
import { type Operation, type OperationContext, perform } from '../operations/operation.ts';
import { queueLimit, queueList, queuePause, queueResume } from '../operations/queue.ts';
import { relayDrop, relayList, relayRetry } from '../operations/relay.ts';
import {
  scheduleBackfill,
  scheduleDelete,
  scheduleGet,
  scheduleList,
  scheduleNext,
  schedulePause,
  scheduleResume,
  scheduleRun,
} from '../operations/schedule.ts';
import { systemActivity, systemCounts, systemHealth } from '../operations/system.ts';
import {
  taskCancel,
  taskEnqueue,
  taskExplain,
  taskGet,
  taskList,
  taskLogs,
  taskRemove,
  taskRetry,
} from '../operations/task.ts';
import { workerList } from '../operations/worker.ts';
import {
  workerDrain,
  workerGet,
  workerRestart,
  workerResume,
  workerScale,
  workerStack,
} from '../operations/worker-control.ts';
import { readJsonBody, readQuery } from './body.ts';

/** One method on one path, in Hono's pattern language. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** The name of the operation it asks for; `null` for pages, which may ask for several. */
  readonly operation: string | null;
  answer(request: HonoRequest, context: OperationContext): Promise<Response>;
}

/** Every route of the API. `/health` tells anybody that it answers, and nothing more. */
export const apiRoutes: readonly Route[] = [
  { method: 'GET', path: '/health', operation: systemHealth.name, answer: answerHealth },
  { method: 'POST', path: '/api/v1/tasks', operation: taskEnqueue.name, answer: answerEnqueue },
  reading('/api/v1/tasks', taskList),
  reading('/api/v1/tasks/:id', taskGet),
  reading('/api/v1/tasks/:id/logs', taskLogs),
  reading('/api/v1/tasks/:id/explain', taskExplain),
  changing('POST', '/api/v1/tasks/:id/cancel', taskCancel),
  changing('POST', '/api/v1/tasks/:id/retry', taskRetry),
  changing('DELETE', '/api/v1/tasks/:id', taskRemove),
  reading('/api/v1/flows', flowList),
  reading('/api/v1/flows/:id', flowGet),
  changing('POST', '/api/v1/flows/:id/cancel', flowCancel),
  reading('/api/v1/queues', queueList),
  changing('POST', '/api/v1/queues/:name/pause', queuePause),
  changing('POST', '/api/v1/queues/:name/resume', queueResume),
  changing('POST', '/api/v1/queues/:name/limit', queueLimit),
  reading('/api/v1/groups', groupList),
  changing('POST', '/api/v1/groups/:name/weight', groupWeight),
  changing('POST', '/api/v1/groups/:name/pause', groupPause),
  changing('POST', '/api/v1/groups/:name/resume', groupResume),
  reading('/api/v1/limits', limitList),
  changing('POST', '/api/v1/limits/:name/set', limitSet),
  changing('POST', '/api/v1/limits/:name/pause', limitPause),
  changing('POST', '/api/v1/limits/:name/resume', limitResume),
  reading('/api/v1/schedules', scheduleList),
  reading('/api/v1/schedules/:name', scheduleGet),
  changing('DELETE', '/api/v1/schedules/:name', scheduleDelete),
  reading('/api/v1/schedules/:name/next', scheduleNext),
  changing('POST', '/api/v1/schedules/:name/run', scheduleRun),
  changing('POST', '/api/v1/schedules/:name/pause', schedulePause),
  changing('POST', '/api/v1/schedules/:name/resume', scheduleResume),
  changing('POST', '/api/v1/schedules/:name/backfill', scheduleBackfill),
  reading('/api/v1/relay', relayList),
  changing('POST', '/api/v1/relay/:id/retry', relayRetry),
  changing('DELETE', '/api/v1/relay/:id', relayDrop),
  reading('/api/v1/workers', workerList),
  reading('/api/v1/workers/:id', workerGet),
  changing('POST', '/api/v1/workers/:id/drain', workerDrain),
  changing('POST', '/api/v1/workers/:id/resume', workerResume),
  changing('POST', '/api/v1/workers/:id/scale', workerScale),
  changing('POST', '/api/v1/workers/:id/stack', workerStack),
  changing('POST', '/api/v1/workers/:id/restart', workerRestart),
  reading('/api/v1/counts', systemCounts),
  reading('/api/v1/activity', systemActivity),
  reading('/api/v1/health', systemHealth),
];

async function answerHealth(_request: HonoRequest, context: OperationContext): Promise<Response> {
  const { status } = await perform(systemHealth, context, {});
  return Response.json({ status });
}

async function answerEnqueue(request: HonoRequest, context: OperationContext): Promise<Response> {
  const document = await perform(taskEnqueue, context, await readJsonBody(request.raw));
  const location = `/api/v1/tasks/${document.id}`;
  return Response.json(document, { status: document.created ? 201 : 200, headers: { location } });
}

/** A GET whose input is the query and what the path names. */
function reading<Input, Output>(path: string, operation: Operation<Input, Output>): Route {
  return {
    method: 'GET',
    path,
    operation: operation.name,
    answer: async (request, context) =>
      Response.json(await perform(operation, context, withPath(request, readQuery(request.url)))),
  };
}

/** A call whose input is the body, which may be left out, and what the path names. */
function changing<Input, Output>(method: 'POST' | 'DELETE', path: string, operation: Operation<Input, Output>): Route {
  return {
    method,
    path,
    operation: operation.name,
    answer: async (request, context) =>
      Response.json(await perform(operation, context, withPath(request, await readJsonBody(request.raw)))),
  };
}

function withPath(request: HonoRequest, given: unknown): unknown {
  const named = request.param();
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  const twice = Object.keys(named).find((name) => Object.hasOwn(given, name));
  if (twice !== undefined)
    throw taskFlowError('INVALID_OPTION', { what: twice, problem: 'the address names it already' });
  return { ...given, ...named };
}

/** The registry: every operation there is. Routes, commands, pages and documents derive from this list. */

import { auditList } from './audit.ts';
import { operationCreate, operationGet, operationList, operationRemove, operationStop, queuePurge } from './bulk.ts';
import { configGet } from './config.ts';
import { definitionGet, definitionList } from './definition.ts';
import { taskEnqueueMany } from './enqueue-many.ts';
import { errorGet, errorList, errorRetry } from './error.ts';
import { errorMark } from './error-mark.ts';
import { flowCancel, flowGet, flowList } from './flow.ts';
import { groupList, groupPause, groupResume, groupWeight } from './group.ts';
import {
  workerClaim,
  workerDeregister,
  workerHeartbeat,
  workerListen,
  workerOutcome,
  workerRegister,
} from './http-worker.ts';
import { workerEnqueue, workerParents } from './http-worker-tasks.ts';
import { limitList, limitPause, limitResume, limitSet } from './limit.ts';
import { liveFollow } from './live.ts';
import { systemMetrics } from './metrics.ts';
import type { Operation } from './operation.ts';
import { queueGet, queueLimit, queueList, queuePause, queueResume } from './queue.ts';
import { queuePeek } from './queue-peek.ts';
import { queueScale } from './queue-scale.ts';
import { systemReady } from './readiness.ts';
import { relayDrop, relayList, relayRetry } from './relay.ts';
import {
  scheduleBackfill,
  scheduleDelete,
  scheduleGet,
  scheduleList,
  scheduleNext,
  schedulePause,
  scheduleResume,
  scheduleRun,
} from './schedule.ts';
import { sessionEnd, sessionList } from './session.ts';
import { systemSigns } from './signs.ts';
import { statsDepth, statsTimeline } from './stats.ts';
import { systemActivity, systemCounts, systemHealth } from './system.ts';
import { taskCancel, taskEnqueue, taskExplain, taskGet, taskList, taskLogs, taskRemove, taskRetry } from './task.ts';
import { taskCancelMany, taskRemoveMany, taskRetryMany, taskUpdateMany } from './task-batch.ts';
import { taskMove, taskRunNow, taskUpdate } from './task-change.ts';
import { taskResult } from './task-result.ts';
import { taskResultMany } from './task-results.ts';
import { taskReveal } from './task-reveal.ts';
import { tokenCreate, tokenList, tokenRevoke } from './token.ts';
import { workerList } from './worker.ts';
import { workerDrain, workerGet, workerRestart, workerResume, workerScale, workerStack } from './worker-control.ts';

/** By their names. */
export const operations = {
  'task.enqueue': taskEnqueue,
  'task.enqueue-many': taskEnqueueMany,
  'task.list': taskList,
  // Before the addresses with an id, which would take the last word of these for one.
  'task.cancel-many': taskCancelMany,
  'task.retry-many': taskRetryMany,
  'task.remove-many': taskRemoveMany,
  'task.update-many': taskUpdateMany,
  'task.result-many': taskResultMany,
  'task.get': taskGet,
  'task.cancel': taskCancel,
  'task.retry': taskRetry,
  'task.remove': taskRemove,
  'task.update': taskUpdate,
  'task.move': taskMove,
  'task.run-now': taskRunNow,
  'task.logs': taskLogs,
  'task.result': taskResult,
  'task.explain': taskExplain,
  'task.reveal': taskReveal,
  'flow.list': flowList,
  'flow.get': flowGet,
  'flow.cancel': flowCancel,
  'queue.list': queueList,
  'queue.get': queueGet,
  'queue.peek': queuePeek,
  'queue.scale': queueScale,
  'queue.purge': queuePurge,
  'queue.pause': queuePause,
  'queue.resume': queueResume,
  'queue.limit': queueLimit,
  'group.list': groupList,
  'group.weight': groupWeight,
  'group.pause': groupPause,
  'group.resume': groupResume,
  'limit.list': limitList,
  'limit.set': limitSet,
  'limit.pause': limitPause,
  'limit.resume': limitResume,
  'schedule.list': scheduleList,
  'schedule.get': scheduleGet,
  'schedule.next': scheduleNext,
  'schedule.run': scheduleRun,
  'schedule.pause': schedulePause,
  'schedule.resume': scheduleResume,
  'schedule.delete': scheduleDelete,
  'schedule.backfill': scheduleBackfill,
  'relay.list': relayList,
  'relay.retry': relayRetry,
  'relay.drop': relayDrop,
  'worker.list': workerList,
  'worker.get': workerGet,
  'worker.drain': workerDrain,
  'worker.resume': workerResume,
  'worker.scale': workerScale,
  'worker.stack': workerStack,
  'worker.restart': workerRestart,
  'token.create': tokenCreate,
  'token.list': tokenList,
  'token.revoke': tokenRevoke,
  'session.list': sessionList,
  'session.end': sessionEnd,
  'audit.list': auditList,
  'operation.create': operationCreate,
  'operation.remove-tasks': operationRemove,
  'operation.list': operationList,
  'operation.get': operationGet,
  'operation.stop': operationStop,
  'error.list': errorList,
  'error.get': errorGet,
  'error.retry': errorRetry,
  'error.mark': errorMark,
  'definition.list': definitionList,
  'definition.get': definitionGet,
  'stats.timeline': statsTimeline,
  'stats.depth': statsDepth,
  'config.get': configGet,
  'live.follow': liveFollow,
  'worker.register': workerRegister,
  'worker.claim': workerClaim,
  'worker.heartbeat': workerHeartbeat,
  'worker.listen': workerListen,
  'worker.outcome': workerOutcome,
  'worker.enqueue': workerEnqueue,
  'worker.parents': workerParents,
  'worker.deregister': workerDeregister,
  'system.health': systemHealth,
  'system.counts': systemCounts,
  'system.activity': systemActivity,
  'system.signs': systemSigns,
  'system.ready': systemReady,
  'system.metrics': systemMetrics,
} as const;

export type OperationName = keyof typeof operations;

/** What an operation takes and answers, by its name. */
export type InputOf<Name extends OperationName> =
  (typeof operations)[Name] extends Operation<infer Input, infer _Output> ? Input : never;
export type OutputOf<Name extends OperationName> =
  (typeof operations)[Name] extends Operation<infer _Input, infer Output> ? Output : never;

/** From what a worker's runtime says to the store to the messages of the protocol, and back from what is answered. */

import { formatBytes, utf8Length } from '../../core/json.ts';
import { limits } from '../../core/limits.ts';
import { parsePolicy } from '../../core/policy.ts';
import type { Definition, Presence } from '../../core/presence.ts';
import { readStoredJson } from '../../core/stored-json.ts';
import type { ClaimedTask, LogLine, NewTask, Outcome, ParentResult, Settlement } from '../../core/task.ts';
import type { TaskEnd } from '../../core/task-end.ts';
import { isoTime } from '../../core/time.ts';
import { traceContext, traceHeaders } from '../../core/traceparent.ts';
import type {
  BeatMessage,
  ClaimedMessage,
  DefinitionMessage,
  EnqueuedMessage,
  LogMessage,
  NewTaskMessage,
  NextClaimMessage,
  OutcomeMessage,
  OutcomeResult,
  ParentMessage,
  ResultMessage,
  WorkerMessage,
} from '../../core/worker-protocol.ts';
import type { Beat, ClaimRequest, EnqueueResult, SettleResult } from '../broker.ts';

/** Bytes of log lines in one message: the rest of it is for what the task itself made. */
const logBytesMax = limits.workerBodyBytesMax / 4;

export function workerMessage(presence: Presence): WorkerMessage {
  const {
    workerId,
    taskNames,
    state,
    definitions: _definitions,
    services: _services,
    server: _server,
    ...rest
  } = presence;
  return { ...rest, id: workerId, tasks: taskNames, state: state === 'draining' ? 'draining' : 'ready' };
}

export function definitionMessage({ policy, ...definition }: Definition): DefinitionMessage {
  return { ...definition, policy: parsePolicy(policy) };
}

export function claimMessage({ token, queues, limit, leaseMs }: ClaimRequest): NextClaimMessage {
  return { token, queues: Object.fromEntries(queues.map(({ name, limit: slots }) => [name, slots])), limit, leaseMs };
}

export function beatMessage({ lease, ranMs, progress, logs, checkpoints }: Beat): BeatMessage {
  return {
    lease: { id: lease.taskId, token: lease.token, epoch: lease.epoch },
    ranMs,
    progress,
    logs: logs.map(logMessage),
    steps: checkpoints.map(({ name, value }) => ({ name, ...(value !== null && { value: readStoredJson(value) }) })),
  };
}

function logMessage({ at, level, message, fields }: LogLine): LogMessage {
  return { at: isoTime(at), level, message, ...(fields !== null && { fields: readStoredJson(fields) }) };
}

export function outcomeMessage({ lease, outcome, ranMs, progress, logs, spawn }: Settlement): OutcomeMessage {
  const report = {
    lease: { id: lease.taskId, token: lease.token, epoch: lease.epoch },
    ranMs,
    progress,
    logs: newestLogs(logs).map(logMessage),
    spawn: spawn.map(newTaskMessage),
  };
  return { ...report, ...endOf(outcome ?? { kind: 'released' }) };
}

/** Of what was logged while the server was away the newest, and a word in the place of the rest. */
function newestLogs(logs: readonly LogLine[]): readonly LogLine[] {
  let bytes = 0;
  let from = logs.length;
  for (const line of logs.toReversed()) {
    bytes += utf8Length(line.message) + utf8Length(line.fields ?? '') + 100;
    if (bytes > logBytesMax) break;
    from -= 1;
  }
  const last = logs[from - 1];
  if (last === undefined) return logs;
  const message = `${from} older log lines are left out: one report carries ${formatBytes(logBytesMax)} of them.`;
  return [{ at: last.at, level: 'warn', message, fields: null }, ...logs.slice(from)];
}

/** `Omit` of a union, one by one. */
type End = OutcomeMessage extends infer One
  ? One extends unknown
    ? Omit<One, 'lease' | 'ranMs' | 'progress' | 'logs' | 'spawn'>
    : never
  : never;

function endOf(outcome: Outcome): End {
  switch (outcome.kind) {
    case 'done':
      return { outcome: 'done', ...(outcome.result !== null && { result: readStoredJson(outcome.result) }) };
    case 'error': {
      const { error, retryable, retryAfterMs } = outcome;
      return { outcome: 'error', error: errorMessage(error), retryable, retryAfterMs };
    }
    case 'giveUp':
    case 'crashed':
    case 'undecodable':
      return { outcome: outcome.kind, error: errorMessage(outcome.error) };
    case 'timedOut':
      return { outcome: 'timedOut', error: errorMessage(outcome.error), byLife: outcome.byLife };
    case 'snooze':
      return {
        outcome: 'snooze',
        delayMs: Number.isNaN(outcome.delayMs) ? 0 : Math.min(limits.durationMaxMs, Math.max(0, outcome.delayMs)),
      };
    default:
      return { outcome: outcome.kind };
  }
}

function errorMessage({ name, message, stack }: Extract<Outcome, { readonly kind: 'giveUp' }>['error']) {
  return { name, message, stack };
}

export function newTaskMessage(task: NewTask): NewTaskMessage {
  const { payload, policy, at, dependsOn, blocks, traceparent, firedBy: _firedBy, ...rest } = task;
  const { tracestate = null, ...trace } = traceparent === null ? { traceparent } : traceHeaders(traceparent);
  return {
    ...rest,
    ...trace,
    // A server of a version before knows no such field.
    ...(tracestate !== null && { tracestate }),
    input: readStoredJson(payload),
    policy: parsePolicy(policy),
    at: isoTime(at),
    dependsOn: dependsOn.map(({ taskId, onFailure }) => ({ id: taskId, onFailure })),
    blocks: blocks.map(({ taskId, onFailure }) => ({ id: taskId, onFailure })),
  };
}

/** A claimed task as the runtime of a worker knows it. What a run never looks at is as it is in a task that just began. */
export function readClaimed(message: ClaimedMessage, workerId: string): ClaimedTask {
  const { id, lease, runMs, boundByLife, firedBy, steps, dependsOn, expiresAt } = message;
  const claimedAt = Date.parse(message.claimedAt);
  return {
    lease: { taskId: id, token: lease.token, epoch: lease.epoch },
    runMs,
    boundByLife,
    parents: message.parents.map(readParent),
    task: {
      id,
      name: message.name,
      queue: message.queue,
      payload: JSON.stringify(message.input),
      schemaVersion: message.schemaVersion,
      priority: message.priority,
      timeoutMs: message.timeoutMs,
      policy: JSON.stringify(message.policy),
      keepMs: message.keepMs,
      strictCancel: message.strictCancel,
      group: message.group,
      limits: message.limits,
      key: message.key,
      keyForMs: message.keyForMs,
      ifExists: message.ifExists,
      dependsOn: dependsOn.map(({ id: taskId, onFailure }) => ({ taskId, onFailure })),
      flowId: message.flowId,
      tags: message.tags,
      traceparent: message.traceparent === null ? null : traceContext(message.traceparent, message.tracestate),
      firedBy: firedBy === null ? null : { ...firedBy, at: Date.parse(firedBy.at) },
      state: 'running',
      reason: null,
      version: message.version,
      epoch: lease.epoch,
      attempt: message.attempt,
      generation: message.generation,
      crashes: message.crashes,
      interruptions: message.interruptions,
      snoozes: message.snoozes,
      workerId,
      leaseUntil: null,
      cancelRequestedAt: null,
      cancelReason: null,
      progress: message.progress,
      checkpoints: steps.map(({ name, value, isEmpty }) => ({ name, value: isEmpty ? null : JSON.stringify(value) })),
      result: null,
      error: null,
      createdAt: Date.parse(message.createdAt),
      dueAt: Date.parse(message.dueAt),
      startBy: null,
      expiresAt: expiresAt === null ? null : Date.parse(expiresAt),
      claimedAt,
      startedAt: null,
      finishedAt: null,
      pruneAt: null,
    },
  };
}

export function readParent({ id, name, state, hasResult, result, error, leftOutBytes }: ParentMessage): ParentResult {
  return {
    taskId: id,
    name,
    state,
    result: hasResult ? JSON.stringify(result) : null,
    error,
    ...(leftOutBytes !== null && { leftOutBytes }),
  };
}

export function readEnd({ hasResult, result, ...rest }: ResultMessage): TaskEnd {
  return { ...rest, result: hasResult ? JSON.stringify(result) : null };
}

export function settleResult({ result, to }: OutcomeResult): SettleResult {
  return result === 'diverted' ? { outcome: 'diverted', to: to ?? 'cancelled' } : { outcome: result };
}

export function enqueueResult({ id: taskId, outcome, of, state }: EnqueuedMessage): EnqueueResult {
  switch (outcome) {
    case 'created':
    case 'existing':
      return { outcome, taskId, state: state ?? 'queued' };
    case 'replaced':
      return { outcome, taskId, of: of ?? taskId, state: state ?? 'queued' };
    default:
      return { outcome, taskId, of: of ?? taskId };
  }
}

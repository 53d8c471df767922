/** From what the seam answers to the messages of workers over HTTP. */

import type { EnqueueResult, SettleResult } from '../broker/broker.ts';
import { parsePolicy } from '../core/policy.ts';
import { readStoredJson } from '../core/stored-json.ts';
import type { ClaimedTask, ParentResult } from '../core/task.ts';
import { isoTime } from '../core/time.ts';
import { traceHeaders } from '../core/traceparent.ts';
import type { ClaimedMessage, EnqueuedMessage, OutcomeResult, ParentMessage } from '../core/worker-protocol.ts';

/** A claimed task; `token` is the claim's as the worker chose it. */
export function claimedMessage(
  { task, lease, runMs, boundByLife, parents }: ClaimedTask,
  token: string,
): ClaimedMessage {
  const { id, generation, firedBy } = task;
  return {
    id,
    lease: { id, token, epoch: lease.epoch },
    name: task.name,
    queue: task.queue,
    input: readStoredJson(task.payload),
    idempotencyKey: `${id}:${generation}`,
    attempt: task.attempt,
    attempts: parsePolicy(task.policy).attempts,
    generation,
    runMs,
    boundByLife,
    timeoutMs: task.timeoutMs,
    steps: task.checkpoints.map(({ name, value }) => ({
      name,
      value: value === null ? null : readStoredJson(value),
      isEmpty: value === null,
    })),
    parents: parents.map(parentMessage),
    priority: task.priority,
    key: task.key,
    keyForMs: task.keyForMs,
    ifExists: task.ifExists,
    group: task.group,
    limits: task.limits,
    tags: task.tags,
    flowId: task.flowId,
    dependsOn: task.dependsOn.map(({ taskId, onFailure }) => ({ id: taskId, onFailure })),
    traceparent: null,
    tracestate: null,
    ...(task.traceparent !== null && traceHeaders(task.traceparent)),
    firedBy: firedBy === null ? null : { ...firedBy, at: isoTime(firedBy.at) },
    schemaVersion: task.schemaVersion,
    policy: readStoredJson(task.policy),
    keepMs: task.keepMs,
    strictCancel: task.strictCancel,
    version: task.version,
    crashes: task.crashes,
    interruptions: task.interruptions,
    snoozes: task.snoozes,
    progress: task.progress,
    createdAt: isoTime(task.createdAt),
    dueAt: isoTime(task.dueAt),
    claimedAt: isoTime(task.claimedAt ?? task.dueAt),
    expiresAt: isoTime(task.expiresAt),
  };
}

export function parentMessage({ taskId, name, state, result, error, leftOutBytes }: ParentResult): ParentMessage {
  const hasResult = result !== null;
  return {
    id: taskId,
    name,
    state,
    hasResult,
    result: hasResult ? readStoredJson(result) : null,
    error,
    leftOutBytes: leftOutBytes ?? null,
  };
}

export function outcomeResult(id: string, result: SettleResult): OutcomeResult {
  const { outcome } = result;
  return { id, result: outcome, to: outcome === 'diverted' ? result.to : null, code: refusalOf[outcome] ?? null };
}

/** Of outcomes that were fenced off. */
const refusalOf: { readonly [Outcome in SettleResult['outcome']]?: OutcomeResult['code'] } = {
  stale: 'LEASE_LOST',
  unknown: 'TASK_NOT_FOUND',
};

export function enqueuedMessage(result: EnqueueResult): EnqueuedMessage {
  const { taskId: id, outcome } = result;
  return { id, outcome, of: 'of' in result ? result.of : null, state: 'state' in result ? result.state : null };
}

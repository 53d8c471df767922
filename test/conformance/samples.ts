/** Tasks, requests and verdicts with everything filled in; a case names only what it is about. */

import type { Beat, ClaimRequest, HeartbeatRequest, OverdueRequest } from '../../src/broker/broker.ts';
import type { Presence } from '../../src/core/presence.ts';
import type { FinishedState, Reason, WaitingState } from '../../src/core/states.ts';
import type { Dependency, Lease, NewTask, Settlement, Task, TaskError, Verdict } from '../../src/core/task.ts';

/** Where the hand-moved clocks begin. */
export const startAt = 1_750_000_000_000;
export const leaseMs = 30_000;
export const keepMs = 600_000;

/** Ids in the order of their numbers. */
export function sampleId(number: number): string {
  return `01K8Q2M4ZJE008${String(number).padStart(12, '0')}`;
}

export function sampleToken(number: number): string {
  return number.toString(16).padStart(32, '0');
}

export function newTask(id: string, given: Partial<NewTask> = {}): NewTask {
  return {
    id,
    name: 'mail.send',
    queue: 'default',
    payload: '{"to":"ada"}',
    schemaVersion: null,
    priority: 5,
    delayMs: 0,
    at: null,
    startWithinMs: null,
    expiresInMs: null,
    timeoutMs: null,
    policy: '{"attempts":5}',
    keepMs,
    strictCancel: false,
    group: null,
    limits: [],
    key: null,
    keyForMs: null,
    ifExists: 'return',
    dependsOn: [],
    blocks: [],
    flowId: null,
    tags: [],
    traceparent: null,
    firedBy: null,
    ...given,
  };
}

/** A parent that is in no store: whoever waits for it is blocked until it is restored. */
export const awaited: Dependency = { taskId: sampleId(999_999), onFailure: 'fail' };

/** A task as `restore` takes it: blocked by {@link awaited} when nothing else is given. */
export function storedTask(id: string, given: Partial<Task> = {}): Task {
  const {
    delayMs: _delayMs,
    at: _at,
    startWithinMs: _startWithin,
    expiresInMs: _expiresIn,
    blocks: _blocks,
    ...body
  } = newTask(id);
  return {
    ...body,
    state: 'blocked',
    dependsOn: (given.state ?? 'blocked') === 'blocked' ? [awaited] : [],
    reason: null,
    version: 1,
    epoch: 0,
    attempt: 0,
    generation: 1,
    crashes: 0,
    interruptions: 0,
    snoozes: 0,
    workerId: null,
    leaseUntil: null,
    cancelRequestedAt: null,
    cancelReason: null,
    progress: null,
    checkpoints: [],
    result: null,
    error: null,
    createdAt: startAt,
    dueAt: startAt,
    startBy: null,
    expiresAt: null,
    claimedAt: null,
    startedAt: null,
    finishedAt: null,
    pruneAt: null,
    ...given,
  };
}

/** What a task that `insert` stores must look like in every field. */
export function insertedTask(task: NewTask, now: number, given: Partial<Task> = {}): Task {
  const {
    delayMs: _delayMs,
    at: _at,
    startWithinMs: _startWithin,
    expiresInMs: _expiresIn,
    blocks: _blocks,
    ...body
  } = task;
  return { ...storedTask(task.id), ...body, state: 'queued', createdAt: now, dueAt: now, ...given };
}

export function claimRequest(token: string, given: Partial<ClaimRequest> = {}): ClaimRequest {
  return { workerId: 'worker-1', token, queues: [{ name: 'default', limit: 100 }], limit: 100, leaseMs, ...given };
}

export function overdueRequest(token: string, given: Partial<OverdueRequest> = {}): OverdueRequest {
  return { token, limit: 100, leaseMs, deadWorkers: [], ...given };
}

export const sampleError: TaskError = {
  name: 'Error',
  message: 'connection refused',
  stack: 'at send (mail.ts:3:1)',
  fingerprint: 'f1',
};

export function finish(to: FinishedState, given: Partial<Verdict & { to: FinishedState }> = {}): Verdict {
  const reason: Reason | null = to === 'failed' ? 'error' : to === 'cancelled' ? 'user' : null;
  const error = to === 'failed' ? sampleError : null;
  return {
    to,
    reason,
    charge: 'attempt',
    keepMs: 1_000_000,
    result: to === 'succeeded' ? '{"ok":true}' : null,
    error,
    ...given,
  };
}

export function wait(to: WaitingState, given: Partial<Verdict & { to: WaitingState }> = {}): Verdict {
  return {
    to,
    reason: 'error',
    charge: 'attempt',
    delayMs: to === 'scheduled' ? 5_000 : 0,
    error: sampleError,
    ...given,
  };
}

/** `lease`: a token alone is that of the first run. */
export function settlement(
  taskId: string,
  lease: Lease | string,
  verdict: Verdict,
  given: Partial<Settlement> = {},
): Settlement {
  const held = typeof lease === 'string' ? { taskId, token: lease, epoch: 1 } : lease;
  return { lease: held, verdict, ranMs: 10, progress: null, logs: [], spawn: [], ...given };
}

export function beat(lease: Lease, given: Partial<Beat> = {}): Beat {
  return { lease, ranMs: null, progress: null, logs: [], checkpoints: [], ...given };
}

export function presence(given: Partial<Presence> = {}): Presence {
  return {
    workerId: 'worker-1',
    name: 'ada',
    host: 'north',
    pid: 42,
    bootId: null,
    version: '0.1.0',
    queues: { default: 10 },
    concurrency: 10,
    running: 0,
    state: 'ready',
    services: false,
    server: false,
    taskNames: ['mail.send'],
    definitions: null,
    ...given,
  };
}

export function heartbeatRequest(beats: readonly Beat[], given: Partial<HeartbeatRequest> = {}): HeartbeatRequest {
  return { worker: presence(), leaseMs, beats, ...given };
}

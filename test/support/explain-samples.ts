/** A queued task with nothing in its way, and whom it may meet. */

import type { Facts, TurnFact, WorkerFact } from '../../src/core/facts.ts';
import type { Task } from '../../src/core/task.ts';

export const now = 1_793_000_000_000;

export const task: Task = {
  id: '01K8PZX2M4EJ9C7YF4V7Z0B2HN',
  name: 'text.stats',
  queue: 'email',
  payload: '{}',
  schemaVersion: null,
  priority: 5,
  policy: '{}',
  timeoutMs: null,
  keepMs: 1,
  strictCancel: false,
  group: null,
  limits: [],
  key: null,
  keyForMs: null,
  ifExists: 'return',
  dependsOn: [],
  flowId: null,
  tags: [],
  traceparent: null,
  firedBy: null,
  state: 'queued',
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
  createdAt: now - 18_000,
  dueAt: now - 18_000,
  startBy: null,
  expiresAt: null,
  claimedAt: null,
  startedAt: null,
  finishedAt: null,
  pruneAt: null,
};
export const worker: WorkerFact = {
  workerId: 'w1',
  name: 'ada-4121',
  queues: ['email'],
  concurrency: 10,
  running: 3,
  state: 'ready',
  taskNames: ['text.stats'],
  schemaVersion: null,
};
export const turn: TurnFact = { group: null, weight: 1, pause: null, ahead: 0, first: null };
export const open: Facts = {
  now,
  task,
  pause: null,
  ahead: 0,
  parents: [],
  parentsLeft: 0,
  children: [],
  limits: [],
  queueLimit: null,
  turn,
  workers: [worker],
};
export const parentId = '01K8PZP1M4EJ9C7YF4V7Z0B2HM';

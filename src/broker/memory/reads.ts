/** getTasks, getQueues, getWorkers, inspect: what the store knows, nothing changed. */

import type { Facts, WorkerFact } from '../../core/facts.ts';
import { limits } from '../../core/limits.ts';
import { isAlive, type WorkerRecord } from '../../core/presence.ts';
import type { TaskView } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import type { QueueRecord } from '../broker.ts';
import { childFacts, parentFacts, parentsLeft } from './edges.ts';
import { limitFact, queueLimitFact, queueSettings } from './limits.ts';
import { refuseLargeBatch } from './refuse.ts';
import { inClaimOrder, type MemoryState, type Row } from './state.ts';
import type { Step } from './step.ts';
import { turnFact } from './turns.ts';

export function getTasks(step: Step, taskIds: readonly string[]): readonly (Task | null)[] {
  refuseLargeBatch(taskIds);
  return taskIds.map((taskId) => step.state.rows.get(taskId)?.task ?? null);
}

/** By name. The kept counts are read, not the tasks. */
export function getQueues(step: Step): readonly QueueRecord[] {
  const { state } = step;
  const counts = new Map<string, Partial<Record<TaskView, number>>>([...state.queues.keys()].map((name) => [name, {}]));
  for (const [key, kept] of state.counts) {
    const [queue, , view] = JSON.parse(key) as [string, string, TaskView];
    const ofQueue = counts.get(queue) ?? {};
    ofQueue[view] = (ofQueue[view] ?? 0) + kept;
    counts.set(queue, ofQueue);
  }
  return [...counts.entries()]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, ofQueue]) => ({
      name,
      counts: ofQueue,
      pause: state.queues.get(name)?.pause ?? null,
      ...queueSettings(step, name),
      oldestDueAt: oldestDueAt(state, name),
    }));
}

function oldestDueAt(state: MemoryState, queue: string): number | null {
  const dueAts = queued(state, queue).map((row) => row.task.dueAt);
  return dueAts.length === 0 ? null : dueAts.reduce((oldest, dueAt) => Math.min(oldest, dueAt));
}

function queued(state: MemoryState, queue: string): readonly Row[] {
  return [...state.rows.values()].filter(({ task }) => task.queue === queue && task.state === 'queued');
}

/** By id. */
export function getWorkers(step: Step): readonly WorkerRecord[] {
  return [...step.state.presences.values()].sort((left, right) => (left.workerId < right.workerId ? -1 : 1));
}

export function inspect(step: Step, taskIds: readonly string[]): readonly (Facts | null)[] {
  refuseLargeBatch(taskIds);
  return taskIds.map((taskId) => {
    const row = step.state.rows.get(taskId);
    return row === undefined ? null : factsOf(step, row);
  });
}

function factsOf(step: Step, row: Row): Facts {
  const { state, now } = step;
  const { task } = row;
  const ahead =
    task.state === 'queued'
      ? queued(state, task.queue).filter(
          (other) => other !== row && other.task.group === task.group && inClaimOrder(other, row) < 0,
        ).length
      : 0;
  const workers = getWorkers(step).filter((record) => isAlive(record, now) && Object.keys(record.queues).length > 0);
  return {
    now,
    task,
    pause: state.queues.get(task.queue)?.pause ?? null,
    ahead: Math.min(ahead, limits.aheadMax),
    parents: parentFacts(state, task),
    parentsLeft: parentsLeft(state, task),
    children: childFacts(state, task.id),
    limits: task.limits.map((rule) => limitFact(step, rule)),
    queueLimit: queueLimitFact(step, task.queue),
    turn: turnFact(step, task),
    workers: workers.map((record) => workerFact(record, task.name)),
  };
}

function workerFact(record: WorkerRecord, taskName: string): WorkerFact {
  const { workerId, name, concurrency, running, state, taskNames } = record;
  const schemaVersion = record.definitions.find((definition) => definition.name === taskName)?.schemaVersion ?? null;
  return { workerId, name, concurrency, running, state, taskNames, queues: Object.keys(record.queues), schemaVersion };
}

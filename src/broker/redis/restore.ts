/** restore: inserts tasks with their state as they are (lua/restore.lua). */

import { isFinished } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import type { Connection } from './connection.ts';
import { refuseTasks } from './refuse.ts';
import { dependencyList, moreText, rulesText, shapeOf } from './rows.ts';
import { type Hints, signalsOf, type Told } from './signals.ts';

export async function restore(connection: Connection, tasks: readonly Task[]): Promise<Told<number>> {
  refuseTasks(tasks);
  const fields = JSON.stringify(tasks.map(restoredFields));
  const payloads = tasks.map(({ payload }) => payload);
  const [count, hints] = await connection.run<[number, Hints]>('restore', [fields, ...payloads]);
  return { answer: count, signals: signalsOf(hints) };
}

function restoredFields(task: Task): unknown {
  const asides = asidesOf(task);
  return {
    id: task.id,
    shape: shapeOf(task),
    createdAt: task.createdAt,
    key: task.key ?? false,
    group: task.group ?? false,
    more: moreText(task),
    head: headOf(task, lettersOf(task, asides)),
    leaseUntil: task.leaseUntil ?? 0,
    asides,
    takes: wouldHold(task),
    dependsOn: dependencyList(task.dependsOn),
    flowId: task.flowId ?? false,
    untilAt: isFinished(task.state) && (task.finishedAt ?? 0) + (task.keyForMs ?? 0),
  };
}

/** In the order of lua/prelude.lua. Nobody holds a lease or judge token of a restored task. */
function headOf(task: Task, aside: string): readonly unknown[] {
  const noToken = false;
  return [
    task.state,
    false,
    task.version,
    task.epoch,
    task.attempt,
    task.generation,
    task.crashes,
    task.interruptions,
    task.snoozes,
    task.reason ?? false,
    task.dueAt,
    task.startBy ?? false,
    task.expiresAt ?? false,
    task.workerId ?? false,
    task.claimedAt ?? false,
    task.startedAt ?? false,
    task.finishedAt ?? false,
    task.pruneAt ?? false,
    task.cancelRequestedAt ?? false,
    noToken,
    noToken,
    noToken,
    false,
    aside,
  ];
}

function lettersOf({ key, group }: Task, asides: Record<string, string>): string {
  return `${Object.keys(asides).join('')}${key === null ? '' : 'k'}${group === null ? '' : 'g'}`;
}

function asidesOf({
  dependsOn,
  limits,
  error,
  result,
  progress,
  checkpoints,
  cancelReason,
}: Task): Record<string, string> {
  const rules = rulesText(limits);
  return {
    ...(rules !== false && { l: rules }),
    ...(dependsOn.length > 0 && { d: JSON.stringify(dependencyList(dependsOn)) }),
    ...(error !== null && { e: JSON.stringify(error) }),
    ...(result !== null && { r: result }),
    ...(progress !== null && { p: JSON.stringify(progress) }),
    ...(checkpoints.length > 0 && { c: JSON.stringify(checkpoints.map(({ name, value }) => [name, value])) }),
    ...(cancelReason !== null && { w: cancelReason }),
  };
}

/** Whether the task would hold its key now, when that is free: unless it let go of it, or its success is not to be kept. */
function wouldHold(task: Task): boolean {
  if (task.key === null) return false;
  if (isFinished(task.state)) return task.state === 'succeeded' && task.keyForMs !== null && task.finishedAt !== null;
  if (task.ifExists !== 'replace' && task.ifExists !== 'debounce') return true;
  return task.state !== 'running' && task.attempt + task.crashes + task.interruptions + task.snoozes === 0;
}

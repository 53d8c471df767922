/** Hand-made histories: a good one of one task, and ways to bend it. */

import type { Asked, ClientEntry, Effect } from '../../src/checker/evidence.ts';
import type { BatchEvent, EventItem } from '../../src/core/events.ts';
import type { Task } from '../../src/core/task.ts';
import { newTask } from '../support/worker-rig.ts';
import type { RunHistory } from './run-history.ts';

export type Change = Partial<EventItem> & Pick<BatchEvent, 'kind'> & { readonly at?: number };

/** A task that was enqueued, lost its first worker, failed once, and succeeded. */
export const good: readonly Change[] = [
  { kind: 'enqueue', from: null, to: 'queued', attempt: 0 },
  { kind: 'claim', from: 'queued', to: 'running', attempt: 1 },
  { kind: 'judge', from: 'running', to: 'queued', attempt: 0, reason: 'lease_lost' },
  { kind: 'claim', from: 'queued', to: 'running', attempt: 1 },
  { kind: 'settle', from: 'running', to: 'scheduled', attempt: 1, reason: 'error' },
  { kind: 'promote', from: 'scheduled', to: 'queued', attempt: 1, at: 2_000 },
  { kind: 'claim', from: 'queued', to: 'running', attempt: 2 },
  { kind: 'settle', from: 'running', to: 'succeeded', attempt: 2 },
];

/** What its handlers wrote down: the first run was told that its lease is lost. */
export const effects: readonly Effect[] = [
  effect('begin', 1, 10),
  effect('abort', 1, 15),
  effect('begin', 2, 20),
  effect('end', 2, 30, { how: 'threw' }),
  effect('begin', 3, 40),
  effect('end', 3, 50, { how: 'returned' }),
];

export const client: readonly ClientEntry[] = [call('invoke', {}), call('ok')];

export function effect(what: Effect['what'], epoch: number, at: number, more: Partial<Effect> = {}): Effect {
  return { at, pid: epoch, what, taskId: 'A', epoch, attempt: 1, n: 7, ...more };
}

export function call(step: ClientEntry['step'], asked?: Asked, more: Partial<ClientEntry> = {}): ClientEntry {
  return { at: 1, pid: 1, step, taskId: 'A', n: 7, asked, ...more };
}

/** The changes as events, one each, at 1,000 until a change says another time. Versions grow by task. */
export function eventsOf(changes: readonly Change[]): BatchEvent[] {
  let at = 1_000;
  const versions = new Map<string, number>();
  return changes.map((change, index) => {
    at = change.at ?? at;
    if (change.kind === 'configure') return { seq: index + 1, at, kind: change.kind, items: [] };
    const taskId = change.taskId ?? 'A';
    const version = change.version ?? (versions.get(taskId) ?? 0) + 1;
    versions.set(taskId, version);
    const base = { name: 'a', queue: 'default', from: null, to: null, reason: null, attempt: 0 };
    return { seq: index + 1, at, kind: change.kind, items: [{ ...base, ...change, taskId, version }] };
  });
}

export function storedTask(given: Partial<Task> = {}): Task {
  const stored = {
    id: 'A',
    state: 'succeeded',
    version: 8,
    epoch: 3,
    attempt: 2,
    generation: 1,
    reason: null,
    leaseUntil: null,
    result: '{"epoch":3}',
  };
  const policy = '{"delayMs":1000,"jitter":"none"}';
  return { ...newTask({ id: 'A', name: 'a', policy }), ...stored, ...given } as unknown as Task;
}

/** The good history with parts replaced. */
export function historyOf(given: Partial<RunHistory> = {}): RunHistory {
  const counts = [{ queue: 'default', name: 'a', view: 'succeeded', count: 1 }] as const;
  return { events: eventsOf(good), tasks: [storedTask()], counts, held: 0, client, effects, ...given };
}

/** The good history with one of its changes different. */
export function changed(index: number, change: Partial<Change>): RunHistory {
  return historyOf({ events: eventsOf(good.map((one, at) => (at === index ? { ...one, ...change } : one))) });
}

/** The good history, asked for in another way. */
export function askedFor(asked: Asked, given: Partial<RunHistory> = {}): RunHistory {
  return historyOf({ client: [call('invoke', asked), call('ok')], ...given });
}

/** Tasks `A`, `B`, … that were asked for alike: what became of them is told, all the rest follows from it. */
export function eventful(asked: Asked, changes: readonly Change[], given: Partial<RunHistory> = {}): RunHistory {
  const byTask = Map.groupBy(
    changes.filter(({ kind }) => kind !== 'configure'),
    ({ taskId = 'A' }) => taskId,
  );
  const ids = [...byTask.keys()];
  const calls = ids.flatMap((taskId, n) => [
    call('invoke', asked, { taskId, n }),
    call('ok', undefined, { taskId, n }),
  ]);
  const runs = ids.flatMap((taskId, n) => runsOf(byTask.get(taskId) ?? []).map((run) => ({ ...run, taskId, n })));
  const kept = ids.filter((id) => byTask.get(id)?.at(-1)?.to !== null);
  const tasks = kept.map((id) => rowOf(id, byTask.get(id) ?? []));
  const counts = tasks.map(({ queue, name, state: view }) => ({ queue, name, view, count: 1 }));
  return { events: eventsOf(changes), tasks, counts: addUp(counts), held: 0, client: calls, effects: runs, ...given };
}

/** Each claim ran to its end. */
function runsOf(changes: readonly Change[]): readonly Effect[] {
  return changes
    .filter(({ kind }) => kind === 'claim')
    .flatMap((_, index) => [
      effect('begin', index + 1, 10 * index),
      effect('end', index + 1, 10 * index + 5, { how: 'returned' }),
    ]);
}

function rowOf(id: string, changes: readonly Change[]): Task {
  const last = changes.at(-1);
  const epoch = changes.filter(({ kind }) => kind === 'claim').length;
  return storedTask({
    id,
    state: last?.to ?? 'queued',
    attempt: last?.attempt ?? 0,
    version: changes.length,
    epoch,
    result: null,
  });
}

function addUp(counts: RunHistory['counts']): RunHistory['counts'] {
  const byView = Map.groupBy(counts, ({ queue, name, view }) => `${queue} ${name} ${view}`);
  return [...byView.values()].flatMap((equal) => equal.slice(0, 1).map((one) => ({ ...one, count: equal.length })));
}

/** One change of a task each, for histories that are written as a list of them. */
export const enqueue = (taskId = 'A', more: Partial<Change> = {}): Change => ({
  kind: 'enqueue',
  taskId,
  from: null,
  to: 'queued',
  ...more,
});
export const claim = (taskId = 'A', more: Partial<Change> = {}): Change => ({
  kind: 'claim',
  taskId,
  from: 'queued',
  to: 'running',
  attempt: 1,
  ...more,
});
export const settle = (taskId = 'A', more: Partial<Change> = {}): Change => ({
  kind: 'settle',
  taskId,
  from: 'running',
  to: 'succeeded',
  attempt: 1,
  ...more,
});

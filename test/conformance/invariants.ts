/** What must be true of a store whatever was called: checked after every case and every step of the model runs. */

import { isDeepStrictEqual } from 'node:util';
import { invariant } from '../../src/core/assert.ts';
import { edgeState } from '../../src/core/dependencies.ts';
import type { BatchEvent, EventItem } from '../../src/core/events.ts';
import { queueLimitName, queueOfLimit } from '../../src/core/limit-rules.ts';
import { isFinished, isLegal, isWaiting, viewOf } from '../../src/core/states.ts';
import type { LimitRule, Task } from '../../src/core/task.ts';
import type { Dump } from './dump.ts';

/** Throws with the first broken sentence. `earlier` is an older dump of the same store: versions only grow. */
export function checkInvariants(dump: Dump, events: readonly BatchEvent[], earlier?: Dump): void {
  checkCounts(dump);
  for (const task of Object.values(dump.tasks)) checkTask(task);
  checkKeys(dump, events);
  checkEvents(dump, events);
  checkSlots(dump, earlier);
  checkTurns(dump);
  checkEdges(dump);
  checkLoops(dump);
  checkRates(dump, events);
  for (const [id, old] of Object.entries(earlier?.tasks ?? {})) {
    const version = dump.tasks[id]?.version ?? old.version;
    invariant(version >= old.version, `the version of ${id} never falls (${old.version} to ${version})`);
  }
}

function checkCounts(dump: Dump): void {
  const recount: Record<string, number> = {};
  for (const task of Object.values(dump.tasks)) {
    const name = `${task.queue} / ${task.name} / ${viewOf(task)}`;
    recount[name] = (recount[name] ?? 0) + 1;
  }
  for (const name of new Set([...Object.keys(recount), ...Object.keys(dump.counts)])) {
    invariant(
      recount[name] === dump.counts[name],
      `the count of ${name} is ${dump.counts[name]}, a recount gives ${recount[name]}`,
    );
  }
  for (const { queue } of Object.values(dump.tasks))
    invariant(queue in dump.queues, `queue ${queue} holds tasks and is listed`);
}

function checkTask(task: Task): void {
  const says = (condition: boolean, sentence: string): void =>
    invariant(condition, `${task.state} ${task.id}: ${sentence}`);
  const running = task.state === 'running';
  says((task.leaseUntil !== null) === running, 'it has a lease exactly when it runs');
  says(!running || (task.workerId !== null && task.claimedAt !== null), 'who runs it, and since when, is known');
  says(!isWaiting(task.state) || (task.workerId === null && task.claimedAt === null), 'nobody has what waits');
  says((task.finishedAt !== null) === isFinished(task.state), 'it has an end exactly when it is finished');
  says((task.pruneAt !== null) === isFinished(task.state), 'it has a retention exactly when it is finished');
  says(task.result === null || isFinished(task.state), 'only the finished have a result');
  says(running || isFinished(task.state) || task.cancelRequestedAt === null, 'what waits is cancelled at once');
  says(task.version >= 1 && task.generation >= 1, 'version and generation begin with 1');
  says(Math.min(task.attempt, task.crashes, task.interruptions, task.snoozes) >= 0, 'nothing is counted below zero');
  says(task.attempt <= task.epoch, 'every attempt was a claim');
}

function checkKeys(dump: Dump, events: readonly BatchEvent[]): void {
  for (const [key, { taskId, until }] of Object.entries(dump.keys)) {
    const holder = dump.tasks[taskId];
    if (until !== null) {
      invariant(holder === undefined || holder.state === 'succeeded', `the key "${key}" is kept for a success`);
      continue;
    }
    invariant(holder !== undefined && holder.key === key, `the holder of "${key}" exists and carries it`);
    invariant(!isFinished(holder.state), `the holder of "${key}" is unfinished`);
    invariant(isKeeper(holder) || isWaiting(holder.state), `"${key}" was let go when ${taskId} was claimed`);
  }
  // A restored task may have come without its key, so this is asked only of those whose enqueue is still on record.
  const enqueued = new Set(
    events.filter(({ kind }) => kind === 'enqueue').flatMap(({ items }) => items.map(({ taskId }) => taskId)),
  );
  for (const task of Object.values(dump.tasks)) {
    if (task.key === null || isFinished(task.state) || !(isKeeper(task) || task.epoch === 0) || !enqueued.has(task.id))
      continue;
    invariant(dump.keys[task.key]?.taskId === task.id, `${task.state} ${task.id} holds its key "${task.key}"`);
  }
}

/** The slots are the running tasks that carry the limit; whoever was claimed since found room under the maximum in force. */
function checkSlots(dump: Dump, earlier: Dump | undefined): void {
  const tasks = Object.values(dump.tasks);
  const running = tasks.filter(({ state }) => state === 'running');
  const names = new Set(tasks.flatMap(({ limits }) => limits.map(({ name }) => name)));
  for (const { queue } of tasks) if (dump.limits[queueLimitName(queue)] !== undefined) names.add(queueLimitName(queue));
  for (const name of new Set([...names, ...Object.keys(dump.slots)])) {
    const holders = running.filter((task) => carries(task, name));
    const recount = holders.map(({ id }) => id).sort();
    invariant(
      isDeepStrictEqual(dump.slots[name] ?? [], recount),
      `the slots of ${name} are ${dump.slots[name]}, a recount gives ${recount}`,
    );
    const fresh = holders.filter(({ id, epoch }) => epoch > (earlier?.tasks[id]?.epoch ?? epoch));
    if (fresh.length === 0) continue;
    const maxima = fresh.map(
      ({ limits }) => dump.limits[name]?.max ?? limits.find((rule) => rule.name === name)?.max ?? Infinity,
    );
    const max = Math.max(...maxima);
    invariant(holders.length <= max, `${holders.length} hold ${name}, where ${max} may when one is claimed`);
  }
}

function carries({ queue, limits }: Task, name: string): boolean {
  return queueOfLimit(name) === queue || limits.some((rule) => rule.name === name);
}

/** A queued task whose group stands nowhere would never be claimed. */
function checkTurns(dump: Dump): void {
  for (const { id, state, queue, group } of Object.values(dump.tasks)) {
    if (state !== 'queued' || group === null) continue;
    const standing = dump.turns[queue]?.find((each) => each.group === group);
    invariant(standing !== undefined, `group ${group} of queue ${queue} stands somewhere: ${id} waits in it`);
    const paused = (dump.groups[group]?.pause ?? null) !== null;
    invariant(standing.waits !== paused, `group ${group} of queue ${queue} waits for its turn: ${id} is in it`);
  }
}

/** Edges follow their parents; who has an open or failed one waits, and nobody else is blocked. */
function checkEdges(dump: Dump): void {
  const held = new Set<string>();
  for (const [name, state] of Object.entries(dump.edges)) {
    const [childId = '', parentId = ''] = name.split(' <- ');
    const [child, parent] = [dump.tasks[childId], dump.tasks[parentId]];
    invariant(child !== undefined, `the edge ${name} has a child`);
    const dependency = child.dependsOn.find(({ taskId }) => taskId === parentId);
    invariant(dependency !== undefined, `the edge ${name} is among the dependencies of its child`);
    if (state !== 'done') held.add(childId);
    if (state === 'open')
      invariant(parent === undefined || !isFinished(parent.state), `the edge ${name} is open while its parent is`);
    // Another task may have come under the id of a parent that is gone.
    const ended = parent !== undefined && isFinished(parent.state) && child.state === 'blocked';
    if (state === 'failed' && ended)
      invariant(edgeState(parent.state, dependency.onFailure) === 'failed', `the edge ${name} failed with its parent`);
  }
  for (const { id, state } of Object.values(dump.tasks)) {
    invariant(state !== 'blocked' || held.has(id), `blocked ${id} has a parent that holds it back`);
    invariant(
      (state !== 'scheduled' && state !== 'queued' && state !== 'running') || !held.has(id),
      `${state} ${id} is held back by no parent`,
    );
  }
}

/** Tasks that wait for each other would wait for ever. */
function checkLoops(dump: Dump): void {
  const open = new Map<string, string[]>();
  for (const [name, state] of Object.entries(dump.edges)) {
    const [childId = '', parentId = ''] = name.split(' <- ');
    if (state === 'open') open.set(childId, [...(open.get(childId) ?? []), parentId]);
  }
  // Who waits for nobody that waits is taken away, until nobody is left.
  for (let count = -1; count !== open.size; ) {
    count = open.size;
    for (const [childId, parents] of open) if (!parents.some((parentId) => open.has(parentId))) open.delete(childId);
  }
  invariant(open.size === 0, `${[...open.keys()].join(', ')} wait for each other`);
}

/**
 * Asked where one rate is configured, or every task with the limit says the same. What is configured forgets the tokens
 * that were taken: a look goes back as far as the last time.
 */
function checkRates(dump: Dump, events: readonly BatchEvent[]): void {
  const rates = new Map<string, string>();
  const mixed = new Set<string>();
  for (const { limits } of Object.values(dump.tasks)) {
    for (const { name, rate } of limits) {
      const text = JSON.stringify(rate);
      if ((rates.get(name) ?? text) !== text) mixed.add(name);
      rates.set(name, text);
    }
  }
  const inForce = [...new Set([...rates.keys(), ...Object.keys(dump.limits)])].flatMap((name) => {
    const configured = dump.limits[name]?.rate ?? null;
    const own = mixed.has(name) ? null : (JSON.parse(rates.get(name) ?? 'null') as LimitRule['rate']);
    const rate = configured ?? own;
    return rate === null ? [] : [{ name, rate }];
  });
  const configured = events.findLastIndex(({ kind }) => kind === 'configure');
  for (const { name, rate } of inForce) {
    const starts = events.slice(configured + 1).flatMap(({ at, kind, items }) =>
      items
        .filter(({ taskId, queue }) => {
          const task = dump.tasks[taskId];
          return kind === 'claim' && task !== undefined && carries({ ...task, queue }, name);
        })
        .map(() => at),
    );
    for (const [first, from] of starts.entries()) {
      for (const [more, to] of starts.slice(first).entries()) {
        const most = rate.count + ((to - from) * rate.count) / rate.perMs;
        invariant(more + 1 <= most, `${more + 1} starts of ${name} within ${to - from} ms, where ${most} may`);
      }
    }
  }
}

/** Whether the task holds its key while it runs. */
function isKeeper(task: Task): boolean {
  return task.ifExists === 'return' || task.ifExists === 'error';
}

/** The events alone tell every task's state: no gap, no jump, no illegal move. */
function checkEvents(dump: Dump, events: readonly BatchEvent[]): void {
  const last = new Map<string, EventItem>();
  let earlier: BatchEvent | undefined;
  for (const event of events) {
    invariant(
      earlier === undefined || (event.seq > earlier.seq && event.at >= earlier.at),
      `event ${event.seq} comes after ${earlier?.seq}`,
    );
    earlier = event;
    for (const item of event.items) {
      checkItem(event, item, last.get(item.taskId));
      last.set(item.taskId, item);
    }
  }
  for (const [taskId, item] of last) {
    const task = dump.tasks[taskId];
    invariant(
      item.to === (task?.state ?? null),
      `the last event of ${taskId} says ${item.to}, the store ${task?.state}`,
    );
    if (task === undefined) continue;
    invariant(
      item.version === task.version,
      `the last event of ${taskId} has version ${item.version}, the task ${task.version}`,
    );
    invariant(
      item.attempt === task.attempt && item.reason === task.reason && item.queue === task.queue,
      `the last event of ${taskId} tells attempt, reason and queue`,
    );
  }
}

function checkItem(event: BatchEvent, item: EventItem, previous: EventItem | undefined): void {
  const move = `${event.kind} of ${item.taskId} (event ${event.seq})`;
  if (event.kind === 'cancelRequest')
    invariant(item.from === 'running' && item.to === 'running', `${move}: the task runs on`);
  // An update may leave the state alone, that of a blocked task too: then it is no move of the table.
  else if (event.kind === 'update' && item.from === item.to)
    invariant(item.from !== null && isWaiting(item.from), `${move}: the task waits`);
  else if (event.kind === 'configure' || event.kind === 'control' || event.kind === 'fire')
    invariant(false, `${move}: it names no task`);
  else invariant(isLegal(event.kind, item.from, item.to), `${move}: ${item.from} to ${item.to} is legal`);
  if (item.from === null) {
    invariant(previous === undefined || previous.to === null, `${move}: it was not there before`);
    return;
  }
  // Without a predecessor the earlier events are past their time.
  if (previous === undefined) return;
  invariant(item.version === previous.version + 1, `${move}: version ${item.version} follows ${previous.version}`);
  invariant(item.from === previous.to, `${move}: it comes from ${item.from}, where ${previous.to} was the last state`);
}

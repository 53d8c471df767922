/** getTasks, getQueues, peek, getGroups, getLimits: what the store knows, nothing changed. */

import type { Pause } from '../../core/facts.ts';
import type { LimitSettings } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import type { TaskView } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import type { GroupRecord, LimitRecord, Peek, QueueRecord } from '../broker.ts';
import type { Connection } from './connection.ts';
import { refuseLargeBatch } from './refuse.ts';
import { type Described, readTasks } from './rows.ts';

export async function getTasks(connection: Connection, ids: readonly string[]): Promise<readonly (Task | null)[]> {
  refuseLargeBatch(ids);
  if (ids.length === 0) return [];
  const found = readTasks(await connection.run<Described>('get-tasks', [[...new Set(ids)].join(' ')]));
  const tasks = new Map(found.map((task) => [task.id, task]));
  return ids.map((id) => tasks.get(id) ?? null);
}

type QueuesReply = readonly [
  counts: readonly Buffer[],
  pauses: readonly Buffer[],
  oldest: readonly (Buffer | number)[],
  limited: readonly Buffer[],
];

/** By name. The kept counts are read, not the tasks. */
export async function getQueues(connection: Connection): Promise<readonly QueueRecord[]> {
  const [countList, pauseList, oldestList, limitedList] = await connection.run<QueuesReply>('get-queues', []);
  const pauses = pairs(pauseList);
  const oldest = new Map(pairs(oldestList).map(([queue, dueAt]) => [queue, Number(dueAt)]));
  const counts = new Map<string, Partial<Record<TaskView, number>>>(pauses.map(([queue]) => [queue, {}]));
  for (const [text, count] of pairs(countList)) {
    const [queue, , view] = JSON.parse(text) as [string, string, TaskView];
    const ofQueue = counts.get(queue) ?? {};
    ofQueue[view] = (ofQueue[view] ?? 0) + Number(count);
    counts.set(queue, ofQueue);
  }
  const pauseOf = new Map(pauses);
  const limitOf = new Map(pairs(limitedList));
  return [...counts]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, ofQueue]) => {
      const pause = pauseOf.get(name) ?? '';
      return {
        name,
        counts: ofQueue,
        ...limitSettings(limitOf.get(name) ?? null),
        pause: pause === '' ? null : (JSON.parse(pause) as Pause),
        oldestDueAt: oldest.get(name) ?? null,
      };
    });
}

/** As lua/limits.lua keeps what is configured for a limit. */
type StoredLimit = readonly [max: number | false, count: number | false, perMs: number | false, pause: Pause | false];

/** `null` is nothing. */
export function limitSettings(text: string | null): LimitSettings {
  const [max, count, perMs] = readLimit(text);
  return { max: max === false ? null : max, rate: count === false || perMs === false ? null : { count, perMs } };
}

export function limitPause(text: string | null): Pause | null {
  const pause = readLimit(text)[3];
  return pause === false ? null : pause;
}

function readLimit(text: string | null): StoredLimit {
  return text === null ? [false, false, false, false] : (JSON.parse(text) as StoredLimit);
}

/** Chosen by the Lua of claims (lua/peek.lua). Behind paused groups it sees those among the first `limits.claimGroupsMax` names with settings. */
export async function peek(connection: Connection, queue: string, limit: number): Promise<Peek> {
  const most = Math.min(limit, limits.peekMax);
  if (most <= 0) return { next: [], held: [], scheduled: [] };
  type Reply = readonly [next: readonly Buffer[], held: readonly Buffer[], scheduled: readonly Buffer[]];
  const [next, held, scheduled] = await connection.run<Reply>('peek', [queue, most]);
  return { next: next.map(String), held: held.map(String), scheduled: scheduled.map(String) };
}

/** By name. */
export async function getGroups(
  connection: Connection,
  from: string | null,
  limit: number,
): Promise<readonly GroupRecord[]> {
  type Reply = readonly [names: readonly Buffer[], settings: readonly Buffer[]];
  const [names, settings] = await connection.run<Reply>('get-groups', [from ?? '', Math.min(limit, limits.pageMax)]);
  return names.map((name, place) => {
    return { name: String(name), ...groupSettings(String(settings[place])) };
  });
}

/** As lua/turns.lua keeps what is configured for a group. */
export function groupSettings(text: string): Omit<GroupRecord, 'name'> {
  const [weight, pause] = JSON.parse(text) as readonly [number | false, Pause | false];
  return { weight: weight === false ? null : weight, pause: pause === false ? null : pause };
}

/** By name. */
export async function getLimits(
  connection: Connection,
  from: string | null,
  limit: number,
): Promise<readonly LimitRecord[]> {
  type Reply = readonly [names: readonly Buffer[], settings: readonly (Buffer | null)[], held: readonly number[]];
  const reply = await connection.run<Reply>('get-limits', [from ?? '', Math.min(limit, limits.pageMax)]);
  const [names, settings, held] = reply;
  return names.map((name, place) => {
    const text = settings[place] === null ? null : String(settings[place]);
    return {
      name: String(name),
      ...limitSettings(text),
      pause: limitPause(text),
      held: Math.min(held[place] ?? 0, limits.limitSlotsMax),
    };
  });
}

/** A flat list of names and values as Redis lists a hash. */
function pairs(list: readonly (Buffer | number)[]): [name: string, value: string][] {
  const found: [string, string][] = [];
  for (let i = 0; i < list.length; i += 2) found.push([String(list[i]), String(list[i + 1])]);
  return found;
}

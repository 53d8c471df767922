/** inspect: why tasks wait (lua/inspect.lua). */

import type { EdgeState } from '../../core/dependencies.ts';
import type { Facts, LimitFact, ParentFact, Pause, RelativeFact, TurnFact, WorkerFact } from '../../core/facts.ts';
import { inForce, queueRule, tokenAt } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import type { WorkerRecord } from '../../core/presence.ts';
import type { TaskState } from '../../core/states.ts';
import type { LimitRule, Task } from '../../core/task.ts';
import type { Connection } from './connection.ts';
import { groupSettings, limitPause, limitSettings } from './reads.ts';
import { refuseLargeBatch } from './refuse.ts';
import { type Described, readTasks } from './rows.ts';
import { readWorkers } from './workers.ts';

type Flat = readonly (Buffer | number)[];
type ToldLimit = readonly [settings: Buffer, tatUs: Buffer, held: number, holders: Flat];
type ToldTurn = readonly [settings: Buffer, ahead: number, first: Buffer];
type ToldFacts = readonly [
  pause: Buffer,
  ahead: number,
  parents: Flat,
  parentsLeft: number,
  children: Flat,
  limits: readonly ToldLimit[],
  queueLimit: ToldLimit | readonly [],
  turn: ToldTurn,
];
type Reply = readonly [now: number, tasks: Described, workers: readonly Buffer[], facts: readonly ToldFacts[]];

export async function inspect(connection: Connection, ids: readonly string[]): Promise<readonly (Facts | null)[]> {
  refuseLargeBatch(ids);
  if (ids.length === 0) return [];
  const [now, described, list, told] = await connection.run<Reply>('inspect', [[...new Set(ids)].join(' ')]);
  const workers = readWorkers(list).filter(({ queues }) => Object.keys(queues).length > 0);
  const facts = readTasks(described).map((task, place) => factsOf(task, told[place] as ToldFacts, now, workers));
  const known = new Map(facts.map((each) => [each.task.id, each]));
  return ids.map((id) => known.get(id) ?? null);
}

function factsOf(task: Task, told: ToldFacts, now: number, workers: readonly WorkerRecord[]): Facts {
  const [pause, ahead, parents, parentsLeft, children, ofLimits, ofQueue, turn] = told;
  return {
    now,
    task,
    pause: pause.length === 0 ? null : (JSON.parse(String(pause)) as Pause),
    ahead: Math.min(ahead, limits.aheadMax),
    parents: inGroupsOf(4, parents).map(readParent),
    parentsLeft,
    children: inGroupsOf(3, children).map(readRelative),
    limits: task.limits.map((rule, place) => limitFact(rule, ofLimits[place] as ToldLimit, now)),
    queueLimit: ofQueue.length === 0 ? null : { ...limitFact(queueRule(task.queue), ofQueue, now), name: task.queue },
    turn: turnFact(task, turn),
    workers: workers.map((record) => workerFact(record, task.name)),
  };
}

const edgeStates: Readonly<Record<string, EdgeState>> = { o: 'open', d: 'done', f: 'failed' };

function readParent(texts: readonly string[]): ParentFact {
  return { ...readRelative(texts), edge: edgeStates[texts[3] ?? ''] ?? 'done' };
}

function readRelative([taskId = '', name = '', state = '']: readonly string[]): RelativeFact {
  return { taskId, name: name === '' ? null : name, state: state === '' ? null : (state as TaskState) };
}

function limitFact(rule: LimitRule, [settings, tatUs, held, holders]: ToldLimit, now: number): LimitFact {
  const text = settings.length === 0 ? null : String(settings);
  const { max, rate } = inForce(rule, limitSettings(text));
  const at = rate === null ? 0 : tokenAt(Number(tatUs), rate);
  return {
    name: rule.name,
    pause: limitPause(text),
    max,
    holders: inGroupsOf(3, holders).map(([taskId = '', workerId = '', sinceAt]) => ({
      taskId,
      workerId: workerId === '' ? null : workerId,
      sinceAt: Number(sinceAt),
    })),
    held: Math.min(held, limits.limitSlotsMax),
    tokenAt: at > now ? at : null,
  };
}

function turnFact({ group }: Task, [settings, ahead, first]: ToldTurn): TurnFact {
  const { weight, pause } = settings.length === 0 ? { weight: null, pause: null } : groupSettings(String(settings));
  return {
    group,
    weight: weight ?? 1,
    pause,
    ahead: Math.min(ahead, limits.aheadMax),
    first: first.length === 0 ? null : String(first),
  };
}

function workerFact(record: WorkerRecord, taskName: string): WorkerFact {
  const { workerId, name, concurrency, running, state, taskNames } = record;
  const schemaVersion = record.definitions.find((definition) => definition.name === taskName)?.schemaVersion ?? null;
  return { workerId, name, concurrency, running, state, taskNames, queues: Object.keys(record.queues), schemaVersion };
}

/** A flat list as Lua answers it. */
function inGroupsOf(size: number, list: Flat): readonly (readonly string[])[] {
  return Array.from({ length: list.length / size }, (_empty, place) =>
    list.slice(place * size, (place + 1) * size).map(String),
  );
}

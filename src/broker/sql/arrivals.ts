/** Tasks on their way into the store: what becomes of each, one at a time under its key, and their rows. */

import { reachesQueue } from '../../core/access.ts';
import type { TaskState } from '../../core/states.ts';
import type { NewTask } from '../../core/task.ts';
import type { EnqueueResult } from '../broker.ts';
import { meetParents } from './awaited.ts';
import type { Stand } from './changes.ts';
import { eachStatement, manyStatement, type RowAddress, type SqlRow, type SqlValue, statement } from './driver.ts';
import { readHolders, readWaitingHolders, takeKeys, type WaitingHolder } from './keys.ts';
import { recordRefusal } from './refuse-record.ts';
import { outdated } from './remembered.ts';
import { checkAtOf, encodeOptions, hasSameBody, idList, isPlain } from './rows.ts';
import { noteDue, record, type Step } from './step.ts';
import { joinRounds } from './turns.ts';

/** An id that is there already stays as it is. Locks: none but on the new rows. */
const insertTasks = manyStatement(
  'insert_tasks',
  {
    queue: 'text',
    name: 'text',
    state: 'text',
    priority: 'bigint',
    createdAt: 'bigint',
    dueAt: 'bigint',
    startBy: 'bigint',
    expiresAt: 'bigint',
    checkAt: 'bigint',
    timeoutMs: 'bigint',
    keepMs: 'bigint',
    grp: 'text',
    schemaVersion: 'text',
    options: 'text',
    policy: 'text',
  },
  { id: 'text', key: 'text', payload: 'text' },
  (value, from, dialect) =>
    `INSERT ${dialect.orRollback}INTO tasks (id, queue, name, state, priority, created_at, due_at, start_by, expires_at, check_at, timeout_ms,
      keep_ms, key, grp, schema_version, options, policy, payload, version, epoch, attempt, generation, crashes, interruptions, snoozes)
    SELECT ${value.id}, ${value.queue}, ${value.name}, ${value.state}, ${value.priority}, ${value.createdAt}, ${value.dueAt}, ${value.startBy},
      ${value.expiresAt}, ${value.checkAt}, ${value.timeoutMs}, ${value.keepMs}, ${value.key}, ${value.grp}, ${value.schemaVersion}, ${value.options},
      ${value.policy}, ${value.payload}, 1, 0, 0, 1, 0, 0, 0 ${from} WHERE true
    ON CONFLICT (id) DO NOTHING`,
  'id',
);

/** The address of the last row there is, whether parents are awaited, and whether this is a record. */
const lastTask = statement<[row: RowAddress | null, awaited: number | null, recorder: number | null]>(
  'last_task',
  (dialect) => `SELECT (${dialect.greatest(dialect.row, 'tasks')}), (SELECT 1 FROM edges WHERE awaited = 1 LIMIT 1),
    (SELECT 1 FROM recorder LIMIT 1)`,
);

/** Inputs: list of ids, number. Those of them that were stored behind that row. */
const tasksBehindRow = statement<[id: string]>(
  'tasks_behind_row',
  (dialect) => `SELECT id FROM tasks WHERE id ${dialect.oneOf('$1')} AND ${dialect.row} > $2`,
);

/** Input: list of ids. */
const knownTasks = statement<
  [id: string, queue: string, name: string, payload: string, key: string | null, state: TaskState]
>('known_tasks', (dialect) => `SELECT id, queue, name, payload, key, state FROM tasks WHERE id ${dialect.oneOf('$1')}`);

/** Input: list of ids. */
const queuesOfTasks = statement<[id: string, queue: string]>(
  'queues_of_tasks',
  (dialect) => `SELECT id, queue FROM tasks WHERE id ${dialect.oneOf('$1')}`,
);

/** Inputs: now, retention end, task. Only a waiting task is replaced. */
const replaceTasks = eachStatement(
  'replace_tasks',
  { now: 'bigint', pruneAt: 'bigint', id: 'text' },
  (value, from, dialect) =>
    `UPDATE tasks SET state = 'cancelled', reason = 'replaced', version = version + 1, finished_at = ${value.now}, prune_at = ${value.pruneAt},
     check_at = NULL, judge_token = NULL, judge_until = NULL ${from} WHERE id ${dialect.keyed(value.id)}`,
);

export type Known = Pick<NewTask, 'queue' | 'name' | 'payload' | 'key'> & { readonly state: TaskState };

/** A task on its way into the store. */
export interface Arrival {
  readonly task: NewTask & { readonly hasChildren?: boolean };
  readonly state: TaskState;
  readonly dueAt: number;
  /** The waiting holder of its key whose place it takes. */
  readonly replaces: string | null;
  /** Whether a parent has failed already: it needs a verdict at once. */
  readonly isDoomed?: boolean;
}

/** What a batch comes to, before anything of it is stored. */
export interface Played {
  readonly results: EnqueueResult[];
  /** By id, in order. */
  readonly arrivals: ReadonlyMap<string, Arrival>;
  /** The waiting holders of keys, those among the arrivals too. */
  readonly waiting: Map<string, WaitingHolder>;
}

/**
 * With keys each task depends on those before it, and a repetition must not move its group; so everything is read first
 * and the batch is played through.
 * `isUnwanted`: whether it is cancelled as it arrives, and so lets go of its key.
 */
export async function play(
  step: Step,
  tasks: readonly NewTask[],
  isUnwanted: (task: NewTask) => boolean = () => false,
): Promise<Played> {
  const keys = tasks.flatMap(({ key }) => key ?? []);
  const isOld = await step.tx.hold('keys', keys, 'alone');
  const known: Map<string, Known> = await readKnown(step, tasks);
  let holders = await readHolders(step, keys);
  const waiting = await readWaitingHolders(step, [...holders.values()]);
  // Who was claimed, or has ended, while its row was waited for holds no key any more.
  if (isOld && holders.size > 0) holders = await readHolders(step, keys);
  const queues = await readQueues(step, tasks, { holders, waiting });
  const arrivals = new Map<string, Arrival>();
  const results = tasks.map((task): EnqueueResult => {
    const same = known.get(task.id);
    if (same !== undefined) return repetition(same, task);
    const of = task.key === null ? undefined : holders.get(task.key);
    const holder = of === undefined ? undefined : waiting.get(of);
    const refused = of === undefined ? null : refusal(task, of, { holder, queue: holder?.queue ?? queues.get(of) });
    if (refused !== null) return refused;
    const dueAt = dueAtOf(step, task);
    const arrival = arrive(
      step,
      task,
      holder !== undefined && task.ifExists === 'replace' ? Math.min(dueAt, holder.dueAt) : dueAt,
      of ?? null,
    );
    arrivals.set(task.id, arrival);
    const isGone = isUnwanted(task);
    known.set(task.id, { ...task, state: isGone ? 'cancelled' : arrival.state });
    if (task.key !== null && isGone) holders.delete(task.key);
    else if (task.key !== null) holders.set(task.key, task.id);
    waiting.set(task.id, { ...task, state: arrival.state, reason: null, attempt: 0, version: 1, dueAt: arrival.dueAt });
    if (of === undefined) return { outcome: 'created', taskId: task.id, state: arrival.state };
    const former = known.get(of);
    if (former !== undefined) known.set(of, { ...former, state: 'cancelled' });
    return { outcome: 'replaced', taskId: task.id, of, state: arrival.state };
  });
  return { results, arrivals, waiting };
}

/** Where the holders are that do not wait, by their ids, when a task of these reaches some queues only. */
async function readQueues(
  step: Step,
  tasks: readonly NewTask[],
  { holders, waiting }: { readonly holders: ReadonlyMap<string, string>; readonly waiting: Played['waiting'] },
): Promise<ReadonlyMap<string, string>> {
  if (tasks.every(({ reach }) => reach === undefined)) return new Map();
  const ids = [...holders.values()].filter((id) => !waiting.has(id));
  return ids.length === 0 ? new Map() : new Map(await step.tx.query(queuesOfTasks, idList(ids)));
}

interface Holding {
  /** When it waits. */
  readonly holder: WaitingHolder | undefined;
  /** When it is there. */
  readonly queue: string | undefined;
}

/** What a held key means: nothing is stored, unless the task may take the place of a holder that waits (`null`). */
function refusal(task: NewTask, of: string, { holder, queue }: Holding): EnqueueResult | null {
  const isUnreached = queue !== undefined && !reachesQueue(task.reach ?? null, queue);
  if (isUnreached || task.ifExists === 'error') return { outcome: 'conflict', taskId: task.id, of };
  if (task.ifExists === 'return' || holder === undefined) return { outcome: 'duplicate', taskId: task.id, of };
  return null;
}

export async function store(
  step: Step,
  arrivals: readonly Arrival[],
  waiting: ReadonlyMap<string, WaitingHolder>,
): Promise<void> {
  const stored = await insert(step, arrivals);
  // Somebody stored one of them since they were read: what was made of them is no longer so.
  if (stored.includes(false)) throw outdated;
  const replaced = arrivals.flatMap(({ replaces }) => (replaces === null ? [] : (waiting.get(replaces) ?? [])));
  await step.tx.each(
    replaceTasks,
    replaced.map(({ id, keepMs }) => [step.now, step.now + keepMs, id]),
  );
  for (const holder of replaced) {
    record(
      step,
      'replace',
      holder,
      holder,
      { state: 'cancelled', reason: 'replaced', attempt: holder.attempt },
      holder.version + 1,
    );
    step.ended.set(holder.id, 'cancelled');
  }
  // In order: the last task of a key in this batch is the one that waits under it.
  await takeKeys(
    step,
    arrivals.flatMap(({ task }) => (task.key === null ? [] : [[task.key, task.id, null] as const])),
  );
}

/** Answers for each whether it was stored: of several with one id, the first. */
export async function insert(step: Step, arrivals: readonly Arrival[]): Promise<readonly boolean[]> {
  const queued = arrivals.filter(({ task, state }) => task.group !== null && state === 'queued');
  if (queued.length > 0)
    await joinRounds(
      step,
      queued.map(({ task }) => task),
    );
  const last = step.tx.query(lastTask);
  let count = 0;
  let told: SqlValue[] | null = [];
  for (const run of runsOf(step, arrivals)) {
    const part = await step.tx.many(insertTasks, run.shared, run.rows);
    count += part.count;
    if (part.told === null) told = null;
    else told?.push(...part.told);
  }
  const [[lastRow, awaited, recorder] = [null, null, null]] = await last;
  // Whoever had it open before it became one would be told of tasks that nobody runs.
  if (recorder !== null) throw recordRefusal();
  const stored =
    count === arrivals.length
      ? arrivals.map(() => true)
      : await findStored(step, arrivals, { told, last: lastRow ?? 0 });
  const added = count === arrivals.length ? arrivals : arrivals.filter((_arrival, index) => stored[index] === true);
  recordAdded(step, added);
  if (awaited !== null)
    await meetParents(
      step,
      added.map(({ task }) => task.id),
    );
  return stored;
}

function recordAdded(step: Step, arrivals: readonly Arrival[]): void {
  let stand: Stand | undefined;
  for (const { task, state, dueAt, isDoomed } of arrivals) {
    if (isDoomed === true) step.overdue = true;
    if (state === 'scheduled') noteDue(step, dueAt);
    if (stand?.state !== state) stand = { state, reason: null, attempt: 0 };
    record(step, 'enqueue', task, null, stand, 1);
  }
}

/** Some ids were there already, which is rare. Where nobody tells, those that were not have an address behind the last one before. */
async function findStored(
  step: Step,
  arrivals: readonly Arrival[],
  { told, last }: { readonly told: readonly SqlValue[] | null; readonly last: RowAddress },
): Promise<readonly boolean[]> {
  const ids = idList(arrivals.map(({ task }) => task.id));
  const fresh = new Set(told ?? (await step.tx.query(tasksBehindRow, ids, last)).map(([id]) => id));
  return arrivals.map(({ task }) => fresh.delete(task.id));
}

interface Run {
  readonly shared: SqlRow;
  readonly rows: SqlRow[];
}

/** Stretches of arrivals that differ in nothing but their own values: a bulk enqueue is one of them. */
function runsOf(step: Step, arrivals: readonly Arrival[]): readonly Run[] {
  const runs: Run[] = [];
  let last: Run | undefined;
  let before: Arrival | undefined;
  for (const arrival of arrivals) {
    if (last === undefined || before === undefined || !isLike(before, arrival)) {
      const shared = sharedOf(step, arrival);
      if (last === undefined || !isEqual(last.shared, shared)) {
        last = { shared, rows: [] };
        runs.push(last);
      }
    }
    before = arrival;
    last.rows.push([arrival.task.id, arrival.task.key, arrival.task.payload]);
  }
  return runs;
}

/** Whether they have in common what {@link sharedOf} is made of. `false` says nothing: then that is made, which costs ten times as much. */
function isLike(one: Arrival, other: Arrival): boolean {
  const [left, right] = [one.task, other.task];
  return (
    one.state === other.state &&
    one.dueAt === other.dueAt &&
    one.isDoomed === other.isDoomed &&
    left.queue === right.queue &&
    left.name === right.name &&
    left.priority === right.priority &&
    left.startWithinMs === right.startWithinMs &&
    left.expiresInMs === right.expiresInMs &&
    left.timeoutMs === right.timeoutMs &&
    left.keepMs === right.keepMs &&
    left.schemaVersion === right.schemaVersion &&
    left.policy === right.policy &&
    isPlain(left) &&
    isPlain(right)
  );
}

function isEqual(left: SqlRow, right: SqlRow): boolean {
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false;
  return true;
}

function sharedOf(step: Step, { task, state, dueAt, isDoomed }: Arrival): SqlRow {
  const startBy = task.startWithinMs === null ? null : dueAt + task.startWithinMs;
  const expiresAt = task.expiresInMs === null ? null : step.now + task.expiresInMs;
  return [
    task.queue,
    task.name,
    state,
    task.priority,
    step.now,
    dueAt,
    startBy,
    expiresAt,
    isDoomed === true ? step.now : checkAtOf(state, startBy, expiresAt),
    task.timeoutMs,
    task.keepMs,
    task.group,
    task.schemaVersion,
    encodeOptions(task),
    task.policy,
  ];
}

export async function readKnown(step: Step, tasks: readonly NewTask[]): Promise<Map<string, Known>> {
  const rows = await step.tx.query(knownTasks, idList(tasks.map(({ id }) => id)));
  return new Map(rows.map(([id, queue, name, payload, key, state]) => [id, { queue, name, payload, key, state }]));
}

export function repetition(known: Known | undefined, task: NewTask): EnqueueResult {
  return known !== undefined && hasSameBody(known, task) && reachesQueue(task.reach ?? null, known.queue)
    ? { outcome: 'existing', taskId: task.id, state: known.state }
    : { outcome: 'conflict', taskId: task.id, of: task.id };
}

export function arrive(step: Step, task: NewTask, dueAt: number, replaces: string | null): Arrival {
  return { task, dueAt, state: dueAt > step.now ? 'scheduled' : 'queued', replaces };
}

export function dueAtOf(step: Step, task: NewTask): number {
  return task.at === null ? step.now + task.delayMs : Math.max(task.at, step.now);
}

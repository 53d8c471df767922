/** fire: enqueues the tasks of schedules and moves them on, each at most once, in one step. */

import { checkLimitRules } from '../../core/limit-rules.ts';
import { checkFirings, type Firing, type FiringRecord, remember, type ScheduleRecord } from '../../core/schedule.ts';
import type { NewTask } from '../../core/task.ts';
import type { EnqueueResult, FireResult } from '../broker.ts';
import { eachStatement, statement } from './driver.ts';
import { enqueue } from './enqueue.ts';
import { refuseGroup, refuseLargeBatch, refuseLargePayloads } from './refuse.ts';
import { type ScheduleRow, scheduleColumns, toSchedule } from './schedule-rows.ts';
import type { Step } from './step.ts';

/** Input: list of names. Locks: the rows, in the order of their names, before those of tasks. */
const lockedSchedules = statement<ScheduleRow>(
  'locked_schedules',
  (dialect) =>
    `SELECT ${scheduleColumns} FROM schedules WHERE name ${dialect.oneOf('$1')} ORDER BY name${dialect.lock}`,
);

/** Input: list of ids. */
const unfinishedTasks = statement<[id: string]>(
  'unfinished_tasks',
  (dialect) => `SELECT id FROM tasks WHERE id ${dialect.oneOf('$1')} AND finished_at IS NULL`,
);

/** Inputs: next time, when it is due, last task, what is remembered, name. Locks: the row, which is locked already. */
const moveSchedules = eachStatement(
  'move_schedules',
  { nextAt: 'bigint', dueAt: 'bigint', lastTaskId: 'text', recent: 'text', name: 'text' },
  (
    value,
    from,
    dialect,
  ) => `UPDATE schedules SET next_at = ${value.nextAt}, due_at = ${value.dueAt}, last_task_id = ${value.lastTaskId},
    recent = ${value.recent} ${from} WHERE name ${dialect.keyed(value.name)}`,
);

/** A schedule during the call. */
interface Entry {
  schedule: ScheduleRecord;
  /** The last task, unless it has finished or is gone. */
  busy: string | null;
  changed: boolean;
}

/** A result that still knows the holder of the key, for the record. */
type Attempt = FireResult & { readonly holder?: string };

export async function fire(step: Step, firings: readonly Firing[]): Promise<readonly FireResult[]> {
  refuseAny(firings);
  const entries = await load(step, firings);
  const results: FireResult[] = [];
  for (const part of withoutRepeats(firings, ({ schedule }) => schedule))
    results.push(...(await firePart(step, part, entries)));
  const changed = [...entries.values()].filter((entry) => entry.changed).map(({ schedule }) => schedule);
  if (changed.length === 0) return results;
  step.fired = true;
  await step.tx.each(
    moveSchedules,
    changed.map(({ name, next, lastTaskId, recent }) => [
      next?.at ?? null,
      next?.dueAt ?? null,
      lastTaskId,
      JSON.stringify(recent),
      name,
    ]),
  );
  return results;
}

function refuseAny(firings: readonly Firing[]): void {
  const tasks = firings.flatMap((firing) => (firing.kind === 'skip' ? [] : [firing.task]));
  refuseLargeBatch(firings);
  refuseLargePayloads(tasks);
  tasks.forEach(refuseGroup);
  for (const task of tasks) checkLimitRules(task.limits);
  checkFirings(firings);
}

async function load(step: Step, firings: readonly Firing[]): Promise<Map<string, Entry>> {
  const names = JSON.stringify([...new Set(firings.map(({ schedule }) => schedule))]);
  const schedules = (await step.tx.query(lockedSchedules, names)).map(toSchedule);
  const lastTaskIds = schedules.flatMap(({ lastTaskId }) => lastTaskId ?? []);
  const unfinished = lastTaskIds.length === 0 ? [] : await step.tx.query(unfinishedTasks, JSON.stringify(lastTaskIds));
  const busy = new Set(unfinished.map(([id]) => id));
  return new Map(
    schedules.map((schedule) => {
      const { name, lastTaskId } = schedule;
      return [
        name,
        { schedule, busy: lastTaskId !== null && busy.has(lastTaskId) ? lastTaskId : null, changed: false },
      ];
    }),
  );
}

/** Parts in which no name comes twice: what is done to a schedule is known before the next thing is done to the same one. */
export function* withoutRepeats<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
): Generator<readonly Item[]> {
  let part: Item[] = [];
  let names = new Set<string>();
  for (const item of items) {
    if (names.has(nameOf(item))) {
      yield part;
      part = [];
      names = new Set();
    }
    part.push(item);
    names.add(nameOf(item));
  }
  if (part.length > 0) yield part;
}

async function firePart(
  step: Step,
  part: readonly Firing[],
  entries: ReadonlyMap<string, Entry>,
): Promise<readonly FireResult[]> {
  const decided = part.map((firing) => decide(firing, entries.get(firing.schedule)));
  const tasks = part.flatMap((firing, index) => (decided[index] === null && 'task' in firing ? [firing.task] : []));
  const stored = tasks.length === 0 ? [] : await enqueue(step, tasks);
  const enqueued = new Map<NewTask, EnqueueResult | undefined>(tasks.map((task, index) => [task, stored[index]]));
  return part.map((firing, index) => {
    const result = decided[index] ?? enqueuedAs('task' in firing ? enqueued.get(firing.task) : undefined);
    const entry = entries.get(firing.schedule);
    if (entry !== undefined) note(step, entry, firing, result);
    const { holder: _holder, ...answer } = result;
    return answer;
  });
}

/** What is known before anything is enqueued; `null`: its task is to be enqueued. */
function decide(firing: Firing, entry: Entry | undefined): Attempt | null {
  if (entry === undefined) return { outcome: 'unknown' };
  if (firing.kind === 'ask') return null;
  const { version, next, pause } = entry.schedule;
  if (version !== firing.version || next?.at !== firing.at) return { outcome: 'moved' };
  if (pause !== null) return { outcome: 'skipped', reason: 'paused' };
  if (firing.kind === 'skip') return { outcome: 'skipped', reason: 'missed' };
  return firing.alone && entry.busy !== null ? { outcome: 'overlapping', of: entry.busy } : null;
}

function enqueuedAs(result: EnqueueResult | undefined): Attempt {
  if (result === undefined) throw new Error('Invariant broken: a firing that is not decided has enqueued its task');
  const { outcome, taskId } = result;
  if (outcome === 'created' || outcome === 'replaced') return { outcome: 'fired', taskId, created: true };
  const holder = 'of' in result ? result.of : taskId;
  // The id is that of the time: whoever has it was fired for it.
  if (holder === taskId) return { outcome: 'fired', taskId, created: false };
  return { outcome: 'skipped', reason: 'key', holder };
}

/** Takes the result down in the entry of its schedule. */
function note(step: Step, entry: Entry, firing: Firing, result: Attempt): void {
  if (result.outcome === 'moved' || result.outcome === 'unknown') return;
  const isAsked = firing.kind === 'ask';
  if (isAsked && result.outcome === 'fired' && !result.created) return;
  const { schedule } = entry;
  entry.changed = true;
  if (result.outcome === 'fired') entry.busy = result.taskId;
  entry.schedule = {
    ...schedule,
    next: isAsked ? schedule.next : firing.next,
    lastTaskId: result.outcome === 'fired' ? result.taskId : schedule.lastTaskId,
    recent: remember(schedule.recent, recordOf(step, firing, result)),
  };
}

function recordOf(step: Step, firing: Firing, result: Attempt): FiringRecord {
  const isSkip = firing.kind === 'skip';
  return {
    at: firing.at,
    until: isSkip ? firing.until : null,
    count: isSkip ? firing.count : 1,
    skipped: result.outcome === 'overlapping' ? 'overlap' : result.outcome === 'skipped' ? result.reason : null,
    taskId: taskIdOf(result),
    asked: firing.kind === 'ask',
    recordedAt: step.now,
  };
}

function taskIdOf(result: Attempt): string | null {
  if (result.outcome === 'fired') return result.taskId;
  return result.outcome === 'overlapping' ? result.of : (result.holder ?? null);
}

/** Schedules: put, pause, fire and read. Which firings are due is said by the core; here each is done at most once. */

import { checkLimitRules } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import {
  checkFirings,
  type Firing,
  type FiringRecord,
  hasSameTimes,
  type NewSchedule,
  remember,
  type ScheduleRecord,
} from '../../core/schedule.ts';
import { isFinished } from '../../core/states.ts';
import type { DueSchedules, FireResult, PutResult, Schedules } from '../broker.ts';
import { enqueueOne } from './arrive.ts';
import { refuseGroup, refuseLargeBatch } from './refuse.ts';
import type { Step } from './step.ts';

/** The schedules of a broker; `run` makes one atomic step. */
export function createSchedules(run: <Answer>(call: (step: Step) => Answer) => Promise<Answer>): Schedules {
  return {
    put: (schedules) => run((step) => put(step, schedules)),
    restore: (schedules) => run((step) => restore(step, schedules)),
    delete: (names) => run((step) => deleteSchedules(step, names)),
    pause: (names, pause) => run((step) => pauseSchedules(step, names, pause)),
    fire: (firings) => run((step) => fire(step, firings)),
    due: (limit) => run((step) => due(step, limit)),
    get: (names) => run((step) => get(step, names)),
    list: (after, limit) => run((step) => list(step, after, limit)),
  };
}

function put(step: Step, schedules: readonly NewSchedule[]): readonly PutResult[] {
  refuseLargeBatch(
    schedules,
    schedules.map(({ definition }) => definition),
  );
  return schedules.map((schedule) => putOne(step, schedule));
}

function putOne(step: Step, { name, definition, next }: NewSchedule): PutResult {
  const known = step.state.schedules.get(name);
  if (known?.definition === definition) return 'unchanged';
  step.configured = true;
  const keepsNext = known !== undefined && hasSameTimes(known.definition, definition);
  step.state.schedules.set(name, {
    name,
    definition,
    next: keepsNext ? known.next : next,
    version: (known?.version ?? 0) + 1,
    pause: known?.pause ?? null,
    lastTaskId: known?.lastTaskId ?? null,
    createdAt: known?.createdAt ?? step.now,
    changedAt: step.now,
    recent: known?.recent ?? [],
  });
  return known === undefined ? 'created' : 'changed';
}

function restore(step: Step, schedules: readonly ScheduleRecord[]): number {
  refuseLargeBatch(
    schedules,
    schedules.map(({ definition }) => definition),
  );
  let count = 0;
  for (const schedule of schedules) {
    if (step.state.schedules.has(schedule.name)) continue;
    step.state.schedules.set(schedule.name, schedule);
    step.configured = true;
    count += 1;
  }
  return count;
}

function deleteSchedules(step: Step, names: readonly string[]): readonly boolean[] {
  refuseLargeBatch(names);
  return names.map((name) => {
    const wasThere = step.state.schedules.delete(name);
    if (wasThere) step.configured = true;
    return wasThere;
  });
}

function pauseSchedules(
  step: Step,
  names: readonly string[],
  pause: Parameters<Schedules['pause']>[1],
): readonly boolean[] {
  refuseLargeBatch(names);
  return names.map((name) => {
    const known = step.state.schedules.get(name);
    if (known === undefined) return false;
    step.configured = true;
    const next = pause && { by: pause.by, reason: pause.reason, at: step.now };
    step.state.schedules.set(name, { ...known, pause: next });
    return true;
  });
}

function fire(step: Step, firings: readonly Firing[]): readonly FireResult[] {
  const tasks = firings.flatMap((firing) => (firing.kind === 'skip' ? [] : [firing.task]));
  refuseLargeBatch(
    firings,
    tasks.map(({ payload }) => payload),
  );
  tasks.forEach(refuseGroup);
  for (const task of tasks) checkLimitRules(task.limits);
  checkFirings(firings);
  // Looked at once, before anything is fired: a task fired in this call counts as unfinished.
  const busy = new Map(firings.map(({ schedule }) => [schedule, unfinishedOf(step, schedule)]));
  return firings.map((firing) => fireOne(step, firing, busy));
}

/** The last task of a schedule, unless it has finished or is gone. */
function unfinishedOf({ state }: Step, name: string): string | null {
  const taskId = state.schedules.get(name)?.lastTaskId ?? null;
  const task = taskId === null ? undefined : state.rows.get(taskId)?.task;
  return task === undefined || isFinished(task.state) ? null : task.id;
}

function fireOne(step: Step, firing: Firing, busy: Map<string, string | null>): FireResult {
  const schedule = step.state.schedules.get(firing.schedule);
  if (schedule === undefined) return { outcome: 'unknown' };
  const isAsked = firing.kind === 'ask';
  if (!isAsked && (schedule.version !== firing.version || schedule.next?.at !== firing.at)) return { outcome: 'moved' };
  const result = attempt(step, schedule, firing, busy);
  const isRepetition = isAsked && result.outcome === 'fired' && !result.created;
  if (isRepetition) return result;
  step.fired = true;
  if (result.outcome === 'fired') busy.set(firing.schedule, result.taskId);
  step.state.schedules.set(schedule.name, {
    ...schedule,
    next: isAsked ? schedule.next : firing.next,
    lastTaskId: result.outcome === 'fired' ? result.taskId : schedule.lastTaskId,
    recent: remember(schedule.recent, recordOf(step, firing, result)),
  });
  return withoutHolder(result);
}

/** A result that still knows the holder of the key, for the record. */
type Attempt = FireResult & { readonly holder?: string };

function attempt(step: Step, schedule: ScheduleRecord, firing: Firing, busy: Map<string, string | null>): Attempt {
  if (schedule.pause !== null && firing.kind !== 'ask') return { outcome: 'skipped', reason: 'paused' };
  if (firing.kind === 'skip') return { outcome: 'skipped', reason: 'missed' };
  const of = busy.get(firing.schedule) ?? null;
  if (firing.kind === 'fire' && firing.alone && of !== null) return { outcome: 'overlapping', of };
  const { outcome, taskId, ...rest } = enqueueOne(step, firing.task);
  if (outcome === 'created' || outcome === 'replaced') return { outcome: 'fired', taskId, created: true };
  const holder = 'of' in rest ? rest.of : taskId;
  // The id is that of the time: whoever has it was fired for it.
  if (holder === taskId) return { outcome: 'fired', taskId, created: false };
  return { outcome: 'skipped', reason: 'key', holder };
}

function withoutHolder({ holder: _holder, ...result }: Attempt): FireResult {
  return result;
}

function recordOf(step: Step, firing: Firing, result: Attempt): FiringRecord {
  return {
    at: firing.at,
    until: firing.kind === 'skip' ? firing.until : null,
    count: firing.kind === 'skip' ? firing.count : 1,
    skipped: result.outcome === 'overlapping' ? 'overlap' : result.outcome === 'skipped' ? result.reason : null,
    taskId:
      result.outcome === 'fired'
        ? result.taskId
        : result.outcome === 'overlapping'
          ? result.of
          : (result.holder ?? null),
    asked: firing.kind === 'ask',
    recordedAt: step.now,
  };
}

function due(step: Step, limit: number): DueSchedules {
  const waiting = [...step.state.schedules.values()]
    .flatMap((schedule) => (schedule.next === null ? [] : [{ schedule, dueAt: schedule.next.dueAt }]))
    .sort((left, right) => left.dueAt - right.dueAt || (left.schedule.name < right.schedule.name ? -1 : 1));
  const isDue = waiting.filter(({ dueAt }) => dueAt <= step.now).slice(0, Math.min(limit, limits.batchMax));
  return {
    now: step.now,
    schedules: isDue.map(({ schedule }) => schedule),
    nextDueAt: waiting[isDue.length]?.dueAt ?? null,
  };
}

function get(step: Step, names: readonly string[]): readonly (ScheduleRecord | null)[] {
  refuseLargeBatch(names);
  return names.map((name) => step.state.schedules.get(name) ?? null);
}

function list(step: Step, after: string | null, limit: number): readonly ScheduleRecord[] {
  return [...step.state.schedules.values()]
    .filter(({ name }) => after === null || name > after)
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .slice(0, Math.min(limit, limits.batchMax));
}

/** Schedules: put, pause and read. Firing them is in fire.ts. */

import { limits } from '../../core/limits.ts';
import { hasSameTimes, type NewSchedule, type ScheduleRecord } from '../../core/schedule.ts';
import type { DueSchedules, PutResult, Schedules } from '../broker.ts';
import { eachStatement, type SqlTransaction, statement } from './driver.ts';
import { fire, withoutRepeats } from './fire.ts';
import { refuseLargeBatch, refuseLargePayloads } from './refuse.ts';
import { type ScheduleRow, scheduleColumns, scheduleTypes, toSchedule, toScheduleRow } from './schedule-rows.ts';
import type { Step } from './step.ts';

/** Input: list of names. */
const schedulesByName = statement<ScheduleRow>(
  'schedules_by_name',
  (dialect) => `SELECT ${scheduleColumns} FROM schedules WHERE name ${dialect.oneOf('$1')}`,
);

/** Inputs: name that comes before, limit. */
const schedulesAfter = statement<ScheduleRow>(
  'schedules_after',
  () => `SELECT ${scheduleColumns} FROM schedules WHERE name > $1 ORDER BY name LIMIT $2`,
);

/** Inputs: limit. The earliest first, whether they are due or not. */
const schedulesByDue = statement<ScheduleRow>(
  'schedules_by_due',
  () => `SELECT ${scheduleColumns} FROM schedules WHERE due_at IS NOT NULL ORDER BY due_at, name LIMIT $1`,
);

/** Inputs: when the earliest are due. Most looks find nothing that is: then this one row is all they read. */
const earliestDue = statement<[dueAt: number]>(
  'earliest_due',
  () => 'SELECT due_at FROM schedules WHERE due_at IS NOT NULL ORDER BY due_at, name LIMIT 1',
);

/** Input: list of names. Locks: the rows. */
const lockedDefinitions = statement<[name: string, definition: string, nextAt: number | null, dueAt: number | null]>(
  'locked_definitions',
  (dialect) =>
    `SELECT name, definition, next_at, due_at FROM schedules WHERE name ${dialect.oneOf('$1')} ORDER BY name${dialect.lock}`,
);

/** Inputs: name, definition, next time, when it is due, now. Locks: the row. What is paused stays so. */
const putSchedules = eachStatement(
  'put_schedules',
  { name: 'text', definition: 'text', nextAt: 'bigint', dueAt: 'bigint', now: 'bigint' },
  (value, from) => `INSERT INTO schedules (name, version, definition, next_at, due_at, created_at, changed_at, recent)
    SELECT ${value.name}, 1, ${value.definition}, ${value.nextAt}, ${value.dueAt}, ${value.now}, ${value.now}, '[]' ${from} WHERE true
    ON CONFLICT (name) DO UPDATE SET version = schedules.version + 1, definition = excluded.definition, next_at = excluded.next_at,
      due_at = excluded.due_at, changed_at = excluded.changed_at`,
);

/** Inputs: a schedule. A known one stays. */
const restoreSchedules = eachStatement(
  'restore_schedules',
  scheduleTypes,
  (value, from) => `INSERT INTO schedules (${Object.keys(scheduleTypes).join(', ')})
    SELECT ${Object.values(value).join(', ')} ${from} WHERE true ON CONFLICT (name) DO NOTHING`,
  { name: 'name' },
);

/** Input: list of names. Locks: the rows. */
const deleteNamed = statement<[name: string]>(
  'delete_schedules',
  (dialect) => `DELETE FROM schedules WHERE name ${dialect.oneOf('$1')} RETURNING name`,
);

/** Inputs: when, by whom, why, name. Locks: the row. */
const pauseNamed = eachStatement(
  'pause_schedules',
  { at: 'bigint', by: 'text', reason: 'text', name: 'text' },
  (value, from, dialect) =>
    `UPDATE schedules SET paused_at = ${value.at}, paused_by = ${value.by}, pause_reason = ${value.reason} ${from} WHERE name ${dialect.keyed(value.name)}`,
);

type Change = <Answer>(call: (step: Step) => Promise<Answer>) => Promise<Answer>;
type Read = <Answer>(call: (tx: SqlTransaction) => Promise<Answer>) => Promise<Answer>;

/** The schedules of a broker, over its way to change and to read. */
export function createSchedules(
  change: Change,
  read: Read,
  readNow: (tx: SqlTransaction) => Promise<number>,
): Schedules {
  return {
    put: (schedules) => change((step) => put(step, schedules)),
    restore: (schedules) => change((step) => restore(step, schedules)),
    delete: (names) => change((step) => deleteSchedules(step, names)),
    pause: (names, pause) => change((step) => pauseSchedules(step, names, pause)),
    fire: (firings) => change((step) => fire(step, firings)),
    due: (limit) => read(async (tx) => due(tx, limit, await readNow(tx))),
    get: (names) => read((tx) => get(tx, names)),
    list: (after, limit) => read((tx) => list(tx, after, limit)),
  };
}

async function put(step: Step, schedules: readonly NewSchedule[]): Promise<readonly PutResult[]> {
  refuseLargeBatch(schedules);
  refuseLargePayloads(schedules.map(({ definition }) => ({ payload: definition })));
  const names = JSON.stringify(schedules.map(({ name }) => name));
  await step.tx.hold('schedules', [''], 'alone');
  const known = new Map<string, NewSchedule>();
  for (const [name, definition, at, dueAt] of await step.tx.query(lockedDefinitions, names))
    known.set(name, { name, definition, next: at === null || dueAt === null ? null : { at, dueAt } });
  const changed: NewSchedule[] = [];
  const results = schedules.map((schedule): PutResult => {
    const former = known.get(schedule.name);
    if (former?.definition === schedule.definition) return 'unchanged';
    const keepsNext = former !== undefined && hasSameTimes(former.definition, schedule.definition);
    const stored = keepsNext ? { ...schedule, next: former.next } : schedule;
    known.set(schedule.name, stored);
    changed.push(stored);
    return former === undefined ? 'created' : 'changed';
  });
  if (changed.length === 0) return results;
  step.configured = true;
  for (const part of withoutRepeats(changed, ({ name }) => name)) {
    await step.tx.each(
      putSchedules,
      part.map(({ name, definition, next }) => [name, definition, next?.at ?? null, next?.dueAt ?? null, step.now]),
    );
  }
  return results;
}

async function restore(step: Step, schedules: readonly ScheduleRecord[]): Promise<number> {
  refuseLargeBatch(schedules);
  refuseLargePayloads(schedules.map(({ definition }) => ({ payload: definition })));
  await step.tx.hold('schedules', [''], 'alone');
  let count = 0;
  for (const part of withoutRepeats(schedules, ({ name }) => name)) {
    const isNew = await step.tx.each(restoreSchedules, part.map(toScheduleRow));
    count += isNew.filter((each) => each).length;
  }
  if (count > 0) step.configured = true;
  return count;
}

async function deleteSchedules(step: Step, names: readonly string[]): Promise<readonly boolean[]> {
  refuseLargeBatch(names);
  const deleted = new Set((await step.tx.query(deleteNamed, JSON.stringify(names))).map(([name]) => name));
  if (deleted.size > 0) step.configured = true;
  return names.map((name) => deleted.delete(name));
}

async function pauseSchedules(
  step: Step,
  names: readonly string[],
  pause: Parameters<Schedules['pause']>[1],
): Promise<readonly boolean[]> {
  refuseLargeBatch(names);
  const distinct = [...new Set(names)];
  const paused = await step.tx.each(
    pauseNamed,
    distinct.map((name) => [pause && step.now, pause?.by ?? null, pause?.reason ?? null, name]),
  );
  const found = new Set(distinct.filter((_name, index) => paused[index] === true));
  if (found.size > 0) step.configured = true;
  return names.map((name) => found.has(name));
}

async function due(tx: SqlTransaction, limit: number, now: number): Promise<DueSchedules> {
  const max = Math.min(limit, limits.batchMax);
  const [earliest] = await tx.query(earliestDue);
  if (earliest === undefined || earliest[0] > now) return { now, schedules: [], nextDueAt: earliest?.[0] ?? null };
  const rows = (await tx.query(schedulesByDue, max + 1)).map(toSchedule);
  const isDue = rows.slice(0, max).filter(({ next }) => next !== null && next.dueAt <= now);
  return { now, schedules: isDue, nextDueAt: rows[isDue.length]?.next?.dueAt ?? null };
}

async function get(tx: SqlTransaction, names: readonly string[]): Promise<readonly (ScheduleRecord | null)[]> {
  refuseLargeBatch(names);
  const rows = await tx.query(schedulesByName, JSON.stringify(names));
  const known = new Map(rows.map((row) => [row[0], toSchedule(row)]));
  return names.map((name) => known.get(name) ?? null);
}

async function list(tx: SqlTransaction, after: string | null, limit: number): Promise<readonly ScheduleRecord[]> {
  // No name is empty, so the empty one comes before all of them.
  const rows = await tx.query(schedulesAfter, after ?? '', Math.min(limit, limits.batchMax));
  return rows.map(toSchedule);
}

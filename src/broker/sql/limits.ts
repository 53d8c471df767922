/** Limits: who holds their slots, when they have tokens, what is configured. Tasks without limits never come here. */

import type { Pause } from '../../core/facts.ts';
import { inForce, type LimitSettings, noSettings, queueLimitName, takeToken, tokenAt } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import type { LimitRule, Task } from '../../core/task.ts';
import type { LimitRecord, Settings } from '../broker.ts';
import { eachStatement, manyStatement, type SqlTransaction, statement } from './driver.ts';
import type { Step } from './step.ts';

type LimitRow = [
  name: string,
  max: number | null,
  rateCount: number | null,
  ratePerMs: number | null,
  tatUs: number,
  missed: number,
  pausedAt: number | null,
  pausedBy: string | null,
  pauseReason: string | null,
];

const limitColumns = 'name, max, rate_count, rate_per_ms, tat, missed, paused_at, paused_by, pause_reason';

/** Input: list of names. Locks: the rows, in the order of their names, so that two claims do not wait for each other. */
const lockedLimits = statement<LimitRow>(
  'locked_limits',
  (dialect) => `SELECT ${limitColumns} FROM limits
    WHERE name ${dialect.oneOf('$1')} ORDER BY name${dialect.lock}`,
);

/** Input: list of names. The same for reading. */
const limitsByName = statement<LimitRow>(
  'limits_by_name',
  (dialect) => `SELECT ${limitColumns} FROM limits WHERE name ${dialect.oneOf('$1')}`,
);

/** Input: name. The row is there to be locked. */
const noteLimits = eachStatement(
  'note_limits',
  { name: 'text' },
  (value, from) =>
    `INSERT INTO limits (name, tat, missed) SELECT ${value.name}, 0, 0 ${from} WHERE true ON CONFLICT (name) DO NOTHING`,
);

/**
 * Inputs: list of names, most that are counted. A statement of its own after the lock: only then does it see what those
 * before have taken.
 */
const heldSlots = statement<[name: string, held: number]>(
  'held_slots',
  (
    dialect,
  ) => `SELECT name, (SELECT count(*) FROM (SELECT 1 FROM slots WHERE slots.name = limits.name LIMIT $2) AS held)
    FROM limits WHERE name ${dialect.oneOf('$1')}`,
);

/** Inputs: name, task. Locks: none beyond the new row. */
const takeSlots = manyStatement(
  'take_slots',
  {},
  { name: 'text', taskId: 'text' },
  (value, from) =>
    `INSERT INTO slots (name, task_id) SELECT ${value.name}, ${value.taskId} ${from} WHERE true ON CONFLICT (name, task_id) DO NOTHING`,
);

/** Inputs: name, task. */
const leaveHeldSlots = manyStatement('leave_slots', {}, { name: 'text', taskId: 'text' }, (value, from, dialect) =>
  // SQLite joins nothing to what it deletes.
  dialect.name === 'sqlite'
    ? `DELETE FROM slots WHERE (name, task_id) IN (SELECT ${value.name}, ${value.taskId} ${from})`
    : `DELETE FROM slots ${from.replace('FROM', 'USING')} WHERE ${dialect.keyedPair(['name', 'task_id'], [value.name, value.taskId])}`,
);

/** Inputs: when all tokens are back, name. Locks: the row. */
const spendTokens = eachStatement(
  'spend_tokens',
  { tatUs: 'bigint', name: 'text' },
  (value, from, dialect) => `UPDATE limits SET tat = ${value.tatUs} ${from} WHERE name ${dialect.keyed(value.name)}`,
);

/** Input: list of names. Locks: the rows. */
const missLimits = statement(
  'miss_limits',
  (dialect) => `UPDATE limits SET missed = 1 WHERE name ${dialect.oneOf('$1')} AND missed = 0`,
);

/** Input: list of names. Answers those that somebody waits for. Locks: the rows. */
const offerLimits = statement<[name: string]>(
  'offer_limits',
  (dialect) => `UPDATE limits SET missed = 0 WHERE name ${dialect.oneOf('$1')} AND missed = 1 RETURNING name`,
);

/** What is known of a limit during a claim. */
interface Entry {
  readonly settings: LimitSettings;
  readonly pause: Pause | null;
  /** `null` until it is asked for: only a maximum needs it. Those taken in this claim are in it. */
  held: number | null;
  taken: number;
  tatUs: number;
  spent: boolean;
}

/** What decides which tasks a claim may take. */
export interface Gate {
  /** Names of limits found full: they stay closed for the rest of the claim. */
  readonly closed: ReadonlySet<string>;
  /** Reads and locks what the rules need; before their tasks are asked about. */
  load(rules: readonly LimitRule[]): Promise<void>;
  /** Whether a task with these rules may be taken. */
  admits(rules: readonly LimitRule[]): boolean;
  /** Takes slots and tokens, for the gate's own reckoning. */
  take(rules: readonly LimitRule[]): void;
  /** Stores tokens, the slots of the tasks that were claimed, and which limits were missed. */
  store(claimed: readonly Pick<Task, 'id' | 'limits'>[]): Promise<void>;
}

/** Where everything may pass: nothing is asked, and nothing stored. */
export const openGate: Gate = {
  closed: new Set(),
  load: async () => {},
  admits: () => true,
  take: () => {},
  store: async () => {},
};

/** Reads what is known of limits by their names. */
type ReadLimits = (step: Step, names: readonly string[]) => Promise<ReadonlyMap<string, Entry>>;

/** `read` is {@link lookAtLimits} for who will not store anything. */
export function createGate(step: Step, read: ReadLimits = lockLimits): Gate {
  const entries = new Map<string, Entry>();
  const closed = new Set<string>();
  const missed = new Set<string>();

  const entryOf = (name: string): Entry => {
    const entry = entries.get(name);
    if (entry === undefined) throw new Error(`Invariant broken: limit ${name} is loaded before it is asked about`);
    return entry;
  };

  const isFull = (rule: LimitRule): boolean => {
    const { settings, held } = entryOf(rule.name);
    const { max } = inForce(rule, settings);
    return max !== null && (held ?? 0) >= max;
  };

  const isSpent = (rule: LimitRule): boolean => {
    const { settings, tatUs } = entryOf(rule.name);
    const { rate } = inForce(rule, settings);
    return rate !== null && tokenAt(tatUs, rate) > step.now;
  };

  return {
    closed,
    load: (rules) => load(step, entries, rules, read),
    admits: (rules) => {
      if (rules.some(({ name }) => closed.has(name))) return false;
      for (const rule of rules) {
        if (isFull(rule)) missed.add(rule.name);
        if (isFull(rule) || isSpent(rule) || entryOf(rule.name).pause !== null) closed.add(rule.name);
      }
      return !rules.some(({ name }) => closed.has(name));
    },
    take: (rules) => {
      for (const rule of rules) {
        const entry = entryOf(rule.name);
        entry.taken += 1;
        if (entry.held !== null) entry.held += 1;
        const { rate } = inForce(rule, entry.settings);
        if (rate === null) continue;
        entry.tatUs = takeToken(entry.tatUs, rate, step.now);
        entry.spent = true;
      }
    },
    store: async (claimed) => {
      await storeSlots(step, claimed);
      const tokens = [...entries].filter(([, { spent }]) => spent).map(([name, { tatUs }]) => [tatUs, name]);
      if (tokens.length > 0) await step.tx.each(spendTokens, tokens);
      for (const name of missed) step.freed.delete(name);
      if (missed.size > 0) await step.tx.query(missLimits, JSON.stringify([...missed]));
    },
  };
}

/** Adds the limits of the rules that are not known yet, and counts the slots where a maximum asks for it. */
async function load(
  step: Step,
  entries: Map<string, Entry>,
  rules: readonly LimitRule[],
  read: ReadLimits,
): Promise<void> {
  const unknown = new Set(rules.map(({ name }) => name).filter((name) => !entries.has(name)));
  for (const [name, entry] of await read(step, [...unknown])) entries.set(name, entry);
  const uncounted = new Map<string, Entry>();
  for (const rule of rules) {
    const entry = entries.get(rule.name);
    if (entry !== undefined && entry.held === null && inForce(rule, entry.settings).max !== null)
      uncounted.set(rule.name, entry);
  }
  if (uncounted.size === 0) return;
  const counted = await step.tx.query(heldSlots, JSON.stringify([...uncounted.keys()]), limits.limitSlotsMax);
  for (const [name, held] of counted) {
    const entry = uncounted.get(name);
    if (entry !== undefined) entry.held = held + entry.taken;
  }
}

async function lockLimits(step: Step, names: readonly string[]): Promise<Map<string, Entry>> {
  if (names.length === 0) return new Map();
  const rows = await step.tx.query(lockedLimits, JSON.stringify(names));
  const known = new Map(rows.map((row) => [row[0], entryOfRow(row)]));
  const fresh = names.filter((name) => !known.has(name)).sort();
  if (fresh.length === 0) return known;
  await step.tx.each(
    noteLimits,
    fresh.map((name) => [name]),
  );
  // Another transaction may have made the row, and taken from it, in the meantime.
  for (const row of await step.tx.query(lockedLimits, JSON.stringify(fresh))) known.set(row[0], entryOfRow(row));
  return known;
}

/** What is stored of a limit, and how many hold it. */
export type LookedLimit = readonly [...LimitRow, held: number];

/** For who has read them already, without a lock, and stores nothing: what is not among them nobody has used or configured. */
export function lookAtLimits(known: ReadonlyMap<string, LookedLimit>): ReadLimits {
  return async (_step, names) =>
    new Map(
      names.map((name) => {
        const row = known.get(name);
        if (row === undefined) return [name, { ...unusedEntry(), held: 0 }];
        return [name, { ...entryOfRow(row.slice(0, 9) as unknown as LimitRow), held: row[9] }];
      }),
    );
}

function unusedEntry(): Entry {
  return { settings: noSettings, pause: null, held: null, taken: 0, tatUs: 0, spent: false };
}

function entryOfRow(row: LimitRow): Entry {
  return { ...unusedEntry(), settings: settingsOf(row), pause: pauseOfRow(row[6], row[7], row[8]), tatUs: row[4] };
}

/** A pause as its three columns tell it. */
export function pauseOfRow(at: number | null, by: string | null, reason: string | null): Pause | null {
  return at === null || by === null ? null : { by, reason, at };
}

/** What is configured for the name. */
export async function readLimitSettings(tx: SqlTransaction, name: string): Promise<LimitSettings> {
  const [row] = await tx.query(limitsByName, JSON.stringify([name]));
  return row === undefined ? noSettings : settingsOf(row);
}

function settingsOf([, max, count, perMs]: LimitRow): LimitSettings {
  return { max, rate: count === null || perMs === null ? null : { count, perMs } };
}

/** Restored tasks that run take their slots, whether they are free or not. */
export async function restoreSlots(step: Step, running: readonly Pick<Task, 'id' | 'limits'>[]): Promise<void> {
  const names = new Set(running.flatMap(({ limits: rules }) => rules.map(({ name }) => name)));
  if (names.size === 0) return;
  await step.tx.each(
    noteLimits,
    [...names].sort().map((name) => [name]),
  );
  await storeSlots(step, running);
}

async function storeSlots(step: Step, running: readonly Pick<Task, 'id' | 'limits'>[]): Promise<void> {
  const slots = running.flatMap(({ id, limits: rules }) => rules.map(({ name }) => [name, id]));
  if (slots.length > 0) await step.tx.many(takeSlots, [], slots);
}

/** Frees the slots of runs that have ended; those that somebody waits for are signalled. */
export async function leaveSlots(step: Step, ended: readonly Pick<Task, 'id' | 'limits'>[]): Promise<void> {
  const slots = ended.flatMap(({ id, limits: rules }) => rules.map(({ name }) => [name, id]));
  if (slots.length === 0) return;
  await step.tx.many(leaveHeldSlots, [], slots);
  const names = JSON.stringify([...new Set(slots.map(([name]) => name))]);
  for (const [name] of await step.tx.query(offerLimits, names)) step.freed.add(name);
}

/** Inputs: name, maximum. Locks: the row. */
const setMax = statement('set_limit_max', () => 'UPDATE limits SET max = $2 WHERE name = $1');
/** Inputs: name, count, period. All tokens are back, unless the rate is as it was. Locks: the row. */
const setRate = statement(
  'set_limit_rate',
  () => `UPDATE limits SET rate_count = $2, rate_per_ms = $3, tat = 0
    WHERE name = $1 AND NOT (COALESCE(rate_count, 0) = COALESCE($2, 0) AND COALESCE(rate_per_ms, 0) = COALESCE($3, 0))`,
);

/** Inputs: name, when, by whom, why. Locks: the row. */
const pauseLimit = statement(
  'pause_limit',
  () => 'UPDATE limits SET paused_at = $2, paused_by = $3, pause_reason = $4 WHERE name = $1',
);

export async function configureLimit(step: Step, name: string, { max, rate, pause }: Settings): Promise<void> {
  await step.tx.each(noteLimits, [[name]]);
  if (max !== undefined) await step.tx.query(setMax, name, max);
  if (rate !== undefined) await step.tx.query(setRate, name, rate?.count ?? null, rate?.perMs ?? null);
  if (pause !== undefined)
    await step.tx.query(pauseLimit, name, pause && step.now, pause?.by ?? null, pause?.reason ?? null);
  step.freed.add(name);
}

/** Inputs: time in µs, limit. What only says that nothing was taken; a row that is locked is in use. */
const forgetLimits = statement(
  'forget_limits',
  (dialect) =>
    `DELETE FROM limits WHERE name ${dialect.oneFrom(`SELECT name FROM limits
    WHERE max IS NULL AND rate_count IS NULL AND paused_at IS NULL AND tat <= $1 AND (SELECT 1 FROM slots WHERE slots.name = limits.name LIMIT 1) IS NULL
    ORDER BY tat LIMIT $2${dialect.skipLocked}`)}`,
);

/** Removes the rows of limits that nobody configured and that hold nothing. */
export async function pruneLimits(step: Step): Promise<void> {
  await step.tx.query(forgetLimits, step.now * 1_000, limits.batchMax);
}

/** Inputs: name, limit, most that are counted. Those that are configured or held. Names of limits of queues come before all others. */
const limitsFrom = statement<[...LimitRow, held: number]>(
  'limits_from',
  () => `SELECT ${limitColumns}, (SELECT count(*) FROM (SELECT 1 FROM slots WHERE slots.name = limits.name LIMIT $3) AS counted)
    FROM limits WHERE name >= $1 AND (max IS NOT NULL OR rate_count IS NOT NULL OR paused_at IS NOT NULL
      OR EXISTS (SELECT 1 FROM slots WHERE slots.name = limits.name)) ORDER BY name LIMIT $2`,
);

export async function getLimits(
  tx: SqlTransaction,
  from: string | null,
  limit: number,
): Promise<readonly LimitRecord[]> {
  const rows = await tx.query(
    limitsFrom,
    from ?? lastQueueLimit,
    Math.min(limit, limits.pageMax),
    limits.limitSlotsMax,
  );
  return rows.map(([name, max, count, perMs, , , at, by, reason, held]) => ({
    name,
    max,
    rate: count === null || perMs === null ? null : { count, perMs },
    pause: pauseOfRow(at, by, reason),
    held,
  }));
}

/** Behind every name of a limit of a queue, before that of any other. */
const lastQueueLimit = queueLimitName('\u{10FFFF}'.repeat(2));

/** settle: ends leases as the verdicts say, each at most once, then claims the next tasks. */

import { heard } from '../../core/heard.ts';
import { rulesWithQueue } from '../../core/limit-rules.ts';
import { isFinished } from '../../core/states.ts';
import {
  type Charge,
  type LimitRule,
  leavesAttempt,
  type NewTask,
  type Settlement,
  type Verdict,
} from '../../core/task.ts';
import type { ClaimRequest, SettleAnswer, SettleResult } from '../broker.ts';
import { type EndedRun, storeAttempts, storeLogs } from './attempts.ts';
import type { RunNumbers } from './changes.ts';
import { claim, demanded } from './claim.ts';
import { endClaims } from './claims.ts';
import { eachStatement, type RowAddress, type SqlRow, type SqlTransaction, statement } from './driver.ts';
import { letGo } from './edges.ts';
import { spawn } from './enqueue.ts';
import { endKeys } from './keys.ts';
import { carriesLimits } from './lanes.ts';
import { leaveSlots } from './limits.ts';
import { readLimitedQueues } from './queue-limits.ts';
import { refuseLargeBatch } from './refuse.ts';
import { release } from './release.ts';
import { isPlainSuccess, outdated } from './remembered.ts';
import { carriesChildren, checkAtOf, decodeOptions, encodeJson } from './rows.ts';
import { readSettledRows, type SettledRow } from './settled-rows.ts';
import { type AskingCall, noteDue, record, type Step } from './step.ts';
import { type Arriving, joinRounds } from './turns.ts';

/** The end of a life. A lease ends, a key is freed by its own statement; who ran it last stays. */
const finishTasks = eachStatement(
  'finish_tasks',
  {
    state: 'text',
    reason: 'text',
    attempt: 'bigint',
    crashes: 'bigint',
    interruptions: 'bigint',
    snoozes: 'bigint',
    startedAt: 'bigint',
    finishedAt: 'bigint',
    pruneAt: 'bigint',
    token: 'text',
    startBy: 'bigint',
    progress: 'text',
    error: 'text',
    fingerprint: 'text',
    result: 'text',
    row: 'row',
  },
  (
    value,
    from,
    dialect,
  ) => `UPDATE tasks SET state = ${value.state}, reason = ${value.reason}, version = version + 1, attempt = ${value.attempt},
      crashes = crashes + ${value.crashes}, interruptions = interruptions + ${value.interruptions}, snoozes = snoozes + ${value.snoozes}, started_at = ${value.startedAt},
      finished_at = ${value.finishedAt}, prune_at = ${value.pruneAt}, settled_token = ${value.token}, start_by = ${value.startBy},
      progress = COALESCE(${value.progress}, progress), error = ${value.error}, fingerprint = ${value.fingerprint}, result = ${value.result},
      lease_until = NULL, token = NULL, judge_token = NULL, judge_until = NULL, check_at = NULL
    ${from} WHERE ${dialect.row} ${dialect.keyed(value.row)}`,
);

/**
 * The same for nearly every settlement: runs that succeeded under their lease and said nothing else, together where they
 * also began in one millisecond and have one result. Inputs: start, now, retention end, result, list of row numbers.
 */
const succeedTasks = statement(
  'succeed_tasks',
  (
    dialect,
  ) => `UPDATE ${dialect.orRollback}tasks SET state = 'succeeded', reason = NULL, version = version + 1, started_at = $1,
      finished_at = $2, prune_at = $3, settled_token = token, start_by = NULL, error = NULL, fingerprint = NULL, result = $4,
      lease_until = NULL, token = NULL, judge_token = NULL, judge_until = NULL, check_at = NULL
    WHERE ${dialect.row} ${dialect.oneOf('$5', 'row')}`,
);

/** Back to waiting: worker and lease end. */
const returnTasks = eachStatement(
  'return_tasks',
  {
    state: 'text',
    reason: 'text',
    attempt: 'bigint',
    crashes: 'bigint',
    interruptions: 'bigint',
    snoozes: 'bigint',
    startedAt: 'bigint',
    dueAt: 'bigint',
    token: 'text',
    startBy: 'bigint',
    checkAt: 'bigint',
    progress: 'text',
    error: 'text',
    fingerprint: 'text',
    row: 'row',
  },
  (
    value,
    from,
    dialect,
  ) => `UPDATE tasks SET state = ${value.state}, reason = ${value.reason}, version = version + 1, attempt = ${value.attempt},
      crashes = crashes + ${value.crashes}, interruptions = interruptions + ${value.interruptions}, snoozes = snoozes + ${value.snoozes}, started_at = ${value.startedAt},
      due_at = ${value.dueAt}, settled_token = ${value.token}, start_by = ${value.startBy}, check_at = ${value.checkAt},
      progress = COALESCE(${value.progress}, progress), error = ${value.error}, fingerprint = ${value.fingerprint},
      worker_id = NULL, claimed_at = NULL, lease_until = NULL, token = NULL, judge_token = NULL, judge_until = NULL, result = NULL
    ${from} WHERE ${dialect.row} ${dialect.keyed(value.row)}`,
);

/**
 * The same for tasks whose rows were not read. Further inputs: token, version. Changes none that somebody has changed since
 * it was claimed: a heartbeat and a judge leave the version alone, but the one stores the start, and the other does not matter.
 */
const succeedRemembered = statement(
  'succeed_remembered',
  (dialect) =>
    `${succeedTasks.text(dialect)} AND token = $6 AND version = $7 AND started_at IS NULL AND options IS NULL`,
);

/** The same for tasks with a group, limits and the like, as long as nobody waits for them. */
const succeedRememberedOptions = statement(
  'succeed_remembered_options',
  (dialect) =>
    `${succeedTasks.text(dialect)} AND token = $6 AND version = $7 AND started_at IS NULL AND options NOT LIKE '%"hasChildren":true%'`,
);

/** Rows that end in the same words. The token and version count where the rows were not read. */
interface Success {
  readonly startedAt: number | null;
  readonly pruneAt: number;
  readonly isRemembered: boolean;
  readonly hasOptions: boolean;
  readonly token: string | null;
  readonly version: number;
  readonly result: string | null;
  readonly rows: RowAddress[];
}

/** What ends together began in the same few milliseconds; results that all differ must not be compared with each other for ever. */
const groupLooksMax = 8;

/** What a batch of settlements writes, gathered before anything is written. */
interface Writes {
  readonly succeeded: Success[];
  readonly finished: SqlRow[];
  readonly returned: SqlRow[];
  readonly runs: EndedRun[];
  readonly ended: { readonly id: string; readonly key: string | null; readonly keepForMs: number | null }[];
  /** Running tasks that ended, by the token they ran under. */
  readonly leases: Map<string, number>;
  readonly logs: SqlRow[];
  /** Runs that ended and held slots. */
  readonly limitedQueues: ReadonlySet<string>;
  readonly limited: { readonly id: string; readonly limits: readonly LimitRule[] }[];
  /** Tasks that are queued again. */
  readonly queued: Arriving[];
  /** What the settlements that took effect as they were meant brought along. */
  readonly spawned: NewTask[];
  /** Blocked tasks that a judge lets go. */
  readonly letGo: string[];
}

type AskedLimits = Promise<ReadonlySet<string>>;

/** A settlement as a step of its own. */
export function settling(
  settlements: readonly Settlement[],
  claimNext?: ClaimRequest,
): AskingCall<SettleAnswer, AskedLimits> {
  return [askLimits, (step, limited) => settle(step, settlements, claimNext, limited)];
}

/** What a settlement asks first, whatever it settles. Limits are not changed before it has ended. */
function askLimits(tx: SqlTransaction): AskedLimits {
  void tx.hold('settings', [''], 'shared');
  return heard(readLimitedQueues({ tx }));
}

export async function settle(
  step: Step,
  settlements: readonly Settlement[],
  claimNext?: ClaimRequest,
  limited: AskedLimits = askLimits(step.tx),
): Promise<SettleAnswer> {
  refuseLargeBatch(settlements);
  const [rows, limitedQueues] = await Promise.all([readSettledRows(step, settlements), limited]);
  const writes: Writes = {
    succeeded: [],
    finished: [],
    returned: [],
    runs: [],
    ended: [],
    leases: new Map(),
    logs: [],
    limitedQueues,
    limited: [],
    queued: [],
    spawned: [],
    letGo: [],
  };
  const results = settlements.map((settlement) => settleOne(step, rows, settlement, writes));
  // Slots and turns are given back and taken under one lock: who held them and then asked for the lock would wait crosswise.
  if (claimNext !== undefined && (writes.limited.length > 0 || [...writes.queued, ...writes.spawned].some(hasGroup)))
    await step.tx.hold('queues', demanded(claimNext), 'alone');
  if (writes.queued.length > 0) await joinRounds(step, writes.queued);
  await Promise.all(writes.succeeded.map((success) => storeSuccess(step, success)));
  step.tx.sendEach(finishTasks, writes.finished);
  step.tx.sendEach(returnTasks, writes.returned);
  endClaims(step, writes.leases);
  if (writes.ended.length > 0) await endKeys(step, writes.ended);
  storeAttempts(step, writes.runs);
  storeLogs(step, writes.logs);
  if (writes.letGo.length > 0) await letGo(step, writes.letGo);
  if (writes.spawned.length > 0) await spawn(step, writes.spawned);
  if (step.ended.size > 0 || step.blocked.size > 0) await release(step);
  // Last: who waits for the lock of a limit waits for nothing else then.
  if (writes.limited.length > 0) await leaveSlots(step, writes.limited);
  return { results, claimed: claimNext === undefined ? [] : await claim(step, claimNext) };
}

function hasGroup({ group }: { readonly group: string | null }): boolean {
  return group !== null;
}

async function storeSuccess({ tx, now }: Step, success: Success): Promise<void> {
  const { startedAt, pruneAt, result, rows, token, version } = success;
  const values = [startedAt, now, pruneAt, result, JSON.stringify(rows)] as const;
  const remembered = success.hasOptions ? succeedRememberedOptions : succeedRemembered;
  if (!success.isRemembered) tx.send(succeedTasks, ...values);
  else if ((await tx.change(remembered, ...values, token, version)) !== rows.length) throw outdated;
}

function settleOne(step: Step, rows: Map<string, SettledRow>, settlement: Settlement, writes: Writes): SettleResult {
  const { taskId, token, epoch } = settlement.lease;
  const row = rows.get(taskId);
  if (row === undefined) return { outcome: 'unknown' };
  const isLease = row.token === token && row.epoch === epoch;
  const isJudge = row.judgeToken === token && row.epoch === epoch && !isFinished(row.state);
  if (!isLease && !isJudge) return { outcome: row.settledToken === token ? 'alreadyApplied' : 'stale' };
  const verdict = divert(row, settlement.verdict);
  const after = apply(step, row, settlement, verdict, writes);
  if (verdict === settlement.verdict) for (const task of settlement.spawn) writes.spawned.push(task);
  if (row.state === 'blocked' && verdict.to !== 'blocked' && !isFinished(verdict.to)) writes.letGo.push(row.id);
  if (verdict.to === 'blocked') step.blocked.add(row.id);
  else if (isFinished(verdict.to) && carriesChildren(row.options)) step.ended.set(row.id, verdict.to);
  record(
    step,
    isLease ? 'settle' : 'judge',
    row,
    row,
    after,
    row.version + 1,
    runNumbers(step, row, verdict, after.startedAt),
  );
  // A second settlement of the task in this batch finds this one.
  supersede(row, after, token);
  return verdict === settlement.verdict ? { outcome: 'applied' } : { outcome: 'diverted', to: verdict.to };
}

function supersede(row: SettledRow, { state, reason, attempt, startedAt }: After, token: string): void {
  row.state = state;
  row.reason = reason;
  row.attempt = attempt;
  row.startedAt = startedAt;
  row.version += 1;
  row.token = null;
  row.judgeToken = null;
  row.settledToken = token;
}

/** The cancel rule: a person's wish wins over everything but a success, and over that too when the task says so. */
function divert(row: SettledRow, verdict: Verdict): Verdict {
  if (row.cancelRequestedAt === null || verdict.to === 'cancelled') return verdict;
  if (verdict.to === 'succeeded' && !decodeOptions(row.options).strictCancel) return verdict;
  const keepMs = 'keepMs' in verdict ? verdict.keepMs : row.keepMs;
  return { to: 'cancelled', reason: 'user', charge: verdict.charge, keepMs, result: null, error: verdict.error };
}

type After = Pick<SettledRow, 'state' | 'reason' | 'attempt' | 'startedAt'>;

function apply(step: Step, row: SettledRow, settlement: Settlement, verdict: Verdict, writes: Writes): After {
  const { ranMs } = settlement;
  const { limitedQueues } = writes;
  const ran = row.state === 'running';
  const startedAt = !ran ? row.startedAt : ranMs === null ? null : (row.startedAt ?? step.now - ranMs);
  const charge = ran ? verdict.charge : 'attempt';
  const attempt = charge === 'attempt' ? row.attempt : row.attempt - 1;
  const after = { state: verdict.to, reason: verdict.reason, attempt, startedAt };
  write(step, row, settlement, verdict, { ...after, counted: countedEnds(charge) }, writes);
  if (ran && (carriesLimits(row.options) || limitedQueues.has(row.queue)))
    writes.limited.push({
      id: row.id,
      limits: rulesWithQueue(decodeOptions(row.options).limits, row.queue, limitedQueues),
    });
  if (row.token !== null) writes.leases.set(row.token, (writes.leases.get(row.token) ?? 0) + 1);
  for (const line of settlement.logs) {
    writes.logs.push([row.id, row.epoch, line.at, line.level, line.message, line.fields]);
  }
  return after;
}

function write(
  step: Step,
  row: SettledRow,
  settlement: Settlement,
  verdict: Verdict,
  after: After & { readonly counted: readonly number[] },
  writes: Writes,
): void {
  const { lease, ranMs, progress } = settlement;
  const { id, key, epoch, workerId, address } = row;
  const { startedAt } = after;
  if (key !== null && 'keepMs' in verdict) {
    const keepForMs = verdict.to === 'succeeded' ? decodeOptions(row.options).keyForMs : null;
    writes.ended.push({ id, key, keepForMs });
  }
  if (
    verdict.to === 'succeeded' &&
    verdict === settlement.verdict &&
    row.token === lease.token &&
    isPlainSuccess(settlement)
  ) {
    addSuccess(writes.succeeded, row, startedAt, step.now + verdict.keepMs, verdict.result);
    return;
  }
  const startBy = ranMs === null ? row.startBy : null;
  const error = encodeJson(verdict.error);
  const said = [encodeJson(progress), error, verdict.error?.fingerprint ?? null];
  const stood = [verdict.to, verdict.reason, after.attempt, ...after.counted, startedAt];
  if ('keepMs' in verdict) {
    const pruneAt = step.now + verdict.keepMs;
    writes.finished.push([...stood, step.now, pruneAt, lease.token, startBy, ...said, verdict.result, address]);
  } else {
    const dueAt = verdict.to === 'scheduled' ? step.now + verdict.delayMs : row.dueAt;
    if (verdict.to === 'scheduled') noteDue(step, dueAt);
    if (verdict.to === 'queued') writes.queued.push({ queue: row.queue, group: decodeOptions(row.options).group });
    const checkAt = checkAtOf(verdict.to, startBy, row.expiresAt);
    writes.returned.push([...stood, dueAt, lease.token, startBy, checkAt, ...said, address]);
  }
  if (row.state !== 'running' || !leavesAttempt(verdict, ranMs)) return;
  const { to, reason } = verdict;
  const claimedAt = row.claimedAt ?? step.now;
  writes.runs.push({ taskId: id, epoch, attempt: row.attempt, workerId, claimedAt, startedAt, to, reason, error });
}

function addSuccess(
  groups: Success[],
  { token, version, address, isRemembered, options }: SettledRow,
  startedAt: number | null,
  pruneAt: number,
  result: string | null,
): void {
  const hasOptions = options !== null;
  for (let index = groups.length - 1, looks = 0; index >= 0 && looks < groupLooksMax; index--, looks++) {
    const group = groups[index];
    if (
      group !== undefined &&
      group.startedAt === startedAt &&
      group.pruneAt === pruneAt &&
      group.isRemembered === isRemembered &&
      (!isRemembered || (group.token === token && group.version === version && group.hasOptions === hasOptions)) &&
      group.result === result
    ) {
      group.rows.push(address);
      return;
    }
  }
  groups.push({ startedAt, pruneAt, isRemembered, hasOptions, token, version, result, rows: [address] });
}

/** Every charge but `attempt` counts itself. */
function countedEnds(charge: Charge): [crashes: number, interruptions: number, snoozes: number] {
  return [charge === 'crash' ? 1 : 0, charge === 'interruption' ? 1 : 0, charge === 'snooze' ? 1 : 0];
}

function runNumbers(step: Step, row: SettledRow, verdict: Verdict, startedAt: number | null): RunNumbers {
  const retried =
    row.state === 'running' && (verdict.charge === 'attempt' || verdict.charge === 'crash') && !isFinished(verdict.to);
  return {
    waitMs: row.claimedAt === null ? 0 : Math.max(0, row.claimedAt - row.dueAt),
    runMs: startedAt === null ? 0 : Math.max(0, step.now - startedAt),
    retried,
  };
}

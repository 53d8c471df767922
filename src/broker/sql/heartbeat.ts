/** heartbeat: extends leases, stores what the runs and the process say, tells of cancel requests and lost leases. */

import { fitsStore, type SentCommand, type WorkerStack } from '../../core/commands.ts';
import { limits } from '../../core/limits.ts';
import type { Beat, BeatAnswer, HeartbeatAnswer, HeartbeatRequest } from '../broker.ts';
import { storeLogs } from './attempts.ts';
import { checkBy } from './claims.ts';
import { decodeCommands, encodeCommands } from './control.ts';
import { eachStatement, type SqlRow, statement } from './driver.ts';
import { refuseLargeBatch } from './refuse.ts';
import { decodeCheckpoints, encodeCheckpoints, encodeJson, idList, runningCheckAt } from './rows.ts';
import type { Step } from './step.ts';

/** Input: list of ids. Locks: the rows. */
const beatingTasks = statement<
  [
    id: string,
    token: string,
    epoch: number,
    leaseUntil: number | null,
    claimedAt: number | null,
    startedAt: number | null,
    expiresAt: number | null,
    timeoutMs: number | null,
    cancelRequestedAt: number | null,
    checkpoints: string | null,
    progress: string | null,
    judgeToken: string | null,
  ]
>(
  'beating_tasks',
  (
    dialect,
  ) => `SELECT id, token, epoch, lease_until, claimed_at, started_at, expires_at, timeout_ms, cancel_requested_at,
    checkpoints, progress, judge_token FROM tasks WHERE id ${dialect.oneOf('$1')} AND state = 'running'${dialect.lockInOrderOf('id')}`,
);

const extendLeases = eachStatement(
  'extend_leases',
  { leaseUntil: 'bigint', startedAt: 'bigint', progress: 'text', checkpoints: 'text', id: 'text' },
  (
    value,
    from,
    dialect,
  ) => `UPDATE tasks SET lease_until = ${value.leaseUntil}, started_at = ${value.startedAt}, progress = ${value.progress},
    checkpoints = ${value.checkpoints} ${from} WHERE id ${dialect.keyed(value.id)}`,
);

/** Of the few that a judge was about to end. */
const dismissJudges = eachStatement(
  'dismiss_judges',
  { id: 'text' },
  (value, from, dialect) =>
    `UPDATE tasks SET judge_token = NULL, judge_until = NULL ${from} WHERE id ${dialect.keyed(value.id)}`,
);

/**
 * Inputs: id, server, now, presence, definitions and stack (NULL keeps those that are there), highest command heard. Answers
 * the commands that wait. Locks: the process's own row.
 */
const storeWorker = statement<[commands: string | null]>(
  'store_worker',
  () => `INSERT INTO workers (worker_id, server, started_at, beat_at, presence, definitions, stack, last_command)
    VALUES ($1, $2, $3, $3, $4, COALESCE($5, '[]'), $6, $7)
  ON CONFLICT (worker_id) DO UPDATE SET server = excluded.server, beat_at = excluded.beat_at, presence = excluded.presence,
    definitions = COALESCE($5, workers.definitions), stack = COALESCE(excluded.stack, workers.stack),
    last_command = CASE WHEN excluded.last_command > workers.last_command THEN excluded.last_command ELSE workers.last_command END
  RETURNING commands`,
);

/** Inputs: id, the commands that still wait. */
const keepCommands = statement('keep_commands', () => 'UPDATE workers SET commands = $2 WHERE worker_id = $1');

const deleteWorker = statement('delete_worker', () => 'DELETE FROM workers WHERE worker_id = $1');

/** Input: the latest time that counts as silent. */
const livingServer = statement<[found: number]>(
  'living_server',
  () => 'SELECT 1 FROM workers WHERE server = 1 AND beat_at > $1 LIMIT 1',
);

export async function heartbeat(step: Step, request: HeartbeatRequest): Promise<HeartbeatAnswer> {
  refuseLargeBatch(request.beats);
  const commands = await storePresence(step, request);
  const beats = request.beats.length === 0 ? [] : await storeBeats(step, request.beats, request.leaseMs);
  const servers = await step.tx.query(livingServer, step.now - limits.presenceMs);
  return { now: step.now, beats, commands, noServer: servers.length === 0 };
}

/** Answers the commands that wait for the process. */
async function storePresence(
  step: Step,
  { worker, heard = 0, stack }: HeartbeatRequest,
): Promise<readonly SentCommand[]> {
  if (worker.state === 'stopped') {
    await step.tx.query(deleteWorker, worker.workerId);
    return [];
  }
  const { definitions, ...rest } = worker;
  const [row] = await step.tx.query(
    storeWorker,
    worker.workerId,
    worker.server ? 1 : 0,
    step.now,
    JSON.stringify(rest),
    definitions === null ? null : JSON.stringify(definitions),
    stackText(step, stack),
    heard,
  );
  const waiting = decodeCommands(row?.[0] ?? null);
  const left = waiting.filter(({ id }) => id > heard);
  if (left.length < waiting.length) await step.tx.query(keepCommands, worker.workerId, encodeCommands(left));
  return left;
}

function stackText(step: Step, stack: WorkerStack | undefined): string | null {
  if (stack === undefined || !fitsStore(JSON.stringify(stack))) return null;
  return JSON.stringify({ ...stack, at: step.now });
}

async function storeBeats(step: Step, beats: readonly Beat[], leaseMs: number): Promise<readonly BeatAnswer[]> {
  const rows = await step.tx.query(beatingTasks, idList(beats.map(({ lease }) => lease.taskId)));
  const known = new Map(rows.map((row) => [row[0], runOf(row)]));
  const changed = new Map<string, Run>();
  const logs: SqlRow[] = [];
  const answers = beats.map((beat): BeatAnswer => {
    const run = known.get(beat.lease.taskId);
    if (run === undefined || run.token !== beat.lease.token || run.epoch !== beat.lease.epoch) return 'lost';
    const next = beatOne(step, run, beat, leaseMs);
    known.set(run.id, next);
    changed.set(run.id, next);
    for (const line of beat.logs) logs.push([run.id, run.epoch, line.at, line.level, line.message, line.fields]);
    return run.cancelRequestedAt === null ? 'ok' : 'cancel';
  });
  const extended = [...changed.values()];
  await step.tx.each(
    extendLeases,
    extended.map((run) => [run.leaseUntil, run.startedAt, run.progress, run.checkpoints, run.id]),
  );
  const judged = extended.filter(({ judgeToken }) => judgeToken !== null);
  if (judged.length > 0)
    await step.tx.each(
      dismissJudges,
      judged.map(({ id }) => [id]),
    );
  storeLogs(step, logs);
  await checkBy(step, hastened(rows.map(runOf), changed));
  return answers;
}

type Run = ReturnType<typeof runOf>;

function runOf(
  row: readonly [
    id: string,
    token: string,
    epoch: number,
    leaseUntil: number | null,
    claimedAt: number | null,
    startedAt: number | null,
    expiresAt: number | null,
    timeoutMs: number | null,
    cancelRequestedAt: number | null,
    checkpoints: string | null,
    progress: string | null,
    judgeToken: string | null,
  ],
) {
  const [
    id,
    token,
    epoch,
    leaseUntil,
    claimedAt,
    startedAt,
    expiresAt,
    timeoutMs,
    cancelRequestedAt,
    checkpoints,
    progress,
    judgeToken,
  ] = row;
  return {
    id,
    token,
    epoch,
    leaseUntil,
    claimedAt,
    startedAt,
    expiresAt,
    timeoutMs,
    cancelRequestedAt,
    checkpoints,
    progress,
    judgeToken,
  };
}

function beatOne(step: Step, run: Run, beat: Beat, leaseMs: number): Run {
  return {
    ...run,
    leaseUntil: step.now + leaseMs,
    startedAt: run.startedAt ?? (beat.ranMs === null ? null : step.now - beat.ranMs),
    progress: beat.progress === null ? run.progress : encodeJson(beat.progress),
    checkpoints: beat.checkpoints.length === 0 ? run.checkpoints : mergeCheckpoints(run.checkpoints, beat),
  };
}

/** A known name keeps its place and takes the new value, so that a repeated beat is harmless. */
function mergeCheckpoints(known: string | null, beat: Beat): string | null {
  const merged = new Map(
    [...decodeCheckpoints(known), ...beat.checkpoints].map((checkpoint) => [checkpoint.name, checkpoint]),
  );
  return encodeCheckpoints([...merged.values()]);
}

/**
 * A beat may bring a check forward: with a shorter lease, a start before the claim as the worker measures it, or by
 * sending a judge away whose time the next look was waiting for.
 */
function hastened(before: readonly Run[], after: ReadonlyMap<string, Run>): Map<string, number> {
  const times = new Map<string, number>();
  for (const run of before) {
    const next = after.get(run.id);
    if (next === undefined) continue;
    const checkAt = runningCheckAt(next);
    if (checkAt < runningCheckAt(run) || run.judgeToken !== null)
      times.set(run.token, Math.min(checkAt, times.get(run.token) ?? checkAt));
  }
  return times;
}

/** settle in one statement: runs that succeeded as this process claimed them, and said nothing else. */

import type { Settlement } from '../../core/task.ts';
import type { ClaimRequest, SettleAnswer, Signal } from '../broker.ts';
import { addChange, type ChangeGroup, countDeltas, eventGroup, minuteDeltas } from '../sql/changes.ts';
import { statement } from '../sql/driver.ts';
import { carriesLimits } from '../sql/lanes.ts';
import { isFresh, isPlainSuccess } from '../sql/remembered.ts';
import type { SettledRow } from '../sql/settled-rows.ts';
import type { StandingClaims } from '../sql/standing.ts';
import type { Whole, WholeWay } from '../sql/whole.ts';
import { nowOf } from './clock.ts';
import type { PostgresDriver, WholeStatement } from './driver.ts';
import { holdEvents } from './event-order.ts';
import type { createWholeClaim } from './whole-claim.ts';

/**
 * Inputs: the last time that this process knows, its clock, list of queues; lists of ids, run times, and where in the next lists the other
 * values of each are: those of its claim, and its result; tokens, versions and retentions of claims, how many of their tasks end; results;
 * number of tasks; items of the event, counts, minutes. Answers the store's now, and nothing when one of the queues is limited. Ends with
 * an error when somebody has changed one of the tasks: then nothing is stored. Whoever limits queues is kept out. Locks: the tasks, then
 * the claims, in the order of tokens.
 */
const settleWhole = (namespace: string) =>
  statement<[now: number]>(
    'settle_whole',
    (dialect) => `WITH clock AS MATERIALIZED (
      SELECT ${nowOf(dialect, '$1', '$2')} AS now WHERE NOT EXISTS (SELECT 1 FROM queues WHERE limited = 1 AND name ${dialect.oneOf('$3')})
    ), changed AS (
      UPDATE tasks SET state = 'succeeded', reason = NULL, version = version + 1, started_at = now - given.ran_ms, finished_at = now,
        prune_at = now + ($10::bigint[])[given.claim], settled_token = token, start_by = NULL, error = NULL, fingerprint = NULL,
        result = ($12::text[])[given.result], lease_until = NULL, token = NULL, judge_token = NULL, judge_until = NULL, check_at = NULL
      FROM clock, unnest($4::text[], $5::bigint[], $6::int[], $7::int[]) AS given(id, ran_ms, claim, result)
      WHERE tasks.id ${dialect.keyed('given.id')} AND token = ($8::text[])[given.claim] AND version = ($9::bigint[])[given.claim] AND started_at IS NULL
        AND (options IS NULL OR options NOT LIKE '%"hasChildren":true%')
      RETURNING 1
    ), held AS MATERIALIZED (
      SELECT now, ${holdEvents(namespace)} FROM clock, (SELECT count(*) AS tasks FROM changed) AS settled
      WHERE CASE WHEN settled.tasks = $13::bigint THEN true ELSE ('only ' || settled.tasks || ' of the tasks are as they were claimed')::boolean END
    ), told AS (
      INSERT INTO events (at, kind, items) SELECT now, 'settle', $14 FROM held
    ), counted AS (
      INSERT INTO deltas (at, counts, minutes) SELECT now, $15, $16 FROM held
    ), ended AS MATERIALIZED (
      SELECT claims.token, running, given.tasks FROM held CROSS JOIN unnest($8::text[], $11::bigint[]) AS given(token, tasks)
        JOIN claims ON claims.token ${dialect.keyed('given.token')} AND given.tasks > 0 ORDER BY given.token FOR UPDATE OF claims
    ), gone AS (
      DELETE FROM claims USING ended WHERE claims.token ${dialect.keyed('ended.token')} AND ended.running <= tasks
    ), shrunk AS (
      UPDATE claims SET running = claims.running - tasks FROM ended WHERE claims.token ${dialect.keyed('ended.token')} AND ended.running > tasks
    ) SELECT now FROM held`,
  );

export interface WholeSettleOptions extends WholeWay {
  readonly driver: Pick<PostgresDriver, 'writeWhole' | 'ownMs'>;
  readonly namespace: string;
  readonly claim: ReturnType<typeof createWholeClaim>;
  readonly standing: StandingClaims;
}

/** Answers how to settle so, and how to claim behind that in the same transaction; `null` leaves it to the step of many statements. */
export function createWholeSettle(options: WholeSettleOptions) {
  const { driver, namespace, clock, lastNow, memory, claim, standing } = options;
  const store = settleWhole(namespace);
  return async (settlements: readonly Settlement[], next?: ClaimRequest): Promise<Whole<SettleAnswer> | null> => {
    const claiming = next === undefined ? undefined : claim(next);
    if (claiming === null) return null;
    const now = lastNow();
    const batch = createBatch();
    for (const settlement of settlements) {
      const row = memory.remembered.get(settlement.lease.taskId);
      if (row === undefined || !isPlain(row, settlement, now) || !addTo(batch, row, settlement)) return null;
    }
    const { ids, changes } = batch;
    if (ids.length === 0 || new Set(ids).size < ids.length) return null;
    const values = [
      now,
      driver.ownMs(),
      [...new Set(changes.map(({ queue }) => queue))],
      ids,
      batch.runs,
      batch.claimOf,
      batch.resultOf,
      batch.tokens,
      batch.versions,
      batch.keeps,
      batch.ends,
      batch.results,
      ids.length,
      JSON.stringify(changes.map(eventGroup)),
      JSON.stringify(countDeltas(changes)),
      JSON.stringify(minuteDeltas(changes)),
    ];
    const settling: WholeStatement = { statement: store, values };
    const before = next === undefined ? null : standing.leaving(next);
    const rows = await driver.writeWhole(claiming ? [settling, claiming] : [settling], {
      before,
      keepsOut: 'settings',
    });
    const [at] = rows?.[0]?.[0] ?? [];
    if (typeof at !== 'number') return null;
    clock(at, at);
    for (const id of ids) memory.remembered.delete(id);
    const signals: readonly Signal[] = [{ kind: 'finished', taskIds: ids }];
    const claimed = claiming?.read(rows?.[1] ?? []) ?? [];
    return { answer: { results: ids.map(() => ({ outcome: 'applied' })), claimed }, signals, untold: signals };
  };
}

/** The values of a batch. What many tasks have in common is there once, and they tell where, counted from one. */
interface Batch {
  readonly ids: string[];
  readonly runs: number[];
  readonly claimOf: number[];
  readonly resultOf: number[];
  /** Of claims: tasks under one token that have one version and are kept for one time. All ends of a token are counted by its first. */
  readonly tokens: string[];
  readonly versions: number[];
  readonly keeps: number[];
  readonly ends: number[];
  readonly results: (string | null)[];
  readonly changes: ChangeGroup[];
}

function createBatch(): Batch {
  return {
    ids: [],
    runs: [],
    claimOf: [],
    resultOf: [],
    tokens: [],
    versions: [],
    keeps: [],
    ends: [],
    results: [],
    changes: [],
  };
}

/** What ends together came with a few claims, and results that all differ must not be compared with each other for ever. */
const looksMax = 8;

function addTo(batch: Batch, row: SettledRow, { lease, verdict, ranMs }: Settlement): boolean {
  if (ranMs === null || !('keepMs' in verdict)) return false;
  batch.ids.push(row.id);
  batch.runs.push(ranMs);
  const claim = lastOf(batch.tokens, (index) => isClaim(batch, index, lease.token, row.version, verdict.keepMs));
  batch.claimOf.push(claim >= 0 ? claim + 1 : addClaim(batch, lease.token, row.version, verdict.keepMs));
  const first = batch.tokens.indexOf(lease.token);
  batch.ends[first] = (batch.ends[first] ?? 0) + 1;
  const result = lastOf(batch.results, (index) => batch.results[index] === verdict.result);
  batch.resultOf.push(result >= 0 ? result + 1 : batch.results.push(verdict.result));
  const waitMs = Math.max(0, (row.claimedAt ?? 0) - row.dueAt);
  const after = { state: verdict.to, reason: null, attempt: row.attempt };
  addChange(batch.changes, 'settle', row, row, after, row.version + 1, { waitMs, runMs: ranMs, retried: false });
  return true;
}

function isClaim({ tokens, versions, keeps }: Batch, index: number, token: string, version: number, keepMs: number) {
  return tokens[index] === token && versions[index] === version && keeps[index] === keepMs;
}

function addClaim({ tokens, versions, keeps, ends }: Batch, token: string, version: number, keepMs: number): number {
  versions.push(version);
  keeps.push(keepMs);
  ends.push(0);
  return tokens.push(token);
}

/** The index of one of the last values for which it holds; else -1. */
function lastOf(values: readonly unknown[], holds: (index: number) => boolean): number {
  for (let index = values.length - 1, looks = 0; index >= 0 && looks < looksMax; index--, looks++)
    if (holds(index)) return index;
  return -1;
}

/** Whether the task is as its claim left it, has no key and no limits, and its settlement says no more than a result. */
function isPlain(row: SettledRow, settlement: Settlement, now: number): boolean {
  return (
    isPlainSuccess(settlement) &&
    isFresh(row, settlement, now) &&
    row.key === null &&
    !carriesLimits(row.options) &&
    settlement.spawn.length === 0 &&
    settlement.logs.length === 0
  );
}

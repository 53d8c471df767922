/** claim: queued → running under the caller's token, group after group, in order of priority and age. */

import { heard } from '../../core/heard.ts';
import { limits } from '../../core/limits.ts';
import type { ClaimedTask, Task } from '../../core/task.ts';
import type { ClaimRequest } from '../broker.ts';
import type { Stand } from './changes.ts';
import { choose } from './choose.ts';
import { claimOf, storeClaims } from './claims.ts';
import { type RowAddress, type SqlTransaction, statement } from './driver.ts';
import { readParentResults } from './edges.ts';
import { freeKeys } from './keys.ts';
import { type ClaimableRow, carriesLimits } from './lanes.ts';
import { readLimitedQueues } from './queue-limits.ts';
import { remember } from './remembered.ts';
import { inClaimOrder, type TaskRow, taskColumns, toTask } from './rows.ts';
import { type AskingCall, record, type Step } from './step.ts';
import { readRounds } from './turns.ts';

/** Input: token. One row at most; it exists while a task runs under the token. */
const repeatedClaim = statement<[taskIds: string]>(
  'repeated_claim',
  () => 'SELECT task_ids FROM claims WHERE token = $1',
);

/** Inputs: list of ids, token. */
const runningUnder = statement<TaskRow>(
  'running_under',
  (dialect) => `SELECT ${taskColumns} FROM tasks WHERE id ${dialect.oneOf('$1')} AND token = $2`,
);

/**
 * Inputs: now, queue, limit. The first claimable ones of a queue that is neither paused nor limited, and has no groups. Read first and changed by the next
 * statement: an UPDATE that returns whole rows keeps a copy of them, which cost a third of the claim. Locks: the rows.
 */
const claimableTasks = statement<[...TaskRow, row: RowAddress]>(
  'claimable_tasks',
  (dialect) =>
    `SELECT ${taskColumns}, ${dialect.row} FROM tasks
   WHERE queue = $2 AND state = 'queued' AND grp IS NULL AND (start_by IS NULL OR start_by > $1) AND (expires_at IS NULL OR expires_at > $1)
     AND NOT EXISTS (SELECT 1 FROM queues WHERE queues.name = $2 AND (paused_at IS NOT NULL OR limited = 1))
     AND NOT EXISTS (SELECT 1 FROM rounds WHERE rounds.queue = $2)
   ORDER BY priority, due_at, id LIMIT $3${dialect.skipLocked}`,
);

/** Inputs: worker, token, end of the lease, now, list of row numbers. */
const claimTasks = statement(
  'claim_tasks',
  (dialect) =>
    `UPDATE ${dialect.orRollback}tasks SET state = 'running', reason = NULL, version = version + 1, epoch = epoch + 1, attempt = attempt + 1, worker_id = $1,
     token = $2, lease_until = $3, claimed_at = $4, started_at = NULL, progress = NULL, check_at = NULL
   WHERE ${dialect.row} ${dialect.oneOf('$5', 'row')}`,
);

/** What a claim asks first. */
interface Asked {
  readonly repeated: Promise<readonly [taskIds: string][]>;
  readonly found: Promise<Found>;
}

/**
 * Asks before the time is known: it is at least `earliest`. Over a network that saves a way there and back. What a repeated claim finds
 * beside its tasks stays as it is.
 */
function askAhead(tx: SqlTransaction, request: ClaimRequest, earliest: number): Asked {
  // The same token may be on its way a second time.
  void tx.hold('tokens', [request.token], 'alone');
  return { repeated: tx.query(repeatedClaim, request.token), found: heard(readFirst(tx, request, earliest)) };
}

/** A claim as a step of its own. */
export function claiming(request: ClaimRequest): AskingCall<readonly ClaimedTask[], Asked> {
  return [(tx, earliest) => askAhead(tx, request, earliest), (step, asked) => claim(step, request, asked)];
}

export async function claim(
  step: Step,
  request: ClaimRequest,
  asked: Asked = askAhead(step.tx, request, step.now),
): Promise<readonly ClaimedTask[]> {
  const [[known], ahead] = await Promise.all([asked.repeated, asked.found]);
  const found = ahead.first.some((row) => isPast(row, step.now)) ? await readFirst(step.tx, request, step.now) : ahead;
  const repeated = known === undefined ? [] : await readRunning(step, known[0], request.token);
  if (repeated.length > 0)
    return await withParents(
      step,
      repeated.map((task) => claimedTask(task, request.token, step.now)),
    );
  return await claimFound(step, request, found);
}

/** A claim whose token nobody has sent yet. */
export async function claimAnew(step: Step, request: ClaimRequest): Promise<readonly ClaimedTask[]> {
  return await claimFound(step, request, await readFirst(step.tx, request, step.now));
}

async function claimFound(step: Step, request: ClaimRequest, { first, found }: Found): Promise<readonly ClaimedTask[]> {
  const limit = limitOf(request);
  const quiet = limit <= 0 ? [] : request.queues.filter((demand) => demand.limit > 0 && !found.has(demand.name));
  const names = quiet.map(({ name }) => name);
  if (names.length > 0) void step.tx.hold('settings', [''], 'shared');
  const [rounds, limited] =
    names.length === 0 ? [[], noNames] : await Promise.all([readRounds(step, names), readLimitedQueues(step)]);
  const isPlain = rounds.length === 0 && limited.size === 0 && !first.some((row) => carriesLimits(row[29]));
  if (isPlain) return await take(step, request, first);
  // Claims by turns and under limits come one after the other in each queue.
  const isShared = await step.tx.hold('queues', demanded(request), 'alone');
  const turns = isShared ? await readRounds(step, names) : rounds;
  const { rows, end } = await choose(step, request, { first, rounds: turns, limited, limit, isShared });
  const claimed = await take(step, request, rows);
  await end();
  return claimed;
}

export function demanded({ queues }: ClaimRequest): readonly string[] {
  return queues.map(({ name }) => name);
}

/** Makes the tasks running. */
async function take(step: Step, request: ClaimRequest, rows: readonly ClaimableRow[]): Promise<readonly ClaimedTask[]> {
  if (rows.length === 0) return [];
  const leaseUntil = step.now + request.leaseMs;
  step.tx.send(claimTasks, request.workerId, request.token, leaseUntil, step.now, JSON.stringify(rows.map(addressOf)));
  const claimed = rows.map((row) => {
    const task = claimedNow(row, request.workerId, step.now, leaseUntil);
    remember(step, task, request.token, row[29], addressOf(row));
    // The view of a queued task depends on nothing else.
    record(step, 'claim', task, wasQueued, task, task.version);
    return claimedTask(task, request.token, step.now);
  });
  storeClaims(step, [claimOf(request.token, request.workerId, claimed)]);
  await freeKeys(
    step,
    claimed.flatMap(({ task }) => (letsGo(task) ? [task] : [])),
  );
  return await withParents(step, claimed);
}

/** The task as the statement left it. Its fields are set one by one: copying forty for ten costs more than the rest. */
function claimedNow(row: ClaimableRow, workerId: string, now: number, leaseUntil: number): Task {
  const task: { -readonly [Field in keyof Task]: Task[Field] } = toTask(row as unknown as TaskRow);
  task.state = 'running';
  task.reason = null;
  task.version += 1;
  task.epoch += 1;
  task.attempt += 1;
  task.workerId = workerId;
  task.leaseUntil = leaseUntil;
  task.claimedAt = now;
  task.startedAt = null;
  task.progress = null;
  return task;
}

/** Most tasks have no parents, and ask nothing here. */
async function withParents(step: Step, claimed: readonly ClaimedTask[]): Promise<readonly ClaimedTask[]> {
  const children = claimed.flatMap(({ task }) => (task.dependsOn.length > 0 ? [task] : []));
  if (children.length === 0) return claimed;
  const results = await readParentResults(step.tx, children);
  return claimed.map((one) => ({ ...one, parents: results.get(one.task.id) ?? noParents }));
}

const noNames: ReadonlySet<string> = new Set();

const wasQueued: Stand = { state: 'queued', reason: null, attempt: 0 };

/** Whether the task lets go of its key now, so that an event during the run is not lost. */
function letsGo({ key, ifExists }: Task): boolean {
  return key !== null && (ifExists === 'replace' || ifExists === 'debounce');
}

async function readRunning(step: Step, taskIds: string, token: string): Promise<readonly Task[]> {
  const rows = await step.tx.query(runningUnder, taskIds, token);
  return rows.map(toTask).sort(inClaimOrder);
}

function limitOf({ limit }: ClaimRequest): number {
  return Math.min(limit, limits.batchMax);
}

/** Whether its start deadline or its life is over. */
function isPast(row: ClaimableRow, now: number): boolean {
  return (row[21] ?? Infinity) <= now || (row[22] ?? Infinity) <= now;
}

function addressOf(row: ClaimableRow): RowAddress {
  return row[36];
}

interface Found {
  readonly first: readonly ClaimableRow[];
  /** The queues in which there was something. */
  readonly found: ReadonlySet<string>;
}

/** The first of all demanded queues without groups together, in claim order. */
async function readFirst(tx: SqlTransaction, request: ClaimRequest, now: number): Promise<Found> {
  const rows = new Map<RowAddress, ClaimableRow>();
  const found = new Set<string>();
  const limit = limitOf(request);
  const demands = limit <= 0 ? [] : request.queues.filter((demand) => demand.limit > 0);
  const read = await Promise.all(
    demands.map((demand) => tx.query(claimableTasks, now, demand.name, Math.min(limit, demand.limit))),
  );
  for (const row of read.flat()) {
    rows.set(addressOf(row), row);
    found.add(row[1]);
  }
  const first = [...rows.values()]
    .sort((left, right) => left[5] - right[5] || left[13] - right[13] || (left[0] < right[0] ? -1 : 1))
    .slice(0, limit);
  return { first, found };
}

/** A task that runs under the token, as its worker is told. */
export function claimedTask(task: Task, token: string, now: number): ClaimedTask {
  // A repeated claim may come when the life is over already.
  const lifeMs = task.expiresAt === null ? null : Math.max(0, task.expiresAt - now);
  const boundByLife = lifeMs !== null && (task.timeoutMs === null || lifeMs < task.timeoutMs);
  return {
    task,
    lease: { taskId: task.id, token, epoch: task.epoch },
    runMs: boundByLife ? lifeMs : task.timeoutMs,
    boundByLife,
    parents: noParents,
  };
}

const noParents: ClaimedTask['parents'] = [];

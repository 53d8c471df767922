/** Counts again what the store keeps beside its tasks (claims, slots, keys, counts) and tells what does not agree with them. */

import { rulesWithQueue } from '../../core/limit-rules.ts';
import { isFinished, isWaiting, type Reason, type TaskState, viewOf } from '../../core/states.ts';
import { onNextTurn } from '../../core/time.ts';
import { readCounts } from './counts.ts';
import { type SqlDriver, type SqlTransaction, type Statement, statement } from './driver.ts';
import { readLimitedQueues } from './queue-limits.ts';
import { checkAtOf, decodeOptions } from './rows.ts';

/** Something that is kept and does not follow from the tasks. */
export interface Discrepancy {
  readonly what: 'task' | 'claim' | 'slot' | 'key' | 'count';
  /** The task, token, name or key it is about. */
  readonly of: string;
  readonly sentence: string;
}

export interface Recount {
  /** The first `discrepanciesMax` of them. */
  readonly discrepancies: readonly Discrepancy[];
  readonly broken: number;
  /** How many rows were looked at, by table. */
  readonly looked: Readonly<Record<'tasks' | 'claims' | 'slots' | 'keys' | 'counts', number>>;
}

const discrepanciesMax = 100;
/** Rows one statement reads: other work of this process runs between two of them. */
const pageMax = 1_000;

type TaskMark = [
  id: string,
  queue: string,
  name: string,
  state: TaskState,
  reason: Reason | null,
  attempt: number,
  epoch: number,
  token: string | null,
  workerId: string | null,
  checkAt: number | null,
  startBy: number | null,
  expiresAt: number | null,
  key: string | null,
  options: string | null,
  parentFailed: number,
];

/** Inputs: the last id seen, limit. */
const taskMarks = statement<TaskMark>(
  'recount_tasks',
  () => `SELECT id, queue, name, state, reason, attempt, epoch, token, worker_id, check_at, start_by, expires_at, key, options,
      CASE WHEN state = 'blocked' AND EXISTS (SELECT 1 FROM edges WHERE child_id = tasks.id AND edges.state = 'failed') THEN 1 ELSE 0 END
    FROM tasks WHERE id > $1 ORDER BY id LIMIT $2`,
);
/** Inputs: the last token seen, limit. */
const claimRows = statement<[token: string, workerId: string, running: number, taskIds: string]>(
  'recount_claims',
  () => 'SELECT token, worker_id, running, task_ids FROM claims WHERE token > $1 ORDER BY token LIMIT $2',
);
/** Inputs: the last name and task seen, limit. */
const slotRows = statement<[name: string, taskId: string]>(
  'recount_slots',
  () => 'SELECT name, task_id FROM slots WHERE (name, task_id) > ($1, $2) ORDER BY name, task_id LIMIT $3',
);
/** Inputs: the last key seen, limit. */
const keyRows = statement<[key: string, taskId: string, until: number | null]>(
  'recount_keys',
  () => 'SELECT key, task_id, held_until FROM keys WHERE key > $1 ORDER BY key LIMIT $2',
);

/** What unfinished tasks ought to have beside them. Finished ones have nothing, but for a key that is kept. */
interface Expected {
  /** Queues with a limit of their own, which all their tasks carry. */
  readonly limited: ReadonlySet<string>;
  readonly running: Map<string, { readonly token: string | null; readonly workerId: string | null }>;
  readonly slots: Set<string>;
  /** Who must hold a key, and who may. */
  readonly keys: Map<string, string>;
  readonly holders: Map<string, { readonly key: string; readonly state: TaskState }>;
  readonly counts: Map<string, number>;
}

/**
 * Looks at every task of one consistent moment while the store is in use. Its memory is that of the unfinished tasks and
 * of those with a key; it reads in pages, and lets other work of the process run between them.
 */
export function recount(driver: SqlDriver): Promise<Recount> {
  return driver.read(async (tx) => {
    const discrepancies: Discrepancy[] = [];
    const looked = { tasks: 0, claims: 0, slots: 0, keys: 0, counts: 0 };
    let broken = 0;
    const tell: Tell = (what, of, sentence) => {
      broken += 1;
      if (discrepancies.length < discrepanciesMax) discrepancies.push({ what, of, sentence });
    };
    const expected: Expected = {
      limited: await readLimitedQueues({ tx }),
      running: new Map(),
      slots: new Set(),
      keys: new Map(),
      holders: new Map(),
      counts: new Map(),
    };
    for await (const row of pages(tx, taskMarks, [''], ([id]) => [id])) {
      looked.tasks += 1;
      takeTask(row, expected, tell);
    }
    looked.claims = await checkClaims(tx, expected, tell);
    looked.slots = await checkSlots(tx, expected, tell);
    looked.keys = await checkKeys(tx, expected, tell);
    looked.counts = await checkCounts(tx, expected, tell);
    return { discrepancies, broken, looked };
  });
}

type Tell = (what: Discrepancy['what'], of: string, sentence: string) => void;

/** Every row of a statement that goes on behind a cursor. */
async function* pages<Row extends readonly (string | number | null)[]>(
  tx: SqlTransaction,
  of: Statement<Row>,
  first: readonly (string | number)[],
  cursorOf: (row: Row) => readonly (string | number)[],
): AsyncGenerator<Row> {
  for (let cursor = first; ; ) {
    const rows = await tx.query(of, ...cursor, pageMax);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageMax) return;
    cursor = cursorOf(last);
    await new Promise<void>((resolve) => onNextTurn(resolve));
  }
}

function takeTask(row: TaskMark, expected: Expected, tell: Tell): void {
  const [
    id,
    queue,
    name,
    state,
    reason,
    attempt,
    epoch,
    token,
    workerId,
    checkAt,
    startBy,
    expiresAt,
    key,
    text,
    failed,
  ] = row;
  const countName = JSON.stringify([queue, name, viewOf({ state, reason, attempt })]);
  expected.counts.set(countName, (expected.counts.get(countName) ?? 0) + 1);
  const shouldCheckAt = isWaiting(state) ? checkAtOf(state, startBy, expiresAt) : null;
  // Whose parent has failed is looked at now, and after a retry of that parent once in vain.
  const isLate = failed === 1 ? checkAt === null : (checkAt ?? Infinity) > (shouldCheckAt ?? Infinity);
  if (state === 'blocked' ? isLate : checkAt !== shouldCheckAt)
    tell('task', id, `it is looked at by ${checkAt}, its deadlines say ${shouldCheckAt}`);
  if (attempt > epoch) tell('task', id, `it has ${attempt} attempts of ${epoch} claims`);
  const options = decodeOptions(text);
  if (state === 'running') {
    expected.running.set(id, { token, workerId });
    for (const rule of rulesWithQueue(options.limits, queue, expected.limited))
      expected.slots.add(slotName(rule.name, id));
  }
  if (key === null) return;
  expected.holders.set(id, { key, state });
  const keeps = options.ifExists === 'return' || options.ifExists === 'error';
  if (isFinished(state) || !(keeps || epoch === 0)) return;
  const other = expected.keys.get(key);
  if (other !== undefined) tell('key', key, `${other} and ${id} both have it and are unfinished`);
  expected.keys.set(key, id);
}

const slotName = (name: string, taskId: string): string => JSON.stringify([name, taskId]);

async function checkClaims(tx: SqlTransaction, { running }: Expected, tell: Tell): Promise<number> {
  let looked = 0;
  const found = new Set<string>();
  for await (const [token, workerId, count, text] of pages(tx, claimRows, [''], ([last]) => [last])) {
    looked += 1;
    const mine = (JSON.parse(text) as readonly string[]).filter((id) => running.get(id)?.token === token);
    if (mine.length !== count)
      tell('claim', token, `it says that ${count} tasks run under it, a recount gives ${mine.length}`);
    for (const id of mine) {
      found.add(id);
      const holder = running.get(id)?.workerId;
      if (holder !== workerId) tell('claim', token, `it is of worker ${workerId}, its task ${id} of ${holder}`);
    }
  }
  for (const id of running.keys()) if (!found.has(id)) tell('task', id, 'it runs and no claim has it');
  return looked;
}

async function checkSlots(tx: SqlTransaction, { slots, running }: Expected, tell: Tell): Promise<number> {
  let looked = 0;
  const missing = new Set(slots);
  for await (const [name, taskId] of pages(tx, slotRows, ['', ''], (last) => last)) {
    looked += 1;
    if (!missing.delete(slotName(name, taskId)))
      tell('slot', name, `${taskId} has it and ${running.has(taskId) ? 'does not carry the limit' : 'does not run'}`);
  }
  for (const text of missing) {
    const [name = '', taskId = ''] = JSON.parse(text) as readonly string[];
    tell('slot', name, `${taskId} runs and does not have it`);
  }
  return looked;
}

async function checkKeys(tx: SqlTransaction, { keys, holders }: Expected, tell: Tell): Promise<number> {
  let looked = 0;
  const missing = new Map(keys);
  for await (const [key, taskId, until] of pages(tx, keyRows, [''], ([last]) => [last])) {
    looked += 1;
    const must = missing.get(key);
    missing.delete(key);
    if (must !== undefined && must !== taskId)
      tell('key', key, `${taskId} has it, and ${must} is unfinished and has a right to it`);
    const holder = holders.get(taskId);
    // A key that is kept after success outlives its pruned task.
    if (until !== null) {
      if (holder !== undefined && holder.state !== 'succeeded')
        tell('key', key, `it is kept for ${taskId}, which is ${holder.state}`);
    } else if (holder === undefined || holder.key !== key) tell('key', key, `${taskId} has it and does not carry it`);
    else if (isFinished(holder.state)) tell('key', key, `${taskId} has it and is ${holder.state}`);
  }
  for (const [key, taskId] of missing) tell('key', key, `nobody has it, and ${taskId} is unfinished and carries it`);
  return looked;
}

async function checkCounts(tx: SqlTransaction, { counts }: Expected, tell: Tell): Promise<number> {
  const kept = await readCounts(tx);
  const rest = new Map(counts);
  for (const { queue, name, view, count } of kept) {
    const countName = JSON.stringify([queue, name, view]);
    const counted = rest.get(countName) ?? 0;
    rest.delete(countName);
    if (counted !== count) tell('count', countName, `it is kept as ${count}, a recount gives ${counted}`);
  }
  for (const [countName, counted] of rest) tell('count', countName, `it is not kept, a recount gives ${counted}`);
  return kept.length;
}

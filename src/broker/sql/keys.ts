/** Who holds which key, and until when. Tasks without a key never come here. */

import type { Task } from '../../core/task.ts';
import { eachStatement, statement } from './driver.ts';
import { idList } from './rows.ts';
import type { Step } from './step.ts';

/** Inputs: list of keys, now. */
const holders = statement<[key: string, taskId: string]>(
  'key_holders',
  (dialect) =>
    `SELECT key, task_id FROM keys WHERE key ${dialect.oneOf('$1')} AND (held_until IS NULL OR held_until > $2)`,
);

/** The holders of those of the keys that are held now. */
export async function readHolders(step: Step, keys: readonly string[]): Promise<Map<string, string>> {
  if (keys.length === 0) return new Map();
  return new Map(await step.tx.query(holders, JSON.stringify(keys), step.now));
}

/** Inputs: key, task, until (NULL while it is unfinished). A key past its time is taken over. Locks: the key's row. */
const holdKeys = eachStatement(
  'hold_keys',
  { key: 'text', taskId: 'text', heldUntil: 'bigint' },
  (value, from) =>
    `INSERT INTO keys (key, task_id, held_until) SELECT ${value.key}, ${value.taskId}, ${value.heldUntil} ${from} WHERE true
   ON CONFLICT (key) DO UPDATE SET task_id = excluded.task_id, held_until = excluded.held_until`,
);

/** Gives keys to tasks, whoever held them before. `until` is `null` for an unfinished holder. */
export async function takeKeys(
  step: Step,
  held: readonly (readonly [key: string, taskId: string, until: number | null])[],
): Promise<void> {
  if (held.length === 0) return;
  const last = new Map(held.map((row) => [row[0], row]));
  await step.tx.each(holdKeys, [...last.values()]);
}

/** Inputs: list of keys, list of tasks. Whoever holds a key carries it: so no key is freed by another task of the list. */
const freeHeldKeys = statement(
  'free_keys',
  (dialect) => `DELETE FROM keys WHERE key ${dialect.oneOf('$1')} AND task_id ${dialect.oneOf('$2')}`,
);

/** Inputs: key, task, until. */
const keepHeldKeys = eachStatement(
  'keep_keys',
  { key: 'text', taskId: 'text', heldUntil: 'bigint' },
  (value, from, dialect) =>
    `UPDATE keys SET held_until = ${value.heldUntil} ${from} WHERE key ${dialect.keyed(value.key)} AND task_id = ${value.taskId}`,
);

type Holder = Pick<Task, 'id' | 'key'>;

/** Lets go of the keys of these tasks, where they are the holders. */
export async function freeKeys(step: Step, tasks: readonly Holder[]): Promise<void> {
  const holders = tasks.filter(({ key }) => key !== null);
  if (holders.length === 0) return;
  const [keys, ids] = [holders.map(({ key }) => key), holders.map(({ id }) => id)];
  await step.tx.query(freeHeldKeys, JSON.stringify(keys), idList(ids));
}

/** Ends the holds of finished tasks: a success may keep its key for a while. */
export async function endKeys(
  step: Step,
  ended: readonly (Holder & { readonly keepForMs: number | null })[],
): Promise<void> {
  const kept = ended.flatMap(({ id, key, keepForMs }) =>
    key === null || keepForMs === null ? [] : [[key, id, step.now + keepForMs]],
  );
  if (kept.length > 0) await step.tx.each(keepHeldKeys, kept);
  await freeKeys(
    step,
    ended.filter(({ keepForMs }) => keepForMs === null),
  );
}

/** Input: list of ids. Locks: the rows: nobody claims what is about to be replaced. */
const waitingHolders = statement<
  [
    id: string,
    queue: string,
    name: string,
    state: Task['state'],
    reason: Task['reason'],
    attempt: number,
    version: number,
    dueAt: number,
    keepMs: number,
    key: string,
  ]
>(
  'waiting_holders',
  (dialect) => `SELECT id, queue, name, state, reason, attempt, version, due_at, keep_ms, key FROM tasks
    WHERE id ${dialect.oneOf('$1')} AND (state = 'queued' OR state = 'scheduled' OR state = 'blocked')${dialect.lockInOrderOf('id')}`,
);

export type WaitingHolder = Pick<
  Task,
  'id' | 'queue' | 'name' | 'state' | 'reason' | 'attempt' | 'version' | 'dueAt' | 'keepMs' | 'key'
>;

/** Those of the holders that wait: only they can be replaced. */
export async function readWaitingHolders(step: Step, taskIds: readonly string[]): Promise<Map<string, WaitingHolder>> {
  if (taskIds.length === 0) return new Map();
  const rows = await step.tx.query(waitingHolders, idList(taskIds));
  return new Map(
    rows.map(([id, queue, name, state, reason, attempt, version, dueAt, keepMs, key]) => [
      id,
      { id, queue, name, state, reason, attempt, version, dueAt, keepMs, key },
    ]),
  );
}

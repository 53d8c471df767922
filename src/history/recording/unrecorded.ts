/** Tasks that the database refuses for what is in them: found among the others, and set aside with what it said. */

import { eachStatement, type SqlDriver, type SqlTransaction, statement } from '../../broker/sql/driver.ts';
import { idList } from '../../broker/sql/rows.ts';
import { limits } from '../../core/limits.ts';
import type { Unrecorded } from '../recording.ts';
import type { Written } from './lives.ts';

/** Why a task was set aside, and with which event. */
export interface SetAside {
  readonly seq: number;
  readonly problem: string;
}

/**
 * Halves the suspects, which were refused together, until each one left is refused by itself: one bad task costs at most twice as
 * much as storing them all. `attempt` answers what the database says against some of them.
 */
export async function findRefused(
  suspects: readonly Written[],
  attempt: (suspects: readonly Written[]) => Promise<string | null>,
): Promise<ReadonlyMap<string, string>> {
  const refused = new Map<string, string>();
  const search = async (some: readonly Written[], isKnown: boolean): Promise<boolean> => {
    const [first] = some;
    if (first === undefined) return false;
    const isOne = some.length === 1;
    const problem = isKnown && !isOne ? '' : await attempt(some);
    if (problem === null) return false;
    if (isOne) {
      refused.set(first.body.task.id, problem);
      return true;
    }
    const middle = some.length >> 1;
    const isLeft = await search(some.slice(0, middle), false);
    // Who is refused together, and not for the first half, is refused for the second.
    return (await search(some.slice(middle), !isLeft)) || isLeft;
  };
  await search(suspects, true);
  return refused;
}

const insertAside = eachStatement(
  'set_aside',
  { taskId: 'text', seq: 'bigint', at: 'bigint', problem: 'text' },
  (value, from) => `INSERT INTO unrecorded (task_id, seq, at, problem)
    SELECT ${value.taskId}, ${value.seq}, ${value.at}, ${value.problem} ${from} WHERE true
    ON CONFLICT (task_id) DO UPDATE SET seq = excluded.seq, at = excluded.at, problem = excluded.problem`,
);
const anyAside = statement<[taskId: string]>('any_aside', () => 'SELECT task_id FROM unrecorded LIMIT 1');
const deleteAside = statement(
  'take_from_aside',
  (dialect) => `DELETE FROM unrecorded WHERE task_id ${dialect.oneOf('$1')}`,
);

/** Whether any task is set aside. */
export async function hasAside(tx: SqlTransaction): Promise<boolean> {
  return (await tx.query(anyAside)).length > 0;
}

/** Notes those that are set aside now; of `taskIds`, whoever was, and could be recorded this time or is removed, is no more. */
export async function settleAside(
  tx: SqlTransaction,
  aside: ReadonlyMap<string, SetAside>,
  taskIds: readonly string[],
): Promise<void> {
  if (taskIds.length > 0) await tx.query(deleteAside, idList(taskIds));
  if (aside.size === 0) return;
  const at = await tx.wallMs();
  await tx.each(
    insertAside,
    [...aside].map(([taskId, { seq, problem }]) => [taskId, seq, at, problem.slice(0, limits.errorMessageMax)]),
  );
}

/** Input: limit. */
const asideRows = statement<[taskId: string, seq: number, at: number, problem: string]>(
  'aside_rows',
  () => 'SELECT task_id, seq, at, problem FROM unrecorded ORDER BY at DESC, task_id DESC LIMIT $1',
);

export async function readUnrecorded(driver: SqlDriver, limit: number): Promise<readonly Unrecorded[]> {
  const rows = await driver.readOne(asideRows, limit);
  return rows.map(([taskId, seq, at, problem]) => ({ taskId, seq, at, problem }));
}

/** Tasks that the database refuses for what is in them: found among the others, and set aside with what it said. */

import type { TaskBody } from '../../broker/broker.ts';
import { eachStatement, type SqlDriver, type SqlTransaction, statement } from '../../broker/sql/driver.ts';
import { idList } from '../../broker/sql/rows.ts';
import { limits } from '../../core/limits.ts';
import type { Unrecorded } from '../recording.ts';

/** Why a task was set aside, and with which event. */
export interface SetAside {
  readonly seq: number;
  readonly problem: string;
}

/**
 * Halves the suspects until each one left is refused by itself: some twice as many are tried as there are, whatever is wrong
 * with one of them. `attempt` answers what the database says against some of them together.
 */
export async function findRefused(
  suspects: readonly TaskBody[],
  attempt: (bodies: readonly TaskBody[]) => Promise<string | null>,
): Promise<ReadonlyMap<string, string>> {
  const refused = new Map<string, string>();
  const search = async (bodies: readonly TaskBody[]): Promise<void> => {
    const [first] = bodies;
    const problem = first === undefined ? null : await attempt(bodies);
    if (first === undefined || problem === null) return;
    if (bodies.length === 1) return void refused.set(first.task.id, problem);
    const middle = bodies.length >> 1;
    await search(bodies.slice(0, middle));
    await search(bodies.slice(middle));
  };
  await search(suspects);
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

/** Notes those that are set aside now; who was, and could be recorded this time or is removed, is no more. */
export async function settleAside(
  tx: SqlTransaction,
  aside: ReadonlyMap<string, SetAside>,
  taskIds: readonly string[],
): Promise<void> {
  if ((await tx.query(anyAside)).length > 0) await tx.query(deleteAside, idList(taskIds));
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

/** What a record lacks: the last gap in it, and the tasks its database refuses. */

import { type SqlDriver, statement } from '../../broker/sql/driver.ts';
import type { Losses } from '../recording.ts';

/** Input: limit. */
const lostRows = statement<
  [kind: 'aside' | 'gap', taskId: string | null, problem: string | null, at: number, seq: number, from: number | null]
>(
  'lost_rows',
  () => `SELECT 'aside', task_id, problem, at, seq, CAST(NULL AS bigint) FROM
      (SELECT task_id, problem, at, seq FROM unrecorded ORDER BY at DESC, task_id DESC LIMIT $1) AS aside
    UNION ALL SELECT 'gap', NULL, NULL, to_at, restored, from_at FROM
      (SELECT to_at, restored, from_at FROM gaps ORDER BY seq DESC LIMIT 1) AS newest`,
);

export async function readLosses(driver: SqlDriver, limit: number): Promise<Losses> {
  const rows = await driver.readOne(lostRows, limit);
  const gap = rows.find(([kind]) => kind === 'gap');
  return {
    gap: gap === undefined ? null : { from: gap[5], to: gap[3], restored: gap[4] },
    unrecorded: rows
      .filter(([kind]) => kind === 'aside')
      .map(([, taskId, problem, at, seq]) => ({ taskId: taskId ?? '', seq, at, problem: problem ?? '' }))
      .sort((left, right) => right.at - left.at || (left.taskId < right.taskId ? 1 : -1)),
  };
}

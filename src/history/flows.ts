/** The flows there are, newest first: their ids follow one another in the table of their tasks, and each is jumped to. */

import { type SqlTransaction, statement } from '../broker/sql/driver.ts';
import type { FlowPage, Page } from './history.ts';

/** Behind every id. */
const end = '\u{10FFFF}';

/** Inputs: id before which to begin, limit. One look into the index for each flow, however many tasks it has. */
export const flowIds = statement<[id: string]>(
  'flow_ids',
  () => `WITH RECURSIVE stretch (id) AS (
      SELECT max(flow_id) FROM members WHERE flow_id < $1
      UNION ALL SELECT (SELECT max(flow_id) FROM members WHERE flow_id < stretch.id) FROM stretch WHERE stretch.id IS NOT NULL
    ) SELECT id FROM stretch WHERE id IS NOT NULL LIMIT $2`,
);

export async function readFlows(tx: SqlTransaction, { after, limit }: Page): Promise<FlowPage> {
  const rows = await tx.query(flowIds, after ?? end, limit + 1);
  const ids = rows.slice(0, limit).map(([id]) => id);
  return { flowIds: ids, next: rows.length > limit ? (ids.at(-1) ?? null) : null };
}

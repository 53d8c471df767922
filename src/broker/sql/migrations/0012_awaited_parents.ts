/** Which parents are not there yet. */

export const name = '0012_awaited_parents';

/** Also of tasks that were restored before: a parent that came since, and was never told of its child, is met by the next prune. */
export function up(): readonly string[] {
  return [
    'ALTER TABLE edges ADD COLUMN awaited bigint NOT NULL DEFAULT 0',
    `UPDATE edges SET awaited = 1 WHERE state = 'open' AND NOT EXISTS
      (SELECT 1 FROM tasks WHERE id = parent_id AND options LIKE '%"hasChildren":true%')`,
    'CREATE INDEX edges_awaited ON edges (parent_id) WHERE awaited = 1',
  ];
}

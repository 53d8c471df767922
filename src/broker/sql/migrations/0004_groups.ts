/** Groups: the queued tasks of each in order, and whose turn it is; limits of queues, and pauses of limits. Nothing has a row where it is not used. */

import type { Dialect } from '../driver.ts';

export const name = '0004_groups';

/** The statements, in order. Making the index anew takes about a second for a million queued tasks. */
export function up(dialect: Dialect): readonly string[] {
  const narrow = dialect.name === 'sqlite' ? ' WITHOUT ROWID' : '';
  return [
    // NULL for most tasks: behind all other columns it costs them one byte.
    'ALTER TABLE tasks ADD COLUMN grp text',
    // A queued task is in the one index or in the other: so the first one without a group is found behind any number with one.
    'DROP INDEX tasks_ready',
    "CREATE INDEX tasks_ready ON tasks (queue, priority, due_at, id) WHERE state = 'queued' AND grp IS NULL",
    "CREATE INDEX tasks_ready_group ON tasks (queue, grp, priority, due_at, id, check_at) WHERE state = 'queued' AND grp IS NOT NULL",
    // check_at tells whether a start deadline or the end of a life is past: then the first of a group is found without its row.
    // The oldest of all groups. Postgres must not take it for the first of one group, as it would where it knows too little of a table.
    `CREATE INDEX tasks_ready_due ON tasks (queue, due_at) WHERE state = 'queued' AND grp ${dialect.name === 'sqlite' ? 'IS NOT NULL' : "<> ''"}`,

    // What is configured for the name of a group, in every queue.
    `CREATE TABLE groups (name text NOT NULL PRIMARY KEY, weight bigint, paused_at bigint, paused_by text, pause_reason text)${narrow}`,
    // One row a queue with groups: how far it has come, and where the tasks without a group stand.
    `CREATE TABLE rounds (queue text NOT NULL PRIMARY KEY, turn bigint NOT NULL, plain_turn bigint NOT NULL, plain_since bigint NOT NULL)${narrow}`,
    // One row a group that has queued tasks in the queue, or had some and is ahead of it. standing: 0 waits, 1 is paused, 2 has none.
    `CREATE TABLE turns (
      queue text NOT NULL,
      grp text NOT NULL,
      turn bigint NOT NULL,
      since bigint NOT NULL,
      standing bigint NOT NULL,
      PRIMARY KEY (queue, grp)
    )${narrow}`,
    'CREATE INDEX turns_next ON turns (queue, standing, turn, since, grp)',

    // 1 while the queue has a maximum or a rate of its own; they are in the row of limits that it has then.
    'ALTER TABLE queues ADD COLUMN limited bigint NOT NULL DEFAULT 0',
    'CREATE INDEX queues_limited ON queues (name) WHERE limited = 1',
    'ALTER TABLE limits ADD COLUMN paused_at bigint',
    'ALTER TABLE limits ADD COLUMN paused_by text',
    'ALTER TABLE limits ADD COLUMN pause_reason text',
  ];
}

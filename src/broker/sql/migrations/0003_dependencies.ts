/** Dependencies: who waits for whom, which tasks make a flow, and which flows were cancelled. Empty where no task has any. */

import type { Dialect } from '../driver.ts';

export const name = '0003_dependencies';

/** The statements, in order. */
export function up(dialect: Dialect): readonly string[] {
  const narrow = dialect.name === 'sqlite' ? ' WITHOUT ROWID' : '';
  return [
    // An edge stays as long as its tasks: the parents of a task are asked again when a person retries it.
    `CREATE TABLE edges (
      parent_id text NOT NULL,
      child_id text NOT NULL,
      state text NOT NULL,
      on_failure text NOT NULL,
      PRIMARY KEY (parent_id, child_id),
      CONSTRAINT edges_state CHECK (state = 'open' OR state = 'done' OR state = 'failed'),
      CONSTRAINT edges_policy CHECK (on_failure = 'fail' OR on_failure = 'cancel' OR on_failure = 'ignore')
    )${narrow}`,
    'CREATE INDEX edges_child ON edges (child_id, state)',
    `CREATE TABLE members (flow_id text NOT NULL, task_id text NOT NULL, PRIMARY KEY (flow_id, task_id))${narrow}`,
    `CREATE TABLE flows (flow_id text NOT NULL PRIMARY KEY, cancelled_at bigint NOT NULL, cancel_reason text)${narrow}`,
  ];
}

/** Schedules: what they are, when they are due next, and what became of their last times. */

import type { Dialect } from '../driver.ts';

export const name = '0005_schedules';

/** The statements, in order. */
export function up(_dialect: Dialect): readonly string[] {
  return [
    // Whoever fires a schedule locks its row. recent: the last firings and skips, a bounded list, so that no table of them grows.
    `CREATE TABLE schedules (
      name text NOT NULL PRIMARY KEY,
      version bigint NOT NULL CHECK (version > 0),
      next_at bigint,
      due_at bigint,
      paused_at bigint,
      paused_by text,
      pause_reason text,
      last_task_id text,
      created_at bigint NOT NULL,
      changed_at bigint NOT NULL,
      definition text NOT NULL,
      recent text NOT NULL,
      CONSTRAINT schedules_next CHECK ((next_at IS NULL) = (due_at IS NULL))
    )`,
    'CREATE INDEX schedules_due ON schedules (due_at, name) WHERE due_at IS NOT NULL',
  ];
}

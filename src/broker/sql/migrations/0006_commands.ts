/** Commands for workers and their answers, beside their presence: they are forgotten with it. */

import type { Dialect } from '../driver.ts';

export const name = '0006_commands';

/** The statements, in order. */
export function up(_dialect: Dialect): readonly string[] {
  return [
    // The highest id a command for it has had: ids never return, so that a repeated delivery is known as one.
    'ALTER TABLE workers ADD COLUMN last_command bigint NOT NULL DEFAULT 0',
    // Those it has not confirmed yet, as JSON; NULL is none.
    'ALTER TABLE workers ADD COLUMN commands text',
    'ALTER TABLE workers ADD COLUMN stack text',
  ];
}

/** The time of a step that is one statement. */

import type { Dialect } from '../sql/driver.ts';

/** Never behind the last event, whoever wrote it, nor behind what this process knows: as the broker's own clock. */
export function nowOf(dialect: Dialect, lastNow: string, ownMs: string): string {
  return `GREATEST(${lastNow}::bigint, (SELECT at FROM events ORDER BY seq DESC LIMIT 1), ${dialect.clock(ownMs)})`;
}

/** Reads a time in text, as documents and command lines bring it. */

import { parseCivil } from '../core/civil.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';

/** Milliseconds since the epoch. Throws INVALID_OPTION for what is not a time; `what` says whose it is. */
export function readAt(text: string, what = 'at'): number {
  const time = parseCivil(text);
  if (time !== null && time.ms >= 0 && time.ms <= limits.atMaxMs) return time.ms;
  throw taskFlowError(
    'INVALID_OPTION',
    { what, problem: `${JSON.stringify(text)} is not a time from 1970 to 9999` },
    { hint: 'Write it as 2026-11-23T09:30:00Z or 2026-11-23T09:30+01:00.' },
  );
}

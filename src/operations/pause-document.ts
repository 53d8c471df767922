/** A pause of a queue, group or limit as every surface shows it. */

import type { Pause } from '../core/facts.ts';
import { isoTime } from '../core/time.ts';

export interface PauseDocument {
  readonly by: string;
  readonly reason: string | null;
  readonly at: string;
}

export function pauseDocument(pause: Pause | null): PauseDocument | null {
  return pause === null ? null : { by: pause.by, reason: pause.reason, at: isoTime(pause.at) };
}

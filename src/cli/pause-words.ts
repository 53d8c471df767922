/** Who paused something, in a list. */

import type { PauseDocument } from '../operations/pause-document.ts';

interface Pausable {
  readonly pause: PauseDocument | null;
}

/** "by ada: provider is down"; empty for what is not paused. */
export function pauseWords({ pause }: Pausable): string {
  return pause === null ? '' : `by ${pause.by}${pause.reason === null ? '' : `: ${pause.reason}`}`;
}

export function pausedColumn() {
  return { title: 'Paused', cutTo: 10, text: pauseWords } as const;
}

/** Finds the line of a stack that a person wants to open. */

import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `src/tasks/image.ts:14:9` of the first frame that is neither Node's nor a library's; `null` when there is none. */
export function firstFrame(stack: string | null, folder = process.cwd()): string | null {
  if (stack === null) return null;
  for (const line of stack.split('\n')) {
    const match = /\(?((?:file:\/\/)?\/[^()]+):(\d+):(\d+)\)?$/.exec(line.trim());
    if (match === null || line.includes('/node_modules/')) continue;
    const [, place = '', row, column] = match;
    const path = place.startsWith('file:') ? fileURLToPath(place) : place;
    const short = relative(folder, path);
    return `${short.startsWith('..') ? path : short}:${row}:${column}`;
  }
  return null;
}

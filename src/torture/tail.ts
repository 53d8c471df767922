/** Reads what others append to a file, line by line, as far as they have come. */

import { closeSync, openSync, readSync } from 'node:fs';

export interface Tail {
  /** Hands over every line that was completed since the last look. What a kill has cut in two is never completed. */
  read(onLine: (line: string) => void): void;
  close(): void;
}

const chunkBytes = 256 * 1024;
/** One for all: a look is over before the next one begins. */
const buffer = Buffer.alloc(chunkBytes);

/** The file may not be there yet. */
export function createTail(path: string): Tail {
  let file: number | null = null;
  let rest: Buffer = Buffer.alloc(0);

  function open(): number | null {
    try {
      file ??= openSync(path, 'r');
    } catch {
      // Nobody has written anything so far; the next look tries again.
    }
    return file;
  }

  return {
    read(onLine) {
      const from = open();
      if (from === null) return;
      for (;;) {
        const length = readSync(from, buffer, 0, chunkBytes, null);
        if (length === 0) return;
        const bytes = Buffer.concat([rest, buffer.subarray(0, length)]);
        const end = bytes.lastIndexOf(10);
        rest = Buffer.from(bytes.subarray(end + 1));
        if (end >= 0) for (const line of bytes.toString('utf8', 0, end).split('\n')) onLine(line);
      }
    },
    close() {
      if (file !== null) closeSync(file);
      file = null;
    },
  };
}

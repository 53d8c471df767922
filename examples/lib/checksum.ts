/** SHA-256 of files, streamed: the size of a file does not matter. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** The checksum of one file, in hex, and its size in bytes. */
export interface Checksum {
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** Reads the whole file. Rejects with the file system's error, or with an AbortError when the signal aborts. */
export async function checksum(file: string, signal: AbortSignal): Promise<Checksum> {
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(
    createReadStream(file),
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        hash.update(chunk);
        bytes += chunk.length;
      }
    },
    { signal },
  );
  return { file, sha256: hash.digest('hex'), bytes };
}

/**
 * Runs `work` over the items, at most `concurrency` at a time; results come in the order of the items. The first
 * rejection is the rejection of the whole, once the runs in flight have ended.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  concurrency: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = new Array(items.length);
  const left = items.entries();
  const failures: unknown[] = [];
  const run = async (): Promise<void> => {
    for (const [index, item] of left) {
      if (failures.length > 0) return;
      try {
        results[index] = await work(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, run));
  if (failures.length > 0) throw failures[0];
  return results;
}

/** Counts words and lines of a text as it streams by. */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

export interface TextStats {
  readonly lines: number;
  readonly words: number;
  readonly characters: number;
}

export const noText: TextStats = { lines: 0, words: 0, characters: 0 };

/** Words an adult reads silently in a minute, in English (Brysbaert 2019). */
export const wordsPerMinute = 238;

const word = /[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu;

/** A line's words are runs of letters and digits; "it's" and "well-known" are one each. */
export function addLine(stats: TextStats, line: string): TextStats {
  const words = line.match(word)?.length ?? 0;
  return { lines: stats.lines + 1, words: stats.words + words, characters: stats.characters + line.length };
}

export function addStats(a: TextStats, b: TextStats): TextStats {
  return { lines: a.lines + b.lines, words: a.words + b.words, characters: a.characters + b.characters };
}

/** Whole minutes, at least one for any text at all. */
export function readingMinutes({ words }: TextStats): number {
  return Math.ceil(words / wordsPerMinute);
}

/** Reads a file line by line. Rejects with the file system's error, or the signal's reason. */
export async function textStats(file: string, signal: AbortSignal): Promise<TextStats> {
  let stats = noText;
  const lines = createInterface({ input: createReadStream(file, { encoding: 'utf8', signal }), crlfDelay: Infinity });
  for await (const line of lines) stats = addLine(stats, line);
  return stats;
}

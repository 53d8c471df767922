/** Finds the beginnings of secrets in a text that was cut off within them: at its end, or at the end of one of its lines. */

import { limits } from './limits.ts';
import { redactedText } from './redact.ts';

interface Cut {
  readonly from: number;
  readonly to: number;
}

/**
 * The text with the mask in place of the longest beginning of a secret before each `…`, which says that something was cut off
 * there, and at the end of a line where the secret goes on in the next: of a cause only the first line is kept.
 */
export function withoutCutSecrets(text: string, secrets: readonly string[]): string {
  const cuts = secrets.flatMap((secret) => cutsOf(text, secret)).sort((a, b) => a.from - b.from);
  let [shown, end] = ['', 0];
  for (const { from, to } of cuts) {
    if (from >= end) shown += text.slice(end, from) + redactedText;
    end = Math.max(end, to);
  }
  return shown + text.slice(end);
}

/** In one walk over both (Knuth, Morris and Pratt): a secret of one letter ten thousand times must not cost its square. */
function cutsOf(text: string, secret: string): readonly Cut[] {
  const isCutAnywhere = text.includes('…') || secret.includes('\n');
  if (!isCutAnywhere || !text.includes(secret.slice(0, limits.secretMin))) return [];
  const cuts: Cut[] = [];
  const borders = bordersOf(secret);
  let length = 0;
  for (let at = 0; at <= text.length; at++) {
    const next = text[at];
    const isCut = next === '…' || ((next === '\n' || next === undefined) && secret[length] === '\n');
    if (isCut && length >= limits.secretMin) cuts.push({ from: at - length, to: at });
    length = grown(secret, borders, length, next);
  }
  return cuts;
}

/** By length of a beginning of the secret: the length of the next shorter one that it ends with. */
function bordersOf(secret: string): readonly number[] {
  const borders = [0, 0];
  for (let at = 1; at < secret.length; at++) borders.push(grown(secret, borders, borders[at] ?? 0, secret[at]));
  return borders;
}

/** How much of the secret a text ends with after one more character of it. */
function grown(secret: string, borders: readonly number[], before: number, next: string | undefined): number {
  let length = before;
  while (length > 0 && (length === secret.length || secret[length] !== next)) length = borders[length] ?? 0;
  return secret[length] === next ? length + 1 : 0;
}

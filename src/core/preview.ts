/** Cuts a payload, a result or any other text to one safe line for lists. */

// What would break a line or a terminal, or turn the reading direction around.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/g;

const previewMax = 120;
// Some slack, because runs of line breaks and indentation shrink to one space.
const readsOf = (lengthMax: number): number => lengthMax * 4 + 1;
/** With so much of a text, `preview` is the same as with all of it: the last character says that there is more. */
export const previewReadsMax = readsOf(previewMax) + 1;

/**
 * Returns at most `lengthMax` characters (UTF-16 units) of `text` on one line, with `…` at the end
 * when something was cut. Runs of control characters and direction marks become one space, lone
 * surrogates U+FFFD. Reads only the beginning of a long text: the cost does not depend on its length.
 */
export function preview(text: string, lengthMax = previewMax): string {
  const beginning = text.slice(0, readsOf(lengthMax));
  const line = beginning.replace(unsafe, ' ').replace(/ {2,}/g, ' ').trim().toWellFormed();
  if (line.length <= lengthMax && beginning.length === text.length) return line;
  const cut = line.slice(0, Math.max(0, lengthMax - 1));
  // A cut through a surrogate pair would leave half a character.
  return `${cut.isWellFormed() ? cut : cut.slice(0, -1)}…`;
}

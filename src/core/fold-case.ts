/** Letters without their case, as every store has them. */

/** Lower case for A to Z only: what every store's `lower()` agrees on. */
export function foldCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Tells the program that a dashboard is mounted in of errors, and survives how it hears of them. */

/** To `onError`, or on stderr. */
export function tellError(error: unknown, onError: ((error: unknown) => void) | undefined): void {
  try {
    if (onError === undefined) console.error(error);
    else onError(error);
  } catch (thrown) {
    console.error(thrown);
  }
}

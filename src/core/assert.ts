/** Programmer errors: a broken invariant stops the operation, in production too. */

/**
 * Throws when `condition` is false. The sentence states what should have been true, so that the stack trace reads
 * like a diagnosis. For mistakes of users and operators use {@link TaskFlowError} instead.
 */
export function invariant(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new Error(`Invariant broken: ${sentence}`);
}

/** Makes a `switch` over a union exhaustive: it does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`Invariant broken: unexpected value ${JSON.stringify(value)}`);
}

/** What is told of each kind of error: a row of the table. */

export interface ErrorKind {
  /** HTTP status of the answer. */
  readonly status: number;
  /** Exit code of the command line: 1 failed, 2 usage, 3 task failed, 4 not found, 5 access, 6 connection, 7 conflict, 8 timeout, 9 checks. */
  readonly exitCode: number;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;
  /** What happened and why; `{name}` is filled from the parameters. */
  readonly message: string;
  /** The next thing to do. */
  readonly hint?: string;
}

/** A row of the table. */
export const kind = (
  status: number,
  exitCode: number,
  message: string,
  hint?: string,
  retryable = false,
): ErrorKind => ({
  status,
  exitCode,
  retryable,
  message,
  ...(hint === undefined ? {} : { hint }),
});

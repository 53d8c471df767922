/** The one error that people meet, and what may be asked of it; its words are in the table. */

import { type ErrorCode, type ErrorKind, errorTable } from './error-table.ts';

/** Values for the placeholders of a message. */
export type ErrorParams = Readonly<Record<string, string | number>>;

/** What may accompany an error beside its words. */
export interface ErrorExtra {
  readonly cause?: unknown;
  /** Replaces the hint of the table. */
  readonly hint?: string;
  /** Machine-readable detail, such as the list of invalid paths. Must be plain JSON. */
  readonly details?: unknown;
}

/** The document every surface shows for an error: exception, API body, `--json` and page alike. */
export interface ErrorDocument {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly details?: unknown;
}

/**
 * An operating error: something a user or operator did or can mend. Never thrown for bugs.
 *
 * @example
 * try { await sendWelcome.enqueue({ userId: 'x' }) } catch (error) {
 *   if (error instanceof TaskFlowError && error.code === 'INVALID_INPUT') console.error(error.hint);
 * }
 */
export class TaskFlowError extends Error {
  override readonly name = 'TaskFlowError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly exitCode: number;
  readonly retryable: boolean;
  readonly hint: string | undefined;
  readonly details: unknown;

  constructor(code: ErrorCode, params: ErrorParams = {}, extra: ErrorExtra = {}) {
    const entry: ErrorKind = errorTable[code];
    super(fill(entry.message, params), extra.cause === undefined ? undefined : { cause: extra.cause });
    this.code = code;
    this.status = entry.status;
    this.exitCode = entry.exitCode;
    this.retryable = entry.retryable;
    const hint = extra.hint ?? entry.hint;
    this.hint = hint === undefined ? undefined : fill(hint, params);
    this.details = extra.details;
  }

  toJSON(): ErrorDocument {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }
}

/** Makes the error of `code`; shorter than `new` where it is thrown. */
export function taskFlowError(code: ErrorCode, params?: ErrorParams, extra?: ErrorExtra): TaskFlowError {
  return new TaskFlowError(code, params, extra);
}

/** Does something at once whose errors nobody looks at for where they come from: to find that out is most of what an error costs. */
export function withoutStacks<Answer>(work: () => Answer): Answer {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The same error, told again to another caller: with its own stack, and what `extra` gives instead. */
export function retold(error: TaskFlowError, extra: ErrorExtra): TaskFlowError {
  const hint = extra.hint ?? error.hint;
  const copy = new TaskFlowError(
    error.code,
    {},
    { cause: error, details: error.details, ...extra, ...(hint === undefined ? {} : { hint }) },
  );
  copy.message = error.message;
  return copy;
}

/** Whether a store could not answer, whatever it was asked. */
export function isUnreachable(error: unknown): error is TaskFlowError {
  return error instanceof TaskFlowError && error.code.startsWith('STORE_');
}

/** Whether a record cannot be used: it could not answer, or is that of another store. */
export function isWithoutRecord(error: unknown): error is TaskFlowError {
  return isUnreachable(error) || (error instanceof TaskFlowError && refusals.has(error.code));
}

const refusals: ReadonlySet<string> = new Set(['RECORD_ELSEWHERE', 'RECORD_IS_LIVE']);

/** Whether the store was well and did not want what it was sent: any other error of a store is one of STORE_*. */
export function isRefusal(error: unknown): boolean {
  return !(error instanceof TaskFlowError) || (!error.retryable && !error.code.startsWith('STORE_'));
}

function fill(text: string, params: ErrorParams): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));
}

/** Errors as RFC 9457 problem documents: what every failed API call answers. */

import type { ErrorCode } from '../core/error-table.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';

/** `application/problem+json` with TaskFlow's stable code beside the standard members. */
export interface Problem {
  /** Identifies the kind of error; derived from `code`. */
  readonly type: string;
  /** The code in words. */
  readonly title: string;
  readonly status: number;
  /** What happened and why. */
  readonly detail: string;
  readonly code: ErrorCode;
  /** The next thing to do. */
  readonly hint?: string;
  /** For wrong input: `{ problems: [{ path, message }] }`. */
  readonly details?: unknown;
  /** Also in the answer as `X-Request-Id`, and in the log of the server. */
  readonly requestId?: string;
}

/** In which request an error happened. */
export interface FailedRequest {
  readonly requestId: string;
  readonly method: string;
  /** Without its query, which may hold what nobody should read in a log. */
  readonly path: string;
}

/** Where unexpected errors go: the answer never holds them. */
export type ReportError = (error: unknown, request: FailedRequest) => void;

/**
 * Any thrown value as an error that may be shown. What is not a TaskFlowError is a bug: it is reported in full, and
 * the caller learns only that it happened.
 */
export function shownError(error: unknown, report: ReportError, request: FailedRequest): TaskFlowError {
  if (error instanceof TaskFlowError) return error;
  report(error, request);
  return taskFlowError('INTERNAL', { problem: 'the log of the server has the details' });
}

/** The problem document of an error. */
export function problemOf(error: TaskFlowError, requestId?: string): Problem {
  const { code, status, message, hint, details } = error;
  return {
    type: `urn:taskflow:error:${code}`,
    title: titleOf(code),
    status,
    detail: message,
    code,
    ...(hint === undefined ? {} : { hint }),
    ...(details === undefined ? {} : { details }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}

/** The answer for an error; `Retry-After` when the same call may succeed later. */
export function problemResponse(
  error: TaskFlowError,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(problemOf(error, requestId)), {
    status: error.status,
    headers: {
      'content-type': 'application/problem+json',
      ...(error.retryable ? { 'retry-after': retryAfter(error) } : {}),
      ...(error.code === 'UNAUTHENTICATED' ? { 'www-authenticate': 'Bearer realm="taskflow"' } : {}),
      ...headers,
    },
  });
}

/** In seconds, as the error says it; else one. */
export function retryAfter({ details }: TaskFlowError): string {
  const given = typeof details === 'object' && details !== null && 'retryAfterMs' in details ? details.retryAfterMs : 0;
  return String(Math.max(1, Math.ceil(Number(given) / 1_000)));
}

/** `TASK_NOT_FOUND` → `Task not found`. */
function titleOf(code: ErrorCode): string {
  const words = code.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

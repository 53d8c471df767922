/** What Redis and its client say, in the words of TaskFlow. */

import { TaskFlowError, taskFlowError } from '../../core/errors.ts';
import type { Host } from './url.ts';

/** Answers of a server that cannot serve now, or not this client. */
const unavailable =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|MISCONF|NOREPLICAS|NOAUTH|WRONGPASS|NOPERM|BUSY|UNKILLABLE) /;

/** What is true of every call whose answer did not come; what it did can be asked by sending it again. */
const unknownOutcome = 'the connection was lost before the answer came, so whether the call was done is not known';

/** Whether the server does not know a script by its digest, and so has done nothing. */
export function isUnknownScript(error: unknown): boolean {
  return isReply(error) && error.message.startsWith('NOSCRIPT');
}

/** Whether the server does not know a function by its name, and so has done nothing. */
export function isUnknownFunction(error: unknown): boolean {
  return isReply(error) && error.message.startsWith('ERR Function not found');
}

/** Whether a library of that name is there already. */
export function isKnownLibrary(error: unknown): boolean {
  return isReply(error) && /^ERR Library .* already exists/.test(error.message);
}

/** Whether the server does not let this client ask, and will not. */
export function isForbidden(error: unknown): boolean {
  return isReply(error) && /^(NOPERM|ERR unknown command)/.test(error.message);
}

/** Whether the client says that it has no connection any more. */
export function isLostClient(error: unknown): boolean {
  return error instanceof Error && /^Connection is closed|^Command aborted/.test(error.message);
}

/** Whether another server has taken over, or what this client may do has changed: a new connection finds out. */
export function isOutdated(error: unknown): boolean {
  return isReply(error) && /^(READONLY|MASTERDOWN|MOVED|ASK|NOAUTH|NOPERM) /.test(error.message);
}

/** The node of a cluster that has what was asked for; `null` for any other error. One that does not know its own name says none. */
export function movedTo(error: unknown, askedHost: string): Host | null {
  const [, host, port] = (isReply(error) && /^MOVED \d+ (.*):(\d+)$/.exec(error.message)) || [];
  return port === undefined ? null : { host: host || askedHost, port: Number(port) };
}

/** The TaskFlowError for an error of the server or of the way to it. A fault of a script is a bug and returned as it is. */
export function translate(error: unknown): unknown {
  if (error instanceof TaskFlowError || !(error instanceof Error)) return error;
  if (/^Stream isn't writeable/.test(error.message))
    return taskFlowError(
      'STORE_UNREACHABLE',
      { problem: 'the connection is lost, so nothing was sent' },
      { cause: error },
    );
  if (isLostClient(error)) return taskFlowError('STORE_UNREACHABLE', { problem: unknownOutcome }, { cause: error });
  if (!isReply(error)) return taskFlowError('STORE_UNREACHABLE', { problem: error.message }, { cause: error });
  if (error.message.startsWith('OOM ')) return taskFlowError('STORE_OUT_OF_MEMORY', {}, { cause: error });
  if (error.message.startsWith('REPLACED ')) return taskFlowError('STORE_REPLACED', {}, { cause: error });
  if (error.message.startsWith('OUTBOXFULL '))
    return taskFlowError('OUTBOX_FULL', { pending: Number(error.message.split(' ')[1]) }, { cause: error });
  if (unavailable.test(error.message))
    return taskFlowError('STORE_UNREACHABLE', { problem: error.message }, { cause: error });
  return error;
}

export function isReply(error: unknown): error is Error & { readonly name: 'ReplyError' } {
  return error instanceof Error && error.name === 'ReplyError';
}

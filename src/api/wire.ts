/** What comes over a connection and is no request that anybody could answer: it is told so in words, and hung up on. */

import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { RequestError } from '@hono/node-server';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { formatBytes } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';
import { securityHeaders } from './guard.ts';
import { problemOf, retryAfter } from './problem.ts';

/** Says what is wrong with what never became a request, where nothing else has been said on that connection. */
export function answerNonsense(error: NodeJS.ErrnoException, stream: Duplex): void {
  const socket = stream as Socket;
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) return void socket.destroy();
  socket.end(plainAnswer(nonsenseError(error)), () => socket.destroy());
}

function nonsenseError({ code = '' }: NodeJS.ErrnoException): TaskFlowError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return taskFlowError('REQUEST_TOO_SLOW');
  if (code === 'HPE_HEADER_OVERFLOW')
    return taskFlowError('HEADERS_TOO_LARGE', { max: formatBytes(limits.requestHeadersBytes) });
  return taskFlowError('NOT_HTTP', {
    problem: code.replace(/^HPE_/, '').toLowerCase().replaceAll('_', ' ') || 'unknown',
  });
}

/** What is wrong with the headers of a request that Node has read; `null` when nothing is. */
export function flawOf({
  rawHeaders,
  httpVersionMinor,
}: Pick<IncomingMessage, 'rawHeaders' | 'httpVersionMinor'>): TaskFlowError | null {
  if (rawHeaders.length > 2 * limits.requestHeadersMax)
    return taskFlowError('HEADERS_TOO_LARGE', { max: `${limits.requestHeadersMax} lines` });
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  // What balancers ask in HTTP/1.0 has none.
  if (hosts === 0 && httpVersionMinor > 0) return taskFlowError('NOT_HTTP', { problem: 'it has no host' });
  return hosts > 1 ? taskFlowError('NOT_HTTP', { problem: 'it has more than one host' }) : null;
}

/** The same of an address that is none, as the library tells it. */
export function flawOfError(error: unknown): TaskFlowError {
  if (!(error instanceof RequestError)) return taskFlowError('INTERNAL', { problem: 'the request could not be read' });
  return taskFlowError('NOT_HTTP', { problem: error.message.charAt(0).toLowerCase() + error.message.slice(1) });
}

/** The answer to a request that has one: nothing more is heard on its connection. */
export function lastAnswer(error: TaskFlowError): Response {
  const headers = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...securityHeaders,
    connection: 'close',
    ...(error.retryable && { 'retry-after': retryAfter(error) }),
  };
  return new Response(JSON.stringify(problemOf(error)), { status: error.status, headers });
}

/**
 * Says the last that is said on a connection, and ends it also where the client does not. What it sends until it has heard is taken: a
 * connection with something unread is reset, and its answer with it.
 */
export function hangUp(socket: Duplex, text: string | Uint8Array, clock: Clock): void {
  socket.once(
    'close',
    clock.schedule(limits.refusedMs, () => socket.destroy()),
  );
  socket.on('error', () => undefined);
  socket.resume();
  socket.end(text);
}

/** The answer to what never became a request, or asks for something else than an answer, as text. */
export function plainAnswer(error: TaskFlowError, requestId?: string): string {
  const body = JSON.stringify(problemOf(error, requestId));
  return [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    ...Object.entries(securityHeaders).map(([name, value]) => `${name}: ${value}`),
    'connection: close',
    ...(error.retryable ? [`retry-after: ${retryAfter(error)}`] : []),
    ...(requestId === undefined ? [] : [`x-request-id: ${requestId}`]),
    '',
    body,
  ].join('\r\n');
}

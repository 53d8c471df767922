/** Answers whose headers are put together once: to copy them into a second response costs more than the rest of a small request. */

import { securityHeaders } from './guard.ts';

/** An answer in JSON, without the headers that are on every answer. */
export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What of a request is in its answer. */
export interface Replied {
  readonly requestId: string;
  /** Where the site is below its host. */
  readonly basePath: string;
}

/** The same as {@link finished} makes of a response of such. */
export function replyResponse({ status, body, headers }: Reply, { requestId, basePath }: Replied): Response {
  const whole: Record<string, string> = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...headers,
    'x-request-id': requestId,
    ...securityHeaders,
  };
  if (basePath !== '') {
    for (const name of rebased) if (whole[name] !== undefined) whole[name] = withBase(whole[name], basePath);
  }
  return new Response(body, { status, headers: whole });
}

/** Puts the headers that are on every answer on one of ours, which is not kept for other requests. */
export function finished(response: Response, { requestId, basePath }: Replied): Response {
  const { headers } = response;
  if (basePath !== '') {
    for (const name of rebased) {
      const value = headers.get(name);
      if (value !== null) headers.set(name, withBase(value, basePath));
    }
  }
  headers.set('x-request-id', requestId);
  for (const name in securityHeaders) headers.set(name, securityHeaders[name] ?? '');
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
  return response;
}

/** Addresses of the API in headers lead through the base path, also where the host has stripped it from the request. */
const rebased = ['location', 'link'] as const;

function withBase(value: string, basePath: string): string {
  return value.replace(/^(<?)\/api\//, `$1${basePath}/api/`);
}

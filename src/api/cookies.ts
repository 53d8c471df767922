/** The cookie of a session: read from a request, written for an answer. */

import { limits } from '../core/limits.ts';
import { isHttps } from './caller.ts';

/**
 * `__Host-tf` where browsers take it: then it is of this host alone, and sent over TLS alone. Without TLS it is named for the port,
 * which cookies do not tell apart: two servers of one machine must not sign each other's people out.
 */
export function cookieName(request: Request): string {
  if (isHttps(request)) return '__Host-tf';
  const port = /:(\d{1,5})$/.exec(request.headers.get('host') ?? new URL(request.url).host)?.[1] ?? '80';
  return `tf-${port}`;
}

/** The secret in the cookie; `null` without one. */
export function readCookie(request: Request): string | null {
  const name = cookieName(request);
  for (const pair of (request.headers.get('cookie') ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim() || null;
  }
  return null;
}

/** The `Set-Cookie` that keeps the secret for a session's longest life; `null` takes the cookie away. */
export function cookieHeader(request: Request, secret: string | null): string {
  const seconds = secret === null ? 0 : Math.floor(limits.sessionMs / 1_000);
  const secure = isHttps(request) ? ' Secure;' : '';
  return `${cookieName(request)}=${secret ?? ''}; Path=/; Max-Age=${seconds};${secure} HttpOnly; SameSite=Lax`;
}

/** The id of a request: what a caller, an answer, a problem and a line of the log have in common. */

import type { Ids } from '../core/ids.ts';
import { limits } from '../core/limits.ts';

/** Takes what proxies and libraries send, and nothing that could break a line or a header. */
const wellFormed = /^[\w.:=+/@-]+$/;

/** `X-Request-Id` as it was sent where it is well-formed, else a new one. */
export function requestIdOf(request: Request, ids: Pick<Ids, 'next'>): string {
  const given = request.headers.get('x-request-id');
  const isUsable = given !== null && given.length <= limits.requestIdMax && wellFormed.test(given);
  return isUsable ? given : ids.next();
}

/** Tells from a request who asks: by the key in it, or by the session of a browser. */

import type { Access, AccessKey } from '../core/access.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Actor } from '../operations/operation.ts';
import { readCookie } from './cookies.ts';
import { checkOwnPage } from './guard.ts';

/**
 * Who asks, from what a request brings. Throws UNAUTHENTICATED when that does not say, CROSS_ORIGIN for a change that a browser
 * asks for from elsewhere, and STORE_* when nobody can be told any more. A response is the answer of the program it is mounted in.
 */
export type Authenticate = (request: Request) => Promise<Actor | Response>;

export function createAuthenticate(access: Access): Authenticate {
  return async (request) => {
    const given = request.headers.get('authorization');
    // A key that is wrong is told so, whatever the browser would be let in with.
    if (given !== null) return await actorOfKey(access, given);
    const secret = readCookie(request);
    const found = secret === null ? null : await access.sessions.find(secret);
    if (found === null) throw taskFlowError('UNAUTHENTICATED', { problem: 'the request has no key' });
    checkOwnPage(request);
    return {
      ...actorOf(found.key),
      sessionId: found.session.id,
      isStillAllowed: () => access.sessions.isValid(found.session.id),
    };
  };
}

async function actorOfKey(access: Access, given: string): Promise<Actor> {
  const token = /^Bearer +(\S+) *$/i.exec(given)?.[1];
  if (token === undefined) throw taskFlowError('UNAUTHENTICATED', { problem: 'Authorization must be "Bearer tf_…"' });
  const key = await access.keys.verify(token);
  if (key === null) throw taskFlowError('UNAUTHENTICATED', { problem: 'its key is unknown, revoked or expired' });
  return { ...actorOf(key), isStillAllowed: () => access.keys.isValid(key.id) };
}

/** As what was done names them: a person by the label alone. */
export function actorOf({ id, kind, label, role, scopes, queues }: AccessKey): Actor {
  return { name: kind === 'user' ? label : `${kind}:${label}`, role, scopes, queues, keyId: id };
}

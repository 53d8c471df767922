/** Tells from a request who asks: by the key in it, or by the session of a browser. */

import type { Access, AccessKey } from '../core/access.ts';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import type { Actor } from '../operations/operation.ts';
import { readCookie } from './cookies.ts';
import type { Gate } from './gate.ts';
import { checkOwnPage } from './guard.ts';

/**
 * Who asks, from what a request brings. Throws UNAUTHENTICATED when that does not say, TOO_MANY_TRIES and RATE_LIMITED where too many wrong
 * ones came from that address, CROSS_ORIGIN for a change that a browser asks for from elsewhere, and STORE_* when nobody can be told any
 * more. A response is the answer of the program it is mounted in.
 */
export type Authenticate = (request: Request, address?: string) => Promise<Actor | Response>;

export function createAuthenticate(access: Access, gate: Gate): Authenticate {
  return async (request, address) => {
    const given = request.headers.get('authorization');
    // A key that is wrong is told so, whatever the browser would be let in with.
    if (given !== null) return await actorOfKey(given, address, { access, gate });
    const secret = readCookie(request);
    const found = secret === null ? null : await findSession(secret, address, { access, gate });
    if (found === null) throw taskFlowError('UNAUTHENTICATED', { problem: 'the request has no key' });
    checkOwnPage(request);
    return {
      ...actorOf(found.key),
      sessionId: found.session.id,
      isStillAllowed: () => access.sessions.isValid(found.session.id),
    };
  };
}

interface Entrance {
  readonly access: Access;
  readonly gate: Gate;
}

async function actorOfKey(given: string, address: string | undefined, { access, gate }: Entrance): Promise<Actor> {
  const token = /^Bearer +(\S+) *$/i.exec(given)?.[1];
  if (token === undefined) throw taskFlowError('UNAUTHENTICATED', { problem: 'Authorization must be "Bearer tf_…"' });
  const waitMs = gate.guessWaitMs(address);
  // A right key is let in whatever others send from its address; one that nobody has costs no look into the store.
  const key = waitMs > 0 && !(await access.keys.mayExist(token)) ? null : await access.keys.verify(token);
  if (key !== null) return { ...actorOf(key), isStillAllowed: () => access.keys.isValid(key.id) };
  if (gate.guessed(address)) await tellGuessing(access, address);
  if (waitMs > 0) throw tooManyTries(waitMs);
  throw taskFlowError('UNAUTHENTICATED', { problem: 'its key is unknown, revoked or expired' });
}

/** An old cookie is no guess; but who sends nothing else costs no look into the store either. */
async function findSession(secret: string, address: string | undefined, { access, gate }: Entrance) {
  const waitMs = gate.strangerWaitMs(address);
  if (waitMs > 0 && !(await access.sessions.mayExist(secret))) return null;
  return access.sessions.find(secret);
}

/** Once when it begins: a row for each wrong key would be theirs to fill the audit with. */
async function tellGuessing(access: Access, address: string | undefined): Promise<void> {
  const id = await access.audit.begin({
    actor: 'unknown',
    keyId: null,
    address: address ?? null,
    requestId: null,
    operation: 'key.verify',
    text: 'sent too many wrong keys',
    input: {},
    before: null,
  });
  access.audit.end(id, { outcome: 'TOO_MANY_TRIES', after: null });
}

/** Told in whole seconds. */
export function tooManyTries(waitMs: number): TaskFlowError {
  const retryAfterMs = Math.ceil(waitMs / 1_000) * 1_000;
  return taskFlowError('TOO_MANY_TRIES', { seconds: retryAfterMs / 1_000 }, { details: { retryAfterMs } });
}

/** As what was done names them: a person by the label alone. */
export function actorOf({ id, kind, label, role, scopes, queues, rate }: AccessKey): Actor {
  return { name: kind === 'user' ? label : `${kind}:${label}`, role, scopes, queues, rate, keyId: id };
}

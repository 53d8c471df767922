/** Signing in and out at a browser: a form that works without JavaScript, and a link that works once. */

import type { HonoRequest } from 'hono';
import type { Access, AccessKey } from '../core/access.ts';
import { callerOf } from '../core/address.ts';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import type { OperationContext } from '../operations/operation.ts';
import { actorOf, tooManyTries } from './authenticate.ts';
import { readForm } from './body.ts';
import { isHttps } from './caller.ts';
import { cookieHeader, readCookie } from './cookies.ts';
import { checkOwnPage, isLoopback } from './guard.ts';
import type { Route } from './routes.ts';

/** What the page shows. */
export interface LoginView {
  /** Where to go when signed in, below the root of the site. */
  readonly next: string;
  /** Why it did not work; `null` before the first try. */
  readonly error: TaskFlowError | null;
  /** Who is signed in already. */
  readonly actor: string | null;
}

/** Draws the page. */
export type LoginPage = (view: LoginView, path: string, context: OperationContext) => Promise<Response>;

/** Characters of a path to return to. */
const nextMax = 2_000;

/** `warn` hears once that somebody has signed in over a connection that others can read. */
export function loginRoutes(access: Access, page: LoginPage, warn: (text: string) => void): readonly Route[] {
  let hasWarned = false;
  const warnOfPlain = (request: Request): void => {
    const host = request.headers.get('host') ?? new URL(request.url).host;
    if (hasWarned || isHttps(request) || isLoopback(host.replace(/:\d{1,5}$/, ''))) return;
    hasWarned = true;
    warn(
      `somebody signed in at ${host.slice(0, 100)} without TLS: whoever listens on the way can act as they. Put a proxy with TLS in front, and name it in server.trustProxy (TASKFLOW_TRUST_PROXY), so that its X-Forwarded-Proto is believed.`,
    );
  };

  /** Who signs in or out, and who fails to, is in the audit. */
  const note = async (
    context: OperationContext,
    key: AccessKey | null,
    { operation = 'session.begin', text, outcome = 'done' }: { operation?: string; text: string; outcome?: string },
  ): Promise<void> => {
    const id = await access.audit.begin({
      actor: key === null ? 'unknown' : actorOf(key).name,
      keyId: key?.id ?? null,
      address: context.address ?? null,
      requestId: context.requestId ?? null,
      operation,
      text,
      input: {},
      before: null,
    });
    access.audit.end(id, { outcome, after: null });
  };

  /** A new secret each time: what somebody planted before is worth nothing. */
  const signIn = async (request: HonoRequest, context: OperationContext, key: AccessKey, next: string) => {
    await note(context, key, { text: 'signed in' });
    warnOfPlain(request.raw);
    const before = await signedIn(request);
    const { secret } = await access.sessions.begin({
      keyId: key.id,
      address: context.address ?? null,
      agent: request.header('user-agent') ?? null,
    });
    if (before !== null) await access.sessions.end(before.session.id);
    return seeOther(next, cookieHeader(request.raw, secret));
  };

  const signedIn = async (request: HonoRequest) => {
    const secret = readCookie(request.raw);
    return secret === null ? null : await access.sessions.find(secret);
  };

  const show = async (request: HonoRequest, context: OperationContext, error: TaskFlowError | null, next: string) => {
    const found = error === null ? await signedIn(request) : null;
    const actor = found === null ? null : actorOf(found.key).name;
    // A page says where it is, and must not repeat the secret of a link.
    const path = new URL(request.url).pathname.replace(/(\/login)\/[^/]+$/, '$1/link');
    return page({ next, error, actor }, path, context);
  };

  /** Whoever guesses waits, before anything is compared. */
  const enter = async (request: HonoRequest, context: OperationContext): Promise<Response> => {
    const form = await readForm(request.raw);
    const next = nextOf(form.next);
    const token = (form.token ?? '').trim();
    const account = `key:${token.split('_', 3)[2]?.slice(0, 26) ?? ''}`;
    const names = [account, `address:${callerOf(context.address ?? '')}`];
    const waitMs = await access.throttle.waitMs(names);
    if (waitMs > 0) return show(request, context, tooManyTries(waitMs), next);
    const key = await access.keys.verify(token);
    if (key !== null) {
      await access.throttle.succeeded([account]);
      return signIn(request, context, key, `./${next}`);
    }
    await access.throttle.failed(names);
    await note(context, null, { text: 'tried to sign in', outcome: 'UNAUTHENTICATED' });
    return show(
      request,
      context,
      taskFlowError('UNAUTHENTICATED', { problem: 'this key is unknown, revoked or expired' }),
      next,
    );
  };

  const follow = async (request: HonoRequest, context: OperationContext): Promise<Response> => {
    // A browser that looks ahead has used it up already, and is signed in.
    if ((await signedIn(request)) !== null) return seeOther('../');
    // Who only asks whether there is something there uses nothing up.
    if (request.raw.method === 'HEAD') return show(request, context, null, '');
    const key = await access.sessions.useLink(request.param('link') ?? '');
    if (key !== null) return signIn(request, context, key, '../');
    const error = taskFlowError('UNAUTHENTICATED', { problem: 'this link was used already, or is too old' });
    return show(request, context, error, '');
  };

  const leave = async (request: HonoRequest, context: OperationContext): Promise<Response> => {
    const found = await signedIn(request);
    if (found !== null) {
      checkOwnPage(request.raw);
      await note(context, found.key, { operation: 'session.end', text: 'signed out' });
      await access.sessions.end(found.session.id);
    }
    return seeOther('./login', cookieHeader(request.raw, null));
  };

  const ask: Route['answer'] = (request, context) => show(request, context, null, nextOf(request.query('next')));
  const anybody = { operation: null, isOpen: true } as const;
  return [
    { ...anybody, method: 'GET', path: '/login', answer: ask },
    { ...anybody, method: 'POST', path: '/login', answer: enter },
    { ...anybody, method: 'GET', path: '/login/:link', answer: follow },
    { ...anybody, method: 'POST', path: '/logout', answer: leave },
  ];
}

/** Behind `./` whatever it is stays on this site; what no address has is left out. */
function nextOf(given: string | undefined): string {
  return (given ?? '')
    .slice(0, nextMax)
    .replace(/[^!-~]|[\\<>"]/g, '')
    .replace(/^\/+/, '');
}

function seeOther(location: string, cookie?: string): Response {
  const headers = new Headers({ location });
  if (cookie !== undefined) headers.set('set-cookie', cookie);
  return new Response(null, { status: 303, headers });
}

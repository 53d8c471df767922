/** The server's one function from a request to a response: the REST API, and the pages handed in. */

import { type Context, Hono } from 'hono';
import { getPathNoStrict } from 'hono/utils/url';
import type { Access } from '../core/access.ts';
import { invariant } from '../core/assert.ts';
import { type Place, placeOf } from '../core/base-path.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { isTraceparent, traceContext } from '../core/traceparent.ts';
import { taskEnqueueMany } from '../operations/enqueue-many.ts';
import { liveFollow } from '../operations/live.ts';
import { type Actor, type OperationContext, type Role, roles } from '../operations/operation.ts';
import type { Answered, OnAnswered } from './answered.ts';
import type { Authenticate } from './authenticate.ts';
import { readForm, readQuery } from './body.ts';
import { isHttps, noteHttps } from './caller.ts';
import { readChoices } from './choices.ts';
import { costOf, takesTurns } from './costs.ts';
import { createDescription } from './description.ts';
import type { Turns } from './enqueue-stream.ts';
import type { Gate, HasRead, Passage } from './gate.ts';
import { checkHost, checkOrigin } from './guard.ts';
import type { LiveEndpoint } from './live/endpoint.ts';
import { type LoginPage, type LoginView, loginRoutes } from './login.ts';
import { isForMachine, isProbe, metricsRoute } from './machine.ts';
import type { Metrics } from './metrics.ts';
import { problemResponse, type ReportError, shownError } from './problem.ts';
import { finished, replyResponse } from './reply.ts';
import { requestIdOf } from './request-id.ts';
import { answerMany, apiRoutes, type Route } from './routes.ts';

/** A request to a page: read and checked here, so that pages know nothing of HTTP. */
export interface Visit {
  /** Below the root of the site, as it was asked for. */
  readonly path: string;
  /** What links are put behind, to lead from the root of the site: right behind any prefix and proxy. */
  readonly root: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly form: Readonly<Record<string, string>>;
  /** What the browser keeps of a person's choices. */
  readonly choices: Readonly<Record<string, string>>;
}

/** A request that did not come to its page. */
export interface FailedVisit extends Pick<Visit, 'path' | 'root' | 'choices'> {
  readonly actor: Actor | null;
}

/** What is served beside the API, at every path the API leaves alone. */
export interface Pages {
  readonly routes: readonly {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    /** The least role that may ask; `anyone` for what has no secret in it. */
    readonly role: Role | 'anyone';
    answer(visit: Visit, context: OperationContext): Promise<Response>;
  }[];
  /** The answer to a person when a page failed. `actor` is who asks, where that is known: nobody is shown anything of somebody else. */
  errorPage(error: TaskFlowError, visit: FailedVisit, context: OperationContext): Promise<Response>;
  loginPage(view: LoginView, path: string, context: OperationContext, root: string): Promise<Response>;
}

export interface AppOptions {
  readonly context: OperationContext;
  /** Of the program, told in the description of the API. */
  readonly version?: string;
  /** Absent where everybody who can connect is the actor of `context`. */
  readonly authenticate?: Authenticate;
  /** Where people sign in, with pages; absent where they do so elsewhere, or need not. */
  readonly access?: Access;
  /** Where the site is below its host, `/admin/tasks`: as core/base-path.ts reads it. */
  readonly basePath?: string;
  readonly pages?: Pages;
  /** Counts requests, and is served at `/metrics`; without it there are none. */
  readonly metrics?: Metrics;
  /** Hears of each request when it is answered. */
  readonly onAnswered?: OnAnswered;
  /** Where live updates are reached; without it they are not. */
  readonly live?: LiveEndpoint;
  /** How long a stream of tasks may go on as long as it brings something; `limits.streamMs` without it. */
  readonly streamMs?: number;
  /** Names besides the loopback ones this server is reached by; `any` switches the check off (behind a proxy that checks). */
  readonly hosts?: readonly string[] | 'any';
  /** Hears of errors that are not the caller's. */
  readonly report: ReportError;
  /** How often callers may ask; absent where somebody else minds that. */
  readonly gate?: Gate;
  /** Hears of what whoever runs it should change. */
  readonly warn?: (text: string) => void;
}

/** Where a request came from, as far as the one who took it knows. */
export interface Peer {
  readonly address?: string | undefined;
  /** Whether it came over TLS, also where that ends before us; absent where the address of the request says so. */
  readonly isHttps?: boolean;
  /** Absent where nobody knows what is read. */
  readonly hasRead?: HasRead;
}

/** A fetch handler. It never throws and never answers with a stack. */
export type FetchHandler = (request: Request, peer?: Peer) => Promise<Response>;

/** What is known of a request: its id before anything else is, the rest on its way. */
interface Asked {
  readonly requestId: string;
  readonly address: string | undefined;
  readonly hasRead: HasRead | undefined;
  route: string | null;
  actor: string | null;
  /** Whose page it is, also one that says what went wrong; `null` for whom nobody has let in. */
  visitor: Actor | null;
  /** Whether the answer stays as it is: it has all headers, or the host it is mounted in has answered. */
  isWhole: boolean;
  /** What the answer says of how much its caller may ask yet. */
  rate: Passage['headers'] | null;
}

interface Env {
  readonly Bindings: Asked;
}

export function createApp(options: AppOptions): FetchHandler {
  const { metrics, context, basePath = '' } = options;
  const getPath =
    basePath === '' ? getPathNoStrict : (request: Request) => placeOf(getPathNoStrict(request), basePath).path;
  const app = new Hono<Env>({ getPath });
  app.use(async (c, next) => {
    checkHost(c.req.raw, options.hosts ?? []);
    checkOrigin(c.req.raw);
    await next();
  });
  const routes = [
    ...apiRoutes.map((route) => withStream(withLive(route, options.live), options)),
    descriptionRoute(options),
    ...(metrics === undefined ? [] : [metricsRoute(metrics)]),
    ...pageRoutes(options.pages, basePath),
    ...signInRoutes(options),
  ];
  for (const { method, path, isOpen = false, role } of routes)
    invariant(isOpen || role !== undefined, `${method} ${path} says which role may ask for it`);
  mount(app, routes, options);
  app.notFound(async (c) => {
    // Whoever asks for nothing pays as a stranger.
    pass(c.env, options.gate?.passStranger(c.env.address, 1));
    c.env.visitor = await visitorOf(c, options);
    return answerError(c, taskFlowError('NOT_FOUND', { path: shownPath(pathOf(c.req.url)) }), options);
  });
  app.onError((error, c) => answerError(c, error, options));
  return async (request, { address, isHttps = false, hasRead } = {}) => {
    if (isHttps) noteHttps(request);
    const requestId = requestIdOf(request, context.ids);
    const asked: Asked = {
      requestId,
      address,
      hasRead,
      route: null,
      actor: null,
      visitor: null,
      isWhole: false,
      rate: null,
    };
    const began = context.clock.elapsed();
    const given = await app.fetch(request, asked);
    const response = asked.isWhole ? given : finished(given, { requestId, basePath });
    if (asked.rate !== null) for (const name in asked.rate) response.headers.set(name, asked.rate[name] ?? '');
    // For a year nobody speaks to this host in the clear any more; what TaskFlow is mounted in says that for itself.
    if (isHttps && !asked.isWhole) response.headers.set('strict-transport-security', 'max-age=31536000');
    const ms = context.clock.elapsed() - began;
    const { route, actor } = asked;
    const method = request.method.slice(0, 20);
    const answered: Answered = { requestId, address, route, actor, method, status: response.status, ms };
    metrics?.answered(answered);
    options.onAnswered?.(answered);
    return response;
  };
}

/** Where generators of clients find everything. */
function descriptionRoute({ version = '0.0.0', basePath = '' }: AppOptions): Route {
  const describe = createDescription(version);
  return {
    method: 'GET',
    path: '/openapi.json',
    operation: null,
    role: 'viewer',
    async answer(request) {
      const url = new URL(placeOf(pathOf(request.url), basePath).root, request.url);
      // As the browser has it, also behind a proxy that speaks TLS for us.
      if (isHttps(request.raw)) url.protocol = 'https:';
      return new Response(await describe(url.href.replace(/\/$/, '')), {
        headers: { 'content-type': 'application/json' },
      });
    },
  };
}

function pageRoutes(pages: Pages | undefined, basePath: string): readonly Route[] {
  return (pages?.routes ?? []).map(({ method, path, role, answer }) => ({
    method,
    path,
    operation: null,
    ...(role === 'anyone' ? { isOpen: true } : { role }),
    async answer(request, context) {
      const form = method === 'POST' ? await readForm(request.raw) : {};
      const query = readQuery(request.url);
      const visit = { params: request.param(), query, form, choices: readChoices(request.raw) };
      return answer({ ...placeOf(pathOf(request.url), basePath), ...visit }, context);
    },
  }));
}

function signInRoutes({ access, pages, basePath = '', warn = () => undefined }: AppOptions): readonly Route[] {
  if (access === undefined || pages === undefined) return [];
  const page: LoginPage = (view, asked, context) => {
    const { path, root } = placeOf(asked, basePath);
    return pages.loginPage(view, path, context, root);
  };
  return loginRoutes(access, page, warn);
}

/** What is followed is no answer that ends. */
function withLive(route: Route, live: LiveEndpoint | undefined): Route {
  if (route.operation !== liveFollow.name) return route;
  return {
    ...route,
    answer: async (request, context) => {
      if (live === undefined) throw taskFlowError('NOT_FOUND', { path: pathOf(request.url) });
      return live.answer(request.raw, context);
    },
  };
}

function withStream(route: Route, { streamMs, gate }: Pick<AppOptions, 'streamMs' | 'gate'>): Route {
  if (route.operation !== taskEnqueueMany.name) return route;
  return {
    ...route,
    answer: (request, context, bodyTurn) =>
      answerMany(request, context, { streamMs, bodyTurn, turns: gate && turnsOf(gate, context, request.raw) }),
  };
}

function turnsOf(gate: Gate, { actor, address }: OperationContext, { signal }: Request): Turns {
  return {
    async begin() {
      await gate.turn(actor, address);
      // Nothing of it was read, and nobody would hear of what became of it.
      if (signal.aborted) throw taskFlowError('CALLER_GONE');
    },
    goOn: () => gate.turnToGoOn(actor, address),
  };
}

/** Registers each route, and for each path an answer to the methods it does not have. */
function mount(app: Hono<Env>, routes: readonly Route[], options: AppOptions): void {
  const { basePath = '', gate } = options;
  const paths = Map.groupBy(routes, (route) => route.path);
  for (const [path, own] of paths) {
    for (const route of own) {
      app.on(route.method, path, async (c) => {
        c.env.route = path;
        const context = await contextFor(c, route, options);
        if (context instanceof Response) return context;
        const bodyTurn = gate && (() => gate.bodyTurn(context.actor, context.address));
        const answer = await route.answer(c.req, context, bodyTurn);
        if (answer instanceof Response) return answer;
        const response = replyResponse(answer, { requestId: c.env.requestId, basePath });
        c.env.isWhole = true;
        return response;
      });
    }
    const allowed = own.flatMap((route) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method])).join(', ');
    app.all(path, async (c) => {
      c.env.route = path;
      if (!isProbe(path)) pass(c.env, options.gate?.passStranger(c.env.address, 1));
      if (c.req.method === 'OPTIONS') return new Response(null, { status: 204, headers: { allow: allowed } });
      const error = taskFlowError('METHOD_NOT_ALLOWED', { method: c.req.method.slice(0, 20), allowed });
      // Pages are for who opens an address; anything else a program has sent, also to one that is a page.
      const opens = c.req.method === 'GET' || c.req.method === 'HEAD';
      const response = opens ? await answerError(c, error, options) : problemResponse(error, c.env.requestId);
      response.headers.set('allow', allowed);
      return response;
    });
  }
}

async function contextFor(
  c: Context<Env>,
  { method, path, operation, isOpen = false, role = 'admin' }: Route,
  { context, authenticate, gate }: AppOptions,
): Promise<OperationContext | Response> {
  const { requestId, address } = c.env;
  const traceparent = c.req.header('traceparent');
  const asked = {
    ...context,
    requestId,
    ...(address === undefined ? {} : { address }),
    // One that is malformed is left alone, as the standard wants it.
    ...(traceparent !== undefined &&
      isTraceparent(traceparent) && { traceparent: traceContext(traceparent, c.req.header('tracestate')) }),
  };
  if (isOpen) {
    if (!isProbe(path)) pass(c.env, gate?.passStranger(address, 1));
    // Pages too: nobody who guesses a thousand times keeps others from signing in.
    if (gate !== undefined && takesTurns(operation)) await turnOf(c, gate, {});
    return asked;
  }
  const actor =
    (await authenticate?.(c.req.raw, address).catch((error: unknown) => {
      if (error instanceof TaskFlowError && error.status === 401) pass(c.env, gate?.passStranger(address, 1));
      throw error;
    })) ?? context.actor;
  if (actor instanceof Response) {
    c.env.isWhole = true;
    return actor;
  }
  c.env.actor = actor.name;
  c.env.visitor = actor;
  pass(c.env, gate?.pass(actor, address, costOf(operation)));
  if (roles.indexOf(actor.role) < roles.indexOf(role)) {
    const operation = `${method} ${path}`;
    throw taskFlowError('FORBIDDEN', { operation, needed: role, actor: actor.name, role: actor.role });
  }
  if (gate !== undefined && takesTurns(operation)) await turnOf(c, gate, actor);
  return { ...asked, actor };
}

/** Waits for it. Throws ANSWERS_UNREAD, and CALLER_GONE for a question whose caller did not wait. */
async function turnOf(
  { env: { address, hasRead }, req }: Context<Env>,
  gate: Gate,
  actor: Pick<Actor, 'keyId'>,
): Promise<void> {
  await gate.turn(actor, address, hasRead);
  if (req.method === 'GET' && req.raw.signal.aborted) throw taskFlowError('CALLER_GONE');
}

/** Throws RATE_LIMITED where it may not. */
function pass(asked: Asked, passage: Passage | null | undefined): void {
  if (passage === null || passage === undefined) return;
  asked.rate = passage.headers;
  if (passage.refusal !== null) throw passage.refusal;
}

/** Who is signed in at the browser that asks for a page nobody has; `null` for everybody else, who costs no look into the store. */
async function visitorOf(c: Context<Env>, { authenticate, context, pages }: AppOptions): Promise<Actor | null> {
  if (pages === undefined || isForMachine(c.req.path)) return null;
  if (authenticate === undefined) return context.actor;
  if (c.req.header('cookie') === undefined || c.req.header('authorization') !== undefined) return null;
  try {
    const actor = await authenticate(c.req.raw, c.env.address);
    return actor instanceof Response ? null : actor;
  } catch (error) {
    // Nobody is signed in, or nobody can tell: there is no such page all the same.
    if (error instanceof TaskFlowError) return null;
    throw error;
  }
}

function answerError(c: Context<Env>, thrown: unknown, options: AppOptions): Response | Promise<Response> {
  const { requestId, visitor: actor } = c.env;
  const request = { requestId, method: c.req.method.slice(0, 20), path: shownPath(pathOf(c.req.url)) };
  const error = shownError(thrown, options.report, request);
  const { pages } = options;
  if (pages === undefined || isForMachine(c.req.path)) return problemResponse(error, requestId);
  const place = placeOf(pathOf(c.req.url), options.basePath ?? '');
  if (error.code === 'UNAUTHENTICATED' && options.access !== undefined) return toLogin(c.req.raw, place);
  const visit = { ...place, choices: readChoices(c.req.raw), actor };
  return pages.errorPage(error, visit, { ...options.context, requestId });
}

/** A person is asked to sign in, and comes back to where they wanted to go. */
function toLogin(request: Request, { path, root }: Place): Response {
  const next = request.method === 'GET' ? path.slice(1) + new URL(request.url).search : '';
  const query = next === '' ? '' : `?${new URLSearchParams({ next })}`;
  return new Response(null, { status: 303, headers: { location: `${root}login${query}` } });
}

/** As it was asked for: Hono's own is without a slash at the end, which relative links depend on. */
function pathOf(url: string): string {
  return new URL(url).pathname;
}

function shownPath(path: string): string {
  return path.length <= 200 ? path : `${path.slice(0, 199)}…`;
}

/** Keeps other sites out: of a server that trusts its own machine, every browser tab is a possible attacker. */

import { taskFlowError } from '../core/errors.ts';
import { isHttps } from './caller.ts';

/** Names under which a machine reaches only itself. */
const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]', '::1']);

/** Methods that change nothing. */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Whether a host to listen on (or the name part of a Host header) reaches this machine only. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return loopbackNames.has(name) || /^127(\.\d{1,3}){3}$/.test(name) || name.endsWith('.localhost');
}

/**
 * Throws HOST_NOT_ALLOWED unless the request was addressed to this machine by a loopback name, or to one of `hosts`.
 * A page that points its own name at 127.0.0.1 (DNS rebinding) is of the same origin as this server in the eyes of
 * the browser; only the name in the Host header gives it away.
 */
export function checkHost(request: Request, hosts: readonly string[] | 'any'): void {
  if (hosts === 'any') return;
  const host = ownHost(request);
  const name = host.replace(/:\d{1,5}$/, '');
  if (isLoopback(name) || hosts.some((allowed) => allowed.toLowerCase() === name.toLowerCase())) return;
  const { port } = new URL(request.url);
  throw taskFlowError('HOST_NOT_ALLOWED', { host: host.slice(0, 100), port: port === '' ? 80 : port });
}

/**
 * Throws CROSS_ORIGIN for a change asked for by a page of another origin. Browsers say where a request comes from
 * (Sec-Fetch-Site, before that Origin) and pages cannot forge it, so no token is needed; programs send neither.
 */
export function checkOrigin(request: Request): void {
  if (safeMethods.has(request.method)) return;
  const site = request.headers.get('sec-fetch-site');
  const origin = request.headers.get('origin');
  if (site === 'same-origin' || site === 'none') return;
  if (site === null && (origin === null || originHost(origin) === ownHost(request))) return;
  throw taskFlowError('CROSS_ORIGIN', { origin: (origin ?? site ?? '').slice(0, 100) });
}

/**
 * Throws CROSS_ORIGIN for a change that comes with the cookie of a session unless one of our own pages asks for it: the browser
 * says that it is of the same origin, and that origin is ours. Over plain HTTP to another machine browsers say only the second.
 */
export function checkOwnPage(request: Request): void {
  if (safeMethods.has(request.method)) return;
  const site = request.headers.get('sec-fetch-site');
  const origin = request.headers.get('origin');
  const isSaid = site === 'same-origin' || (site === null && !saysSite(request));
  if (isSaid && origin !== null && originHost(origin) === ownHost(request)) return;
  throw taskFlowError('CROSS_ORIGIN', { origin: (origin ?? site ?? 'none').slice(0, 100) });
}

/**
 * Throws CROSS_ORIGIN for a WebSocket that a page of another origin opens: browsers ask nobody before they send the cookies along.
 * They always say the origin; a program says none, and has no cookie.
 */
export function checkSocketOrigin(request: Request): void {
  const origin = request.headers.get('origin');
  if (origin === null && request.headers.get('cookie') === null) return;
  if (origin !== null && originHost(origin) === ownHost(request)) return;
  throw taskFlowError('CROSS_ORIGIN', { origin: (origin ?? 'none').slice(0, 100) });
}

/** Browsers send Sec-Fetch-Site to what nobody in between can read. */
function saysSite(request: Request): boolean {
  return isHttps(request) || isLoopback(ownHost(request).replace(/:\d{1,5}$/, ''));
}

function originHost(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}

function ownHost(request: Request): string {
  return request.headers.get('host') ?? new URL(request.url).host;
}

/** On every answer. The pages need nothing but their own scripts and style sheets, so everything else is off: nothing inline, nothing from elsewhere. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types taskflow",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  // Not no-referrer: with that, browsers send `Origin: null` with our own forms.
  'referrer-policy': 'same-origin',
  'permissions-policy':
    'accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), payment=(), usb=()',
};

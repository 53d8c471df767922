/** Who a request comes from, and whether over TLS: as the connection has it, and proxies that are believed. */

import type { IncomingMessage } from 'node:http';
import { type Caller, findCaller, type Proxies } from '../core/proxies.ts';

/** A caller whose connection is the one of the request, or who is told of by `proxies`; without them nobody is believed. */
export function callerOfIncoming(
  { socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>,
  proxies: Proxies | null,
): Caller {
  const peer = plainAddress(socket?.remoteAddress);
  const isEncrypted = 'encrypted' in socket && socket.encrypted === true;
  if (proxies === null) return { address: peer, isHttps: isEncrypted };
  const caller = findCaller(proxies, peer, {
    forwardedFor: headerOf(headers['x-forwarded-for']),
    forwardedProto: headerOf(headers['x-forwarded-proto']),
    forwarded: headers.forwarded,
  });
  return { ...caller, isHttps: caller.isHttps || isEncrypted };
}

/** One that listens on all addresses has those of version 4 as version 6 writes them. */
export function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') === true ? address.slice('::ffff:'.length) : address;
}

function headerOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(',') : value;
}

const overTls = new WeakSet<Request>();

/** Notes of a request that its browser speaks TLS, which its address does not say behind a proxy. */
export function noteHttps(request: Request): void {
  overTls.add(request);
}

/** Whether the browser speaks TLS, with us or with a proxy that is believed. */
export function isHttps(request: Request): boolean {
  return overTls.has(request) || new URL(request.url).protocol === 'https:';
}

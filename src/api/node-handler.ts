/** Answers requests of Node's own HTTP server, and of the frameworks on it, with a fetch handler. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { FetchHandler } from './app.ts';

/** What Express, Connect, Nest and a plain server call. */
export type NodeHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>;

/** What frameworks leave on a request. */
interface Framed {
  /** The address before a router has taken its prefix off. */
  readonly originalUrl?: unknown;
  /** What a parser of bodies made of it, when it came first. */
  readonly body?: unknown;
  rawBody?: unknown;
}

export function createNodeHandler(fetch: FetchHandler): NodeHandler {
  // The globals of a program we are a guest in stay as they are.
  const listener = getRequestListener((request) => fetch(request), { overrideGlobalObjects: false });
  return async (incoming, outgoing) => {
    const framed = incoming as IncomingMessage & Framed;
    if (typeof framed.originalUrl === 'string') incoming.url = framed.originalUrl;
    if (incoming.readableEnded && framed.rawBody === undefined) framed.rawBody = unparsed(framed);
    await listener(incoming, outgoing);
  };
}

/** The body that a parser has read already, written again; `undefined` where there was none. */
function unparsed({ body, headers }: Pick<IncomingMessage & Framed, 'body' | 'headers'>): Buffer | undefined {
  if (body === undefined || body === null) return undefined;
  if (Buffer.isBuffer(body)) return body;
  if (typeof body === 'string') return Buffer.from(body);
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  return Buffer.from(isForm ? new URLSearchParams(body as Record<string, string>).toString() : JSON.stringify(body));
}

/** Listens on a port of this machine and answers with a fetch handler. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Proxies } from '../core/proxies.ts';
import type { Clock } from '../core/time.ts';
import type { FetchHandler } from './app.ts';
import { callerOfIncoming } from './caller.ts';
import { isLoopback } from './guard.ts';
import type { OnUpgrade } from './live/upgrade.ts';
import { isProbe } from './machine.ts';
import { createPipeline } from './pipeline.ts';
import { type SocketFigures, type Sockets, watchSockets } from './sockets.ts';
import { isStream } from './streams.ts';
import { flawOf, flawOfError, lastAnswer } from './wire.ts';

export interface ServeOptions {
  readonly fetch: FetchHandler;
  /** Takes over connections that are to be something else; without it such requests are answered as others are. */
  readonly onUpgrade?: OnUpgrade;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Allows a host that other machines can reach. */
  readonly insecure: boolean;
  readonly clock: Clock;
  /** Whose word on callers is taken; nobody's without it. */
  readonly proxies?: Proxies | null;
  /** How long a request that is a stream of lines may take to be sent; `limits.streamMs` without it. All others have `limits.requestMs`. */
  readonly streamMs?: number;
  /** Connections at the same time, in all and of one address; the limits without it. */
  readonly connections?: number;
  readonly connectionsPerAddress?: number;
  /** Bytes of answers that may wait for the connections of one address; the limit without it. */
  readonly unread?: number;
  /** Requests of all connections that may wait until those before them are answered; the limit without it. */
  readonly pipelined?: number;
}

export interface RunningServer {
  /** `http://127.0.0.1:8000`, without a slash at its end. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly sockets: SocketFigures;
  /** Takes no more requests, waits for those in flight for at most `patienceMs`, then cuts them off. */
  close(patienceMs?: number): Promise<void>;
}

/**
 * Starts to listen. Throws INSECURE_BIND for a host that is not loopback without `insecure` (nobody is
 * asked for a key), PORT_IN_USE, and INVALID_OPTION for a host or port this machine does not give.
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host, port, clock, proxies = null, streamMs = limits.streamMs } = options;
  if (!options.insecure && !isLoopback(host)) throw taskFlowError('INSECURE_BIND', { host });
  const unsent = createUnsent(clock);
  const server = createServer({
    ...slowClientLimits(streamMs),
    shouldUpgradeCallback: (incoming) => options.onUpgrade !== undefined && isWebSocket(incoming),
  });
  server.timeout = limits.connectionIdleMs;
  server.maxRequestsPerSocket = limits.requestsPerConnectionMax;
  // One more than there may be, so that it shows.
  server.maxHeadersCount = limits.requestHeadersMax + 1;
  const sockets = watchSockets(server, {
    clock,
    proxies,
    most: options.connections ?? limits.connections,
    mostPerAddress: options.connectionsPerAddress ?? limits.connectionsPerAddress,
    unreadMost: options.unread,
  });
  const pipeline = createPipeline({ most: options.pipelined, refuse: sockets.cutOff });
  const answer = getRequestListener(withPeer(options.fetch, { proxies, unsent, sockets }), {
    hostname: 'localhost',
    errorHandler: (error) => lastAnswer(flawOfError(error)),
  });
  const onAnswered = (): void => {
    if (!server.listening) clock.schedule(0, () => server.closeIdleConnections());
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    unsent.watch(request, response);
    pipeline.enter(request, response, () => {
      // Not of each that waits, of which there may be thousands.
      response.once('close', onAnswered);
      void answer(request, response);
    });
  };
  server.on('request', onRequest);
  // What somebody expects that nobody knows is no reason not to answer.
  server.on('checkExpectation', onRequest);
  if (options.onUpgrade !== undefined) server.on('upgrade', options.onUpgrade);
  await listen(server, host, port);
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host.replace(/[[\]]/g, '')}]` : host}:${bound}`,
    host,
    port: bound,
    sockets,
    close: (patienceMs = limits.serverPatienceMs) => close(server, clock, patienceMs),
  };
}

/** Offers of another protocol, as some libraries make with every request, are left alone: the request is answered as it is. */
function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** What is known of connections. */
interface Surroundings {
  readonly proxies: Proxies | null;
  readonly unsent: Unsent;
  readonly sockets: Sockets;
}

/** As the connection has it, or a proxy that is believed: anybody can write a header. */
function withPeer(fetch: FetchHandler, { proxies, unsent, sockets }: Surroundings) {
  return (request: Request, { incoming }: { readonly incoming: Incoming }) => {
    const refusal = flawOf(incoming) ?? (isProbe(incoming.url ?? '') ? null : sockets.unreadBy(incoming.socket));
    if (refusal !== null) return lastAnswer(refusal);
    unsent.handed(incoming, request);
    const { socket } = incoming;
    return fetch(request, {
      ...callerOfIncoming(incoming, proxies),
      hasRead: (keyId) => sockets.hasRead(socket, keyId),
    });
  };
}

/**
 * A client that sends a byte a minute must not hold a connection for ever. Node knows one time for all requests, which is that of the
 * longest: a stream of lines may take it, and is ended by its reader when nothing comes.
 */
const slowClientLimits = (streamMs: number) =>
  ({
    headersTimeout: limits.requestHeadersMs,
    requestTimeout: Math.max(streamMs, limits.requestMs) + limits.streamIdleMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: limits.requestHeadersBytes,
    // Said in our words.
    requireHostHeader: false,
  }) as const;

type Incoming = Pick<IncomingMessage, 'socket' | 'url' | 'headers' | 'rawHeaders' | 'httpVersionMinor'>;

/** Requests that have not come wholly: cut off after their time, which is longer for those that a handler reads as streams. */
interface Unsent {
  watch(request: IncomingMessage, response: ServerResponse): void;
  /** Says as what its handler got it. */
  handed(incoming: Incoming, request: Request): void;
}

/** One timer for all of them. */
function createUnsent(clock: Clock): Unsent {
  const began = new Map<IncomingMessage, { readonly at: number; readonly response: ServerResponse }>();
  const handed = new WeakMap<Incoming, Request>();
  let isArmed = false;

  function look(): void {
    const now = clock.elapsed();
    for (const [request, { at, response }] of began) {
      if (request.complete || request.destroyed) began.delete(request);
      else if (now - at >= limits.requestMs && !isStreaming(request, response)) {
        began.delete(request);
        request.socket.destroy();
      }
    }
    isArmed = false;
    arm();
  }

  function arm(): void {
    if (isArmed || began.size === 0) return;
    isArmed = true;
    clock.schedule(1_000, look);
  }

  /** What is answered to the end is not read any more. */
  function isStreaming(incoming: IncomingMessage, response: ServerResponse): boolean {
    const request = handed.get(incoming);
    return request !== undefined && isStream(request) && !response.writableEnded;
  }

  return {
    handed(incoming, request) {
      if (hasBody(incoming)) handed.set(incoming, request);
    },
    watch(request, response) {
      if (!hasBody(request)) return;
      began.set(request, { at: clock.elapsed(), response });
      request.once('close', () => began.delete(request));
      arm();
    },
  };
}

function hasBody({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(listenError(error, host, port));
    server.once('error', onError);
    server.listen(port, host.replace(/[[\]]/g, ''), () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): TaskFlowError {
  const extra = { cause: error };
  switch (error.code) {
    case 'EADDRINUSE':
      return taskFlowError('PORT_IN_USE', { port, host, next: port + 1 }, extra);
    case 'EACCES':
      return taskFlowError(
        'INVALID_OPTION',
        { what: 'port', problem: `this user may not listen on ${port}` },
        { ...extra, hint: 'Use a port above 1023.' },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return taskFlowError(
        'INVALID_OPTION',
        { what: 'host', problem: `${host} is not an address of this machine` },
        extra,
      );
    default:
      return taskFlowError('INVALID_OPTION', { what: 'host and port', problem: error.message }, extra);
  }
}

/** A connection that a client keeps alive is closed as soon as its request is answered: see the listener in `serve`. */
function close(server: Server, clock: Clock, patienceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(patienceMs, () => server.closeAllConnections());
    server.close(() => {
      cancel();
      resolve();
    });
    server.closeIdleConnections();
  });
}

/** Requests that want to be a WebSocket: checked as any other request is, then handed on; all others are told why not. */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TaskFlowError, taskFlowError } from '../../core/errors.ts';
import type { Proxies } from '../../core/proxies.ts';
import type { OperationContext } from '../../operations/operation.ts';
import type { Authenticate } from '../authenticate.ts';
import { callerOfIncoming, noteHttps } from '../caller.ts';
import type { Gate, Passage } from '../gate.ts';
import { checkHost, checkSocketOrigin } from '../guard.ts';
import { type ReportError, shownError } from '../problem.ts';
import { requestIdOf } from '../request-id.ts';
import { flawOf, hangUp, plainAnswer } from '../wire.ts';
import type { LiveEndpoint } from './endpoint.ts';
import { socketPath } from './socket.ts';

export interface UpgradeOptions {
  readonly live: LiveEndpoint;
  readonly context: OperationContext;
  readonly authenticate?: Authenticate | undefined;
  /** How often callers may ask; absent where somebody else minds that. */
  readonly gate?: Gate | undefined;
  readonly hosts: readonly string[] | 'any';
  /** Where the server is mounted; a proxy in front may have taken it off. */
  readonly basePath?: string;
  /** Whose word on callers is taken; nobody's without it. */
  readonly proxies?: Proxies | null;
  readonly report: ReportError;
}

/** Takes over the connection of a request. */
export type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export function createUpgrade(options: UpgradeOptions): OnUpgrade {
  return (incoming, socket, head) => {
    // A client that resets its connection while it is asked who it is must not end the process.
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    letIn(incoming, options).then(
      (context) => {
        // Whoever has gone meanwhile would keep a place that nobody gives back.
        if (socket.destroyed) return;
        socket.off('error', ignore);
        const charge = (cost: number): void => pass(options.gate?.pass(context.actor, context.address, cost));
        refuseOn(socket, options, () => options.live.accept(incoming, socket, head, { context, charge }));
      },
      (error: unknown) => refuse(socket, error, options),
    );
  };
}

async function letIn(incoming: IncomingMessage, options: UpgradeOptions): Promise<OperationContext> {
  const { context, authenticate, gate, hosts, basePath = '', proxies = null } = options;
  const flaw = flawOf(incoming);
  if (flaw !== null) throw flaw;
  const request = requestOf(incoming);
  const { address, isHttps } = callerOfIncoming(incoming, proxies);
  if (isHttps) noteHttps(request);
  const { pathname } = new URL(request.url);
  checkHost(request, hosts);
  checkSocketOrigin(request);
  if (pathname !== socketPath && pathname !== `${basePath}${socketPath}`)
    throw taskFlowError('NOT_FOUND', { path: pathname.slice(0, 200) });
  const { method = 'GET' } = incoming;
  if (method !== 'GET') throw taskFlowError('METHOD_NOT_ALLOWED', { method: method.slice(0, 20), allowed: 'GET' });
  const requestId = requestIdOf(request, context.ids);
  const asked = { ...context, requestId, ...(address !== undefined && { address }) };
  if (authenticate === undefined) {
    pass(gate?.pass(context.actor, address, 1));
    return asked;
  }
  const actor = await authenticate(request, address).catch((error: unknown) => {
    if (error instanceof TaskFlowError && error.status === 401) pass(gate?.passStranger(address, 1));
    throw error;
  });
  // What a program answers instead of a page is for people.
  if (actor instanceof Response)
    throw taskFlowError('UNAUTHENTICATED', { problem: 'the program it belongs to refuses it' });
  pass(gate?.pass(actor, address, 1));
  return { ...asked, actor };
}

/** Throws RATE_LIMITED where it may not. */
function pass(passage: Passage | null | undefined): void {
  if (passage?.refusal != null) throw passage.refusal;
}

function requestOf({ url = '/', headers }: IncomingMessage): Request {
  const known = new Headers();
  for (const [name, value] of Object.entries(headers)) if (typeof value === 'string') known.set(name, value);
  const base = `http://${headers.host ?? 'localhost'}`;
  if (!URL.canParse(url, base)) throw taskFlowError('INVALID_OPTION', { what: 'address', problem: 'it is not one' });
  return new Request(new URL(url, base), { headers: known });
}

function refuseOn(socket: Duplex, options: UpgradeOptions, work: () => void): void {
  try {
    work();
  } catch (error) {
    refuse(socket, error, options);
  }
}

/** The answer is plain HTTP: there is no WebSocket yet. */
function refuse(socket: Duplex, thrown: unknown, { context, report }: UpgradeOptions): void {
  const requestId = context.ids.next();
  const error = shownError(thrown, report, { requestId, method: 'GET', path: socketPath });
  hangUp(socket, plainAnswer(error, requestId), context.clock);
}

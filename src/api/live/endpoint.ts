/** Where live updates are reached: an answer that never ends for server-sent events, or a WebSocket. */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { reachesQueue } from '../../core/access.ts';
import { type Chance, systemChance } from '../../core/chance.ts';
import { type LiveCursor, parseCursor, parseTopic } from '../../core/live.ts';
import type { Clock } from '../../core/time.ts';
import type { FollowRequest } from '../../live/group.ts';
import type { LiveHub } from '../../live/hub.ts';
import { liveFollow } from '../../operations/live.ts';
import { type Actor, type OperationContext, perform } from '../../operations/operation.ts';
import { readQuery } from '../body.ts';
import { type ConnectionLimits, createConnections } from './connections.ts';
import { createEventStream, type EventStream } from './event-stream.ts';
import { createSockets, type SocketClient } from './socket.ts';

export interface LiveEndpointOptions {
  readonly hub: LiveHub;
  readonly clock: Clock;
  readonly chance?: Chance;
  readonly connectionLimits?: ConnectionLimits;
}

/** Who asked for a WebSocket and was let in. */
export interface Entrant {
  readonly context: OperationContext;
  /** Takes what a message costs off what they may ask. Throws RATE_LIMITED. */
  charge(cost: number): void;
}

export interface LiveEndpoint {
  /** Answers a request for events. Throws as the operation does, and LIVE_FULL. */
  answer(request: Request, context: OperationContext): Promise<Response>;
  /** Makes a WebSocket of a connection whose request was checked. Throws LIVE_FULL. */
  accept(incoming: IncomingMessage, socket: Duplex, head: Buffer, entrant: Entrant): void;
  /** How many are connected. */
  readonly connected: number;
  /** Ends every connection and the hub. */
  close(): Promise<void>;
}

export function createLiveEndpoint(options: LiveEndpointOptions): LiveEndpoint {
  const { hub, clock, chance = systemChance, connectionLimits } = options;
  const connections = createConnections(clock, connectionLimits);
  const sockets = createSockets(clock);

  function open(context: OperationContext, follow: Omit<FollowRequest, 'sink' | 'mayRead'>): EventStream {
    // Before the connection is counted there is nothing to end.
    let end = (): void => {};
    const connection = connections.enter(context, () => end());
    try {
      connection.addTopics(follow.topics.length);
    } catch (error) {
      connection.leave();
      throw error;
    }
    const stream = createEventStream({
      clock,
      // Spread: thousands that lost the same server must not come back together.
      retryMs: Math.round(1_000 + 2_000 * chance.float()),
      follow: (sink) => hub.follow({ ...follow, ...filterOf(context.actor), sink }),
      onEnd: connection.leave,
    });
    end = stream.close;
    return stream;
  }

  return {
    async answer(request, context) {
      const { topics, after } = await perform(liveFollow, context, readQuery(request.url));
      const from = heardLast(request) ?? (after === null ? null : parseCursor(after));
      const isHead = request.method === 'HEAD';
      const body = isHead ? null : open(context, { topics: topics.map(parseTopic), after: from }).body;
      return new Response(body, {
        headers: {
          'content-type': 'text/event-stream',
          'cache-control': 'no-store, no-transform',
          // A proxy that gathers the answer would keep it for ever.
          'x-accel-buffering': 'no',
        },
      });
    },
    accept(incoming, socket, head, { context, charge }) {
      let end: Parameters<SocketClient['onClose']>[0] = () => undefined;
      const connection = connections.enter(context, (why) => end(why));
      // Also of one that never becomes a WebSocket.
      socket.once('close', connection.leave);
      sockets.accept(incoming, socket, head, {
        context,
        connection,
        charge,
        follow: (request) => hub.follow({ ...request, ...filterOf(context.actor) }),
        onClose: (close) => {
          end = close;
        },
      });
    },
    get connected() {
      return connections.count;
    },
    async close() {
      connections.close();
      await hub.close();
    },
  };
}

/** Who reaches some queues hears of no other. */
function filterOf({ queues = null }: Actor): Pick<FollowRequest, 'mayRead'> {
  return queues === null ? {} : { mayRead: (queue) => reachesQueue(queues, queue) };
}

/** What a browser says when it comes back. What no server wrote is a cursor of no store: its client is told to ask anew. */
function heardLast(request: Request): LiveCursor | null {
  const text = request.headers.get('last-event-id');
  return text === null || text === '' ? null : (parseCursor(text) ?? { incarnation: '', seen: 0, gathered: 0 });
}

/** Live updates over a WebSocket: what a client follows is said in messages, and changed at any time. */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { TaskFlowError, taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { parseCursor, parseTopic } from '../../core/live.ts';
import type { Cancel, Clock } from '../../core/time.ts';
import type { FollowRequest, LiveSink } from '../../live/group.ts';
import type { Following } from '../../live/hub.ts';
import { liveFollow } from '../../operations/live.ts';
import { type OperationContext, perform } from '../../operations/operation.ts';
import { apiRoot } from '../routes.ts';
import { readAsked } from './asked.ts';
import type { Connection } from './connections.ts';

/** Where a WebSocket is asked for. */
export const socketPath = `${apiRoot}/ws`;

/** Takes the sockets of requests that want to be a WebSocket. */
export interface Sockets {
  /** Speaks the protocol with a client that was let in. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, client: SocketClient): void;
}

/** Who was let in. */
export interface SocketClient {
  readonly context: OperationContext;
  readonly connection: Connection;
  follow(request: Omit<FollowRequest, 'mayRead'>): Following;
  /** Gets what ends it from elsewhere. */
  onClose(close: (why: 'access' | 'closing') => void): void;
}

export function createSockets(clock: Clock): Sockets {
  // Compression would hold memory for each client, and one who chooses what is compressed learns of the rest.
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: limits.liveFrameBytesMax,
    perMessageDeflate: false,
    clientTracking: false,
  });
  return {
    accept(request, socket, head, client) {
      server.handleUpgrade(request, socket, head, (webSocket) => speak(webSocket, client, clock));
    },
  };
}

/** The codes of the WebSocket protocol for why a connection is closed. */
const codes = { goingAway: 1001, unsupported: 1003, policy: 1008, tryLater: 1013 } as const;

function speak(socket: WebSocket, client: SocketClient, clock: Clock): void {
  const followed = new Map<string, Following>();
  let cancelKill: Cancel = () => {};

  /** A client that does not answer the closing is cut off. */
  function close(code: number, reason: string): void {
    endAll();
    socket.close(code, reason);
    cancelKill();
    cancelKill = clock.schedule(limits.liveCloseMs, () => socket.terminate());
  }

  function endAll(): void {
    for (const following of followed.values()) following.end();
    followed.clear();
  }

  const sink: LiveSink = {
    isFull: false,
    send(frame) {
      if (socket.readyState !== socket.OPEN) return;
      if (socket.bufferedAmount > limits.liveBufferBytesMax) close(codes.tryLater, 'you read too slowly');
      else socket.send(frame.json(), { binary: false });
    },
  };

  async function follow(topics: readonly string[], after: string | undefined): Promise<void> {
    const plan = await perform(liveFollow, client.context, { topics: topics.join(','), ...(after && { after }) });
    const added = plan.topics.filter((topic) => !followed.has(topic));
    if (followed.size + added.length > limits.liveTopicsMax)
      throw taskFlowError('INVALID_OPTION', {
        what: 'follow',
        problem: `at most ${limits.liveTopicsMax} topics are followed on one connection`,
      });
    if (socket.readyState !== socket.OPEN) return;
    const from = plan.after === null ? null : parseCursor(plan.after);
    // Each on its own, so that each of its messages tells how far that topic has got.
    for (const topic of added) followed.set(topic, client.follow({ topics: [parseTopic(topic)], after: from, sink }));
  }

  async function hear(data: RawData, isBinary: boolean): Promise<void> {
    if (isBinary) return close(codes.unsupported, 'messages are text');
    try {
      const asked = readAsked(String(data));
      for (const topic of asked.unfollow) {
        const { text } = parseTopic(topic);
        followed.get(text)?.end();
        followed.delete(text);
      }
      if (asked.follow.length > 0) await follow(asked.follow, asked.after);
    } catch (error) {
      if (!(error instanceof TaskFlowError)) throw error;
      const { code, message, hint } = error;
      if (socket.readyState === socket.OPEN)
        socket.send(JSON.stringify({ type: 'error', code, message, ...(hint && { hint }) }));
    }
  }

  const isFlooding = createRate(clock);
  const beat = keepAlive(socket, clock, isFlooding);
  client.onClose((why) =>
    why === 'access' ? close(codes.policy, 'access was withdrawn') : close(codes.goingAway, 'the server closes'),
  );
  socket.on('message', (data, isBinary) => {
    if (isFlooding()) close(codes.policy, 'too many messages');
    else hear(data, isBinary).catch(() => close(codes.goingAway, 'the server failed'));
  });
  socket.on('ping', () => {
    if (isFlooding()) close(codes.policy, 'too many messages');
  });
  // What a client sends that is no WebSocket closes it by itself: there is nothing to do but to hear of it.
  socket.on('error', () => undefined);
  socket.on('close', () => {
    endAll();
    cancelKill();
    beat.stop();
    client.connection.leave();
  });
}

/** Whether there were more messages in this second than a client needs. */
function createRate(clock: Clock): () => boolean {
  let second = 0;
  let count = 0;
  return () => {
    const now = Math.floor(clock.elapsed() / 1_000);
    count = now === second ? count + 1 : 1;
    second = now;
    return count > limits.liveFramesPerSecondMax;
  };
}

/** Cuts off a client that does not answer a ping. */
function keepAlive(socket: WebSocket, clock: Clock, isFlooding: () => boolean): { stop(): void } {
  let cancel: Cancel = () => {};
  const pingLater = (): void => {
    cancel = clock.schedule(limits.livePingMs, () => {
      socket.ping();
      cancel = clock.schedule(limits.livePongMs, () => socket.terminate());
    });
  };
  socket.on('pong', () => {
    if (isFlooding()) return socket.terminate();
    cancel();
    if (socket.readyState === socket.OPEN) pingLater();
  });
  pingLater();
  return { stop: () => cancel() };
}

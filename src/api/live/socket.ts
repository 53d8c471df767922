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
import { costOf } from '../costs.ts';
import { apiRoot } from '../routes.ts';
import { hangUp, plainAnswer } from '../wire.ts';
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
  /** Takes what a message costs off what they may ask. Throws RATE_LIMITED. */
  charge(cost: number): void;
  follow(request: Omit<FollowRequest, 'mayRead'>): Following;
  /** Gets what ends it from elsewhere. */
  onClose(close: (why: 'access' | 'closing') => void): void;
}

export function createSockets(clock: Clock): Sockets {
  // Compression would hold memory for each client, and one who chooses what is compressed learns of the rest.
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: limits.liveFrameBytesMax,
    maxFragments: limits.liveFragmentsMax,
    perMessageDeflate: false,
    clientTracking: false,
  });
  server.on('wsClientError', ({ message }, socket) => {
    const error = taskFlowError('INVALID_OPTION', { what: 'The handshake of the WebSocket', problem: message });
    hangUp(socket, plainAnswer(error), clock);
  });
  return {
    accept(request, socket, head, client) {
      server.handleUpgrade(request, socket, head, (webSocket) => speak({ webSocket, socket }, client, clock));
    },
  };
}

/** The codes of the WebSocket protocol for why a connection is closed. */
const codes = { goingAway: 1001, unsupported: 1003, policy: 1008, tryLater: 1013 } as const;

/** A WebSocket, and the connection below it. */
interface Line {
  readonly webSocket: WebSocket;
  readonly socket: Duplex;
}

function speak({ webSocket, socket }: Line, client: SocketClient, clock: Clock): void {
  const topics = createTopics({ webSocket, socket }, client, close);
  const isFlooding = createRate(clock);
  const beat = keepAlive(webSocket, clock);
  let heard = Promise.resolve();
  let cancelKill: Cancel | null = null;

  function close(code: number, reason: string): void {
    topics.endAll();
    webSocket.close(code, reason);
    killSoon();
  }

  /** Whoever does not answer the closing is cut off, whatever else they send. */
  function killSoon(): void {
    cancelKill ??= clock.schedule(limits.liveCloseMs, () => webSocket.terminate());
  }

  /** Nothing of what it sends is looked at any more. It is taken all the same: a connection with something unread is reset, and the reason with it. */
  function cutOff(): void {
    if (webSocket.readyState !== webSocket.OPEN) return;
    close(codes.policy, 'too many messages');
    socket.removeAllListeners('data');
    socket.resume();
  }

  /** One after the other, in the order in which they came. */
  function hear(data: RawData): void {
    const text = String(data);
    heard = heard.then(() => topics.hear(text)).catch(() => close(codes.goingAway, 'the server failed'));
  }

  client.onClose((why) =>
    why === 'access' ? close(codes.policy, 'access was withdrawn') : close(codes.goingAway, 'the server closes'),
  );
  webSocket.on('message', (data, isBinary) => {
    if (webSocket.readyState !== webSocket.OPEN) return;
    if (isFlooding()) cutOff();
    else if (isBinary) close(codes.unsupported, 'messages are text');
    else hear(data);
  });
  webSocket.on('ping', () => {
    if (isFlooding()) cutOff();
  });
  webSocket.on('pong', () => {
    if (isFlooding()) cutOff();
  });
  // What a client sends that is no WebSocket closes it by itself.
  webSocket.on('error', killSoon);
  webSocket.on('close', () => {
    topics.endAll();
    cancelKill?.();
    beat.stop();
    client.connection.leave();
  });
}

/** What one client follows. */
interface Topics {
  /** Does what a message asks for, or answers what is wrong with it. Rejects where that is not the client's mistake. */
  hear(text: string): Promise<void>;
  endAll(): void;
}

function createTopics(
  { webSocket, socket }: Line,
  client: SocketClient,
  close: (code: number, reason: string) => void,
): Topics {
  const followed = new Map<string, Following>();
  let isGathering = false;

  /** What is sent in one breath goes out in one: a message for each of a hundred topics would be a hundred calls of the system. */
  function gather(): void {
    if (isGathering) return;
    isGathering = true;
    socket.cork();
    queueMicrotask(() => {
      isGathering = false;
      socket.uncork();
    });
  }

  const sink: LiveSink = {
    get isFull() {
      return webSocket.bufferedAmount > limits.liveBufferBytesMax / 2;
    },
    send(frame) {
      if (webSocket.readyState !== webSocket.OPEN) return;
      if (webSocket.bufferedAmount > limits.liveBufferBytesMax) close(codes.tryLater, 'you read too slowly');
      else {
        gather();
        webSocket.send(frame.json(), { binary: false });
      }
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
    if (webSocket.readyState !== webSocket.OPEN) return;
    client.connection.addTopics(added.length);
    const from = plan.after === null ? null : parseCursor(plan.after);
    // Each on its own, so that each of its messages tells how far that topic has got.
    for (const topic of added) followed.set(topic, client.follow({ topics: [parseTopic(topic)], after: from, sink }));
  }

  return {
    async hear(text) {
      if (webSocket.readyState !== webSocket.OPEN) return;
      try {
        client.charge(1);
        const asked = readAsked(text);
        // One that goes on where it was reads the log from there.
        client.charge(asked.follow.length * (asked.after === undefined ? 1 : costOf(liveFollow.name)));
        for (const topic of asked.unfollow) {
          const { text: name } = parseTopic(topic);
          followed.get(name)?.end();
          if (followed.delete(name)) client.connection.addTopics(-1);
        }
        if (asked.follow.length > 0) await follow(asked.follow, asked.after);
      } catch (error) {
        if (!(error instanceof TaskFlowError)) throw error;
        const { code, message, hint } = error;
        if (webSocket.readyState === webSocket.OPEN)
          webSocket.send(JSON.stringify({ type: 'error', code, message, ...(hint && { hint }) }));
      }
    },
    endAll() {
      for (const following of followed.values()) following.end();
      client.connection.addTopics(-followed.size);
      followed.clear();
    },
  };
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
function keepAlive(socket: WebSocket, clock: Clock): { stop(): void } {
  let cancel: Cancel = () => {};
  const pingLater = (): void => {
    cancel = clock.schedule(limits.livePingMs, () => {
      socket.ping();
      cancel = clock.schedule(limits.livePongMs, () => socket.terminate());
    });
  };
  socket.on('pong', () => {
    cancel();
    if (socket.readyState === socket.OPEN) pingLater();
  });
  pingLater();
  return { stop: () => cancel() };
}

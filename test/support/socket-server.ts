/** A server that speaks WebSocket on a real port, the clients of it, and connections that speak it badly. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { ConnectionLimits } from '../../src/api/live/connections.ts';
import { createLiveEndpoint } from '../../src/api/live/endpoint.ts';
import { createUpgrade } from '../../src/api/live/upgrade.ts';
import { type RunningServer, serve } from '../../src/api/serve.ts';
import { createSqliteStore } from '../../src/broker/connect.ts';
import { systemClock } from '../../src/core/time.ts';
import { createLiveHub } from '../../src/live/hub.ts';
import { createContext } from '../../src/operations/context.ts';
import type { Actor } from '../../src/operations/operation.ts';

export interface SocketServerOptions {
  readonly authenticate?: (request: Request) => Promise<Actor>;
  readonly connectionLimits?: ConnectionLimits;
}

/** Ends with the test. */
export async function startSocketServer({ authenticate, connectionLimits }: SocketServerOptions = {}) {
  const store = createSqliteStore({ file: ':memory:' });
  await store.broker.open();
  const context = createContext({ store, actor: { name: 'ada', role: 'viewer' } });
  const hub = createLiveHub({ context, report: () => undefined });
  const live = createLiveEndpoint({ hub, clock: systemClock, ...(connectionLimits && { connectionLimits }) });
  const reported: unknown[] = [];
  const onUpgrade = createUpgrade({
    live,
    context,
    hosts: [],
    authenticate,
    report: (error) => void reported.push(error),
  });
  const fetch = async (): Promise<Response> => new Response('ok');
  const server = await serve({ fetch, onUpgrade, host: '127.0.0.1', port: 0, insecure: false, clock: systemClock });
  onTestFinished(async () => {
    await live.close();
    await server.close(0);
    await store.close();
    expect(reported).toEqual([]);
  });
  const url = `ws://127.0.0.1:${server.port}/api/v1/ws`;
  return { store, live, hub, server, port: server.port, url };
}

export interface SocketMessage {
  readonly type: string;
  readonly cursor: string;
  readonly topics?: readonly string[];
  readonly topic?: string;
  readonly code?: string;
  readonly changes?: readonly { readonly id: string }[];
}

/** Ends with the test. */
export async function openSocket(url: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(url, { headers });
  const messages: SocketMessage[] = [];
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  socket.on('message', (data) => messages.push(JSON.parse(String(data)) as SocketMessage));
  onTestFinished(() => socket.terminate());
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const told = () => messages.flatMap(({ changes = [] }) => changes.map(({ id }) => id));
  return { socket, messages, closed, told, ask: (message: unknown) => socket.send(JSON.stringify(message)) };
}

/** The status of an upgrade that is refused, and the code of its problem. */
export function refusal(
  url: string,
  headers: Record<string, string> = {},
): Promise<readonly [number | undefined, string]> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    socket.on('open', () => reject(new Error('it was let in')));
    socket.on('error', () => undefined);
    socket.on('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += String(chunk);
      });
      response.on('end', () => resolve([response.statusCode, (JSON.parse(text) as { code: string }).code]));
    });
  });
}

/** What a client writes to become a WebSocket, with some of it changed; `null` leaves a header out. */
export function handshake(
  headers: Readonly<Record<string, string | null>> = {},
  line = 'GET /api/v1/ws HTTP/1.1',
): string {
  const all = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  return [line, ...lines, '', ''].join('\r\n');
}

/** A frame as a client sends it, hidden with four zeros; `opcode` is of text without it. */
export function frame(payload: string, opcode = 1): Buffer {
  const bytes = Buffer.from(payload);
  const head = bytes.length < 126 ? [0x80 | bytes.length] : [0xfe, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head, 0, 0, 0, 0]), bytes]);
}

/** A connection on which anything may be written, what came on it, and its end. It stays half open until it is destroyed. */
export async function openRaw({ port }: Pick<RunningServer, 'port'>, text = '') {
  const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const heard: Buffer[] = [];
  const ended = new Promise<void>((resolve) => socket.once('end', resolve).once('close', () => resolve()));
  socket.on('data', (data) => heard.push(data));
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
  return { socket, ended, bytes: () => Buffer.concat(heard), text: () => Buffer.concat(heard).toString('latin1') };
}

/** A TCP proxy before a store that does to connections what networks do to them: slow, silent, cut, refused. */

import { once } from 'node:events';
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { type Chance, systemChance } from '../core/chance.ts';
import { type Clock, sleep, systemClock } from '../core/time.ts';
import { type Exchanges, followHttp, followPostgres, followRedis } from './exchanges.ts';

/** What is wrong with the network, from now on, for connections that are there and those to come. */
export type Fault =
  | { readonly kind: 'none' }
  /** Each piece comes so much later, and up to `jitterMs` more; never out of order. */
  | { readonly kind: 'delay'; readonly ms: number; readonly jitterMs: number }
  /** So slow. */
  | { readonly kind: 'drip'; readonly bytesPerSecond: number }
  /** Nothing passes and nothing is said: half-open sockets. With `replies` requests do arrive. What was held passes afterwards. */
  | { readonly kind: 'silence'; readonly of: 'both' | 'replies' }
  /** Connections are reset, and new ones refused. */
  | { readonly kind: 'refuse' }
  /** Every connection is reset after so many bytes of replies. */
  | { readonly kind: 'cutAfter'; readonly bytes: number }
  /** The connection of the nth request that matches is reset: before the store sees it, or when it has executed it, reply swallowed. */
  | { readonly kind: 'cutAt'; readonly request: RegExp; readonly nth: number; readonly executed: boolean };

export interface FaultProxy {
  readonly port: number;
  /** Replaces the fault. `{ kind: 'none' }` heals. */
  inflict(fault: Fault): void;
  /** Resets all connections, once. Answers how many. */
  reset(): number;
  /** Nothing passes any more on the connections that are there, and nobody is told: as if their other end were gone. */
  abandon(): number;
  /** How often a fault has hit something: a run in which it stays 0 has proved nothing. */
  hits(): number;
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  /** The store. */
  readonly target: NetConnectOpts;
  /** Its protocol: for `cutAt`. */
  readonly protocol: 'redis' | 'postgres' | 'http';
  readonly clock?: Clock;
  readonly chance?: Chance;
}

/** Listens on a free port of this machine, and passes everything until it is told otherwise. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const state: State = {
    fault: { kind: 'none' },
    changed: Promise.withResolvers(),
    matches: 0,
    hits: 0,
    links: new Set(),
    clock: options.clock ?? systemClock,
    chance: options.chance ?? systemChance,
  };
  const server = createServer({ noDelay: true }, (client) => open(state, client, options));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const inflict = (fault: Fault): void => {
    const before = state.fault.kind;
    state.fault = fault;
    state.matches = 0;
    state.changed.resolve();
    state.changed = Promise.withResolvers();
    if (fault.kind === 'refuse' && before !== 'refuse') {
      server.close();
      reset(state);
    }
    if (fault.kind !== 'refuse' && before === 'refuse') server.listen(port, '127.0.0.1');
  };
  const close = async (): Promise<void> => {
    inflict({ kind: 'none' });
    reset(state);
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  return { port, inflict, reset: () => reset(state), abandon: () => abandon(state), hits: () => state.hits, close };
}

interface State {
  fault: Fault;
  /** Resolves when another fault is inflicted. */
  changed: PromiseWithResolvers<void>;
  /** Of the requests that `cutAt` looks for. */
  matches: number;
  hits: number;
  readonly links: Set<Link>;
  readonly clock: Clock;
  readonly chance: Chance;
}

const followers = { redis: followRedis, postgres: followPostgres, http: followHttp } as const;

type Direction = 'request' | 'reply';

/** A connection through the proxy. */
interface Link {
  readonly client: Socket;
  readonly store: Socket;
  readonly exchanges: Exchanges;
  repliedBytes: number;
  isAbandoned: boolean;
  /** The number of the request whose reply is not to arrive. */
  doomed: number | null;
}

function open(state: State, client: Socket, { target, protocol }: FaultProxyOptions): void {
  const store = connect({ noDelay: true, ...target });
  const exchanges = followers[protocol]();
  const link: Link = { client, store, exchanges, repliedBytes: 0, isAbandoned: false, doomed: null };
  state.links.add(link);
  const forget = async (closed: Direction): Promise<void> => {
    // Who gives up its end wants no word from the other.
    if (closed === 'reply') await hold(state, link, closed);
    state.links.delete(link);
    client.destroy();
    store.destroy();
  };
  // An end of one side ends the other, and so does an error, which is followed by its `close`.
  client.on('error', () => {}).on('close', () => void forget('request'));
  store.on('error', () => {}).on('close', () => void forget('reply'));
  pump(state, link, 'request').catch(() => client.destroy());
  pump(state, link, 'reply').catch(() => store.destroy());
}

function reset(state: State): number {
  const links = [...state.links];
  for (const link of links) cut(state, link);
  return links.length;
}

function abandon(state: State): number {
  for (const link of state.links) link.isAbandoned = true;
  return state.links.size;
}

function cut(state: State, { client, store }: Link): void {
  state.hits += 1;
  client.resetAndDestroy();
  store.destroy();
}

/** Passes one direction on, piece by piece in order, each as the fault of its moment says. */
async function pump(state: State, link: Link, direction: Direction): Promise<void> {
  const [from, to] = direction === 'request' ? [link.client, link.store] : [link.store, link.client];
  for await (const bytes of from as AsyncIterable<Buffer>) {
    if (direction === 'request' ? cutsRequest(state, link, bytes) : cutsReply(state, link, bytes)) {
      return cut(state, link);
    }
    await hold(state, link, direction);
    await delay(state);
    if (state.fault.kind === 'drip') await drip(state, to, bytes, state.fault.bytesPerSecond);
    else await write(to, bytes);
  }
  await hold(state, link, direction);
  to.end();
}

/** Whether one of these requests is not to reach the store. One whose reply is not to arrive is remembered. */
function cutsRequest(state: State, link: Link, bytes: Buffer): boolean {
  const { fault } = state;
  for (const { text, number } of link.exchanges.sent(bytes)) {
    if (fault.kind !== 'cutAt' || !fault.request.test(text)) continue;
    state.matches += 1;
    if (state.matches !== fault.nth) continue;
    if (!fault.executed) return true;
    link.doomed = number;
  }
  return false;
}

function cutsReply({ fault }: State, link: Link, bytes: Buffer): boolean {
  const answered = link.exchanges.answered(bytes);
  link.repliedBytes += bytes.length;
  if (fault.kind === 'cutAfter') return link.repliedBytes > fault.bytes;
  return link.doomed !== null && answered >= link.doomed;
}

async function hold(state: State, link: Link, direction: Direction): Promise<void> {
  const isHeld = ({ fault }: State): boolean =>
    (fault.kind === 'silence' && (fault.of === 'both' || direction === 'reply')) ||
    (link.isAbandoned && state.links.has(link));
  if (isHeld(state)) state.hits += 1;
  while (isHeld(state)) await state.changed.promise;
}

async function delay(state: State): Promise<void> {
  const { fault } = state;
  if (fault.kind !== 'delay') return;
  state.hits += 1;
  await sleep(state.clock, fault.ms + state.chance.float() * fault.jitterMs);
}

/** In pieces, of one byte if need be, until something else is wrong. */
async function drip(state: State, to: Socket, bytes: Buffer, bytesPerSecond: number): Promise<void> {
  state.hits += 1;
  const size = Math.max(1, Math.floor((bytesPerSecond * dripEveryMs) / 1_000));
  for (let at = 0; at < bytes.length; at += size) {
    if (state.fault.kind !== 'drip') return write(to, bytes.subarray(at));
    await write(to, bytes.subarray(at, at + size));
    await sleep(state.clock, Math.max(dripEveryMs, 1_000 / bytesPerSecond));
  }
}

const dripEveryMs = 20;

async function write(to: Socket, bytes: Buffer): Promise<void> {
  if (!to.destroyed && !to.write(bytes)) await once(to, 'drain');
}

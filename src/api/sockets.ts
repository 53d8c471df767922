/** The connections of a server: how many there may be, in all and of one address, and the end of those that do not read what they are sent. */

import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { callerOf } from '../core/address.ts';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { formatBytes } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import { isProxy, type Proxies } from '../core/proxies.ts';
import type { Cancel, Clock } from '../core/time.ts';
import { plainAddress } from './caller.ts';
import { answerNonsense, hangUp, plainAnswer } from './wire.ts';

export interface SocketOptions {
  readonly clock: Clock;
  readonly most: number;
  /** Of one address that is no proxy: behind a proxy are many. */
  readonly mostPerAddress: number;
  /** Bytes of answers that wait for the connections of one address; `limits.unreadBytesMax` without it. */
  readonly unreadMost?: number | undefined;
  readonly proxies: Proxies | null;
}

/** What a server tells of its connections. */
export interface SocketFigures {
  readonly open: number;
  /** Since the start: refused, and cut off because they did not read. */
  readonly refused: number;
  readonly stuck: number;
}

export interface Sockets extends SocketFigures {
  /** Ends a connection that asks for too much, which counts as refused. */
  cutOff(socket: Socket): void;
  /** Why nothing more is answered to whoever is at the other end until they have read what was; `null` where something is. */
  unreadBy(socket: Socket): TaskFlowError | null;
  /**
   * Whether its address, and the key that is used on it, have read enough to be answered what may be large; where all together have read
   * little, whether they have read all. Behind a proxy are many, who read through it.
   */
  hasRead(socket: Socket, keyId: string | undefined): boolean;
}

interface Seen {
  readonly caller: string;
  /** The key of what was last asked on it. */
  keyId?: string | undefined;
  /** How much it had read when it last came on, and when that was. */
  read: number;
  since: number;
}

/** To be called before it listens. It ends with the server. */
export function watchSockets(server: Server, options: SocketOptions): Sockets {
  const { clock, most, mostPerAddress, proxies, unreadMost = limits.unreadBytesMax } = options;
  const open = new Map<Socket, Seen>();
  const counts = new Map<string, number>();
  const refusing = new Set<Socket>();
  const figures = { refused: 0, stuck: 0 };
  let unread: Unread = countUnread(open);
  let countedAt = -Infinity;

  /** Not counted anew for each request. */
  function unreadBytes(): Unread {
    const now = clock.elapsed();
    if (now - countedAt < limits.unreadLookMs) return unread;
    countedAt = now;
    unread = countUnread(open);
    return unread;
  }

  const isOfProxy = ({ remoteAddress }: Socket): boolean =>
    proxies !== null && isProxy(proxies, plainAddress(remoteAddress));

  /** Answers why there is no room, and `null` when it has taken it. */
  function enter(socket: Socket): TaskFlowError | null {
    const address = plainAddress(socket.remoteAddress);
    const caller = callerOf(address ?? '');
    const count = counts.get(caller) ?? 0;
    if (open.size >= most) return taskFlowError('TOO_MANY_CONNECTIONS', { whose: 'This server', max: most });
    if (count >= mostPerAddress && (proxies === null || !isProxy(proxies, address)))
      return taskFlowError('TOO_MANY_CONNECTIONS', { whose: 'This address', max: mostPerAddress });
    counts.set(caller, count + 1);
    open.set(socket, { caller, read: 0, since: clock.elapsed() });
    socket.once('close', () => {
      open.delete(socket);
      const left = (counts.get(caller) ?? 1) - 1;
      if (left > 0) counts.set(caller, left);
      else counts.delete(caller);
    });
    return null;
  }

  function refuse(socket: Socket, error: TaskFlowError): void {
    figures.refused += 1;
    if (refusing.size >= limits.refusingMax) return void socket.destroy();
    refusing.add(socket);
    socket.once('close', () => refusing.delete(socket));
    hangUp(socket, plainAnswer(error), clock);
  }

  // Node's own listener, which begins to read requests.
  const own = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const refusal = enter(socket);
    if (refusal !== null) refuse(socket, refusal);
    else for (const accept of own) accept.call(server, socket);
  });
  // Without a listener Node would end the process for a client that resets its connection at the wrong moment.
  server.on('clientError', answerNonsense);
  server.once('listening', () => {
    const stop = lookAgain(clock, () => {
      for (const socket of findStuck(open, clock.elapsed())) {
        figures.stuck += 1;
        socket.destroy();
      }
    });
    server.once('close', stop);
  });
  return {
    get open() {
      return open.size;
    },
    get refused() {
      return figures.refused;
    },
    get stuck() {
      return figures.stuck;
    },
    cutOff(socket) {
      if (!socket.destroyed) figures.refused += 1;
      socket.destroy();
    },
    unreadBy(socket) {
      const { caller } = open.get(socket) ?? {};
      if (caller === undefined || (unreadBytes().ofAddress.get(caller) ?? 0) <= unreadMost) return null;
      if (isOfProxy(socket)) return null;
      return taskFlowError('ANSWERS_UNREAD', { whose: 'This address', max: formatBytes(unreadMost) });
    },
    hasRead(socket, keyId) {
      const seen = open.get(socket);
      // It is closed: what is answered on it waits for nobody.
      if (seen === undefined) return true;
      seen.keyId = keyId;
      const { all, ofAddress, ofKey } = unreadBytes();
      const own = isOfProxy(socket) ? 0 : (ofAddress.get(seen.caller) ?? 0);
      const most = all <= limits.unreadOfAllMax ? limits.unreadOfCallerMax : 0;
      return own <= most && (keyId === undefined || (ofKey.get(keyId) ?? 0) <= most);
    },
  };
}

/** Those that had something to read all the time, and have hardly read. */
function findStuck(open: ReadonlyMap<Socket, Seen>, now: number): readonly Socket[] {
  const stuck: Socket[] = [];
  for (const [socket, seen] of open) {
    const waiting = socket.writableLength;
    const read = socket.bytesWritten - waiting;
    if (waiting === 0 || read - seen.read >= limits.socketStuckBytes) {
      seen.read = read;
      seen.since = now;
    } else if (now - seen.since >= limits.socketStuckMs) stuck.push(socket);
  }
  return stuck;
}

/** Bytes that the system has not taken yet of what was written. */
interface Unread {
  readonly all: number;
  readonly ofAddress: ReadonlyMap<string, number>;
  readonly ofKey: ReadonlyMap<string, number>;
}

function countUnread(open: ReadonlyMap<Socket, Seen>): Unread {
  const ofAddress = new Map<string, number>();
  const ofKey = new Map<string, number>();
  let all = 0;
  for (const [{ writableLength }, { caller, keyId }] of open) {
    if (writableLength === 0) continue;
    all += writableLength;
    ofAddress.set(caller, (ofAddress.get(caller) ?? 0) + writableLength);
    if (keyId !== undefined) ofKey.set(keyId, (ofKey.get(keyId) ?? 0) + writableLength);
  }
  return { all, ofAddress, ofKey };
}

function lookAgain(clock: Clock, look: () => void): Cancel {
  let cancel: Cancel = () => {};
  const arm = (): void => {
    cancel = clock.schedule(limits.socketLookMs, () => {
      look();
      arm();
    });
  };
  arm();
  return () => cancel();
}

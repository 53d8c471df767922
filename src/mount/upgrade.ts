/** WebSockets of a mounted dashboard: the host hands on what its server gets as `upgrade`, and what is not ours stays the host's. */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { hangUp } from '../api/wire.ts';
import { systemClock } from '../core/time.ts';
import type { OpenDashboard } from './dashboard.ts';

/** For `server.on('upgrade', …)`. Answers whether the request is the dashboard's: one that is not is left as it is, for whoever else listens. */
export type UpgradeHandler = (incoming: IncomingMessage, socket: Duplex, head: Buffer) => boolean;

export interface MountUpgradeOptions {
  /** As core/base-path.ts reads it. */
  readonly basePath: string;
  open(): Promise<OpenDashboard>;
  /** Answers that the store cannot be opened. */
  closed(request: Request, error: unknown): Promise<Response>;
}

/** What comes while the store is opened waits for it, and is told when it cannot be. */
export function createMountUpgrade({ basePath, open, closed }: MountUpgradeOptions): UpgradeHandler {
  return (incoming, socket, head) => {
    if (!isBelow(incoming.url ?? '/', basePath)) return false;
    // A client that resets its connection meanwhile must not end the program.
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    open().then(
      (opened) => {
        opened.upgrade(incoming, socket, head);
        socket.off('error', ignore);
      },
      (error: unknown) => void closed(upgrading, error).then((response) => endWith(socket, response)),
    );
    return true;
  };
}

function isBelow(url: string, basePath: string): boolean {
  const path = url.split('?', 1)[0] ?? '';
  return basePath === '' || path === basePath || path.startsWith(`${basePath}/`);
}

/** To whoever asks for a WebSocket a program is told, whatever its address looks like. */
const upgrading = new Request('http://localhost/api/');

async function endWith(socket: Duplex, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = `HTTP/1.1 ${response.status} Service Unavailable\r\n${headers}content-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  hangUp(socket, Buffer.concat([Buffer.from(head), body]), systemClock);
}

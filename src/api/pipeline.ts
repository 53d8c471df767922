/** Requests that a client sends before it has read the answers to earlier ones on the same connection: each is looked at when it is its turn. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { limits } from '../core/limits.ts';

export interface PipelineOptions {
  /** Requests that may wait, of all connections together; `limits.pipelinedMax` without it. */
  readonly most?: number | undefined;
  /** Ends the connection of one that is too many. */
  refuse(socket: Socket): void;
}

export interface Pipeline {
  /** Calls `answer` at once, or when all that was asked before on that connection has been answered, and taken by the system. */
  enter(request: IncomingMessage, response: ServerResponse, answer: () => void): void;
}

/**
 * Node hands over all requests of a connection as they come. Answered at once, each answer would wait in memory for the client to read
 * those before it: a connection could have a thousand large ones made for the price of a packet, and never read any. Here it has one, and
 * is not read on while many wait. A connection that is one too many for all of them is closed: what it asked was not done.
 */
export function createPipeline({ most = limits.pipelinedMax, refuse }: PipelineOptions): Pipeline {
  let waiting = 0;
  const waitingOf = new WeakMap<Socket, number>();

  function add(socket: Socket, difference: 1 | -1): void {
    waiting += difference;
    waitingOf.set(socket, (waitingOf.get(socket) ?? 0) + difference);
  }

  /** After what is under way: Node reads on when it has parsed a request, or dropped the rest of one. */
  function pauseOrResume(socket: Socket): void {
    queueMicrotask(() => {
      if (socket.destroyed) return;
      // With a few it is read on: else nobody would see that it was closed.
      if ((waitingOf.get(socket) ?? 0) > limits.pipelinedReadMax) socket.pause();
      else socket.resume();
    });
  }

  return {
    enter(request, response, answer) {
      // Only the first in line has it.
      if (response.socket !== null) return answer();
      const { socket } = request;
      if (waiting >= most) return refuse(socket);
      add(socket, 1);
      pauseOrResume(socket);
      const leave = (): void => {
        response.off('socket', begin);
        request.off('close', leave);
        add(socket, -1);
        pauseOrResume(socket);
      };
      const begin = (): void => {
        leave();
        // Node is in the midst of handing the connection over.
        queueMicrotask(answer);
      };
      // Each is taken off when it is called; `once` would keep as much again for each request.
      response.on('socket', begin);
      request.on('close', leave);
    },
  };
}

/** Server-sent events: the messages of one client as the body of an answer. */

import { limits } from '../../core/limits.ts';
import type { Cancel, Clock } from '../../core/time.ts';
import type { LiveSink } from '../../live/group.ts';
import type { Following } from '../../live/hub.ts';

export interface EventStreamOptions {
  readonly clock: Clock;
  /** When a browser that lost the connection comes back, in ms. */
  readonly retryMs: number;
  /** Begins with it; the messages come from then on. */
  follow(sink: LiveSink): Following;
  /** It has ended, whoever ended it. Called once. */
  onEnd(): void;
}

export interface EventStream {
  readonly body: ReadableStream<Uint8Array>;
  /** Ends the answer; the client may come back. */
  close(): void;
}

const encoder = new TextEncoder();
const ping = encoder.encode(': ping\n\n');

/**
 * What waits for a client that does not read is bounded: beyond that it is dropped, and the client told to ask anew once it reads again.
 * One that does not read at all is given up.
 */
export function createEventStream({ clock, retryMs, follow, onEnd }: EventStreamOptions): EventStream {
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  let following: Following | null = null;
  let hasDropped = false;
  let fullSince: number | null = null;
  let cancelPing: Cancel = () => {};

  const hasRoom = (): boolean => (controller?.desiredSize ?? 0) > 0;

  function end(): void {
    if (controller === null) return;
    controller = null;
    cancelPing();
    following?.end();
    onEnd();
  }

  function close(): void {
    const open = controller;
    end();
    try {
      open?.close();
    } catch {
      // The client has gone in the same moment.
    }
  }

  function pingLater(): void {
    cancelPing = clock.schedule(limits.livePingMs, () => {
      if (hasRoom()) {
        fullSince = null;
        controller?.enqueue(ping);
      } else {
        fullSince ??= clock.elapsed();
        if (clock.elapsed() - fullSince >= limits.liveStuckMs - limits.livePingMs) return close();
      }
      pingLater();
    });
  }

  const sink: LiveSink = {
    get isFull() {
      return hasDropped || (controller?.desiredSize ?? 0) < limits.liveBufferBytesMax / 2;
    },
    send(frame) {
      if (hasDropped || !hasRoom()) hasDropped = controller !== null;
      else controller?.enqueue(frame.event());
    },
  };

  const body = new ReadableStream<Uint8Array>(
    {
      start(made) {
        controller = made;
        made.enqueue(encoder.encode(`: taskflow\nretry: ${retryMs}\n\n`));
        following = follow(sink);
        pingLater();
      },
      pull() {
        if (!hasDropped || !hasRoom()) return;
        hasDropped = false;
        following?.resync();
      },
      cancel: end,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: limits.liveBufferBytesMax }),
  );
  return { body, close };
}

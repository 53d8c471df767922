/** Follows the live updates of a server from a program: it comes back after a lost connection, and goes on where it was. */

import { type Chance, systemChance } from '../core/chance.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { LiveMessage } from '../core/live.ts';
import { type Clock, sleep, systemClock } from '../core/time.ts';

export interface FollowLiveOptions {
  /** Of the server, such as `http://127.0.0.1:8000`. */
  readonly url: string;
  /** `all`, `counts`, `worker`, `queue:<name>`, `task:<id>`. */
  readonly topics: readonly string[];
  /** The cursor of the last message of an earlier time; now without it. */
  readonly after?: string;
  /** Sent with each connection: `{ authorization: 'Bearer tf_…' }`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** What it throws ends the following. */
  onMessage(message: LiveMessage): void;
  /** The connection is lost: whoever must not wait looks for themselves until the next `open` or `resync`. */
  onLost?(error: unknown): void;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  readonly chance?: Chance;
}

/**
 * Hears each change once and in order, or a `resync` where some may be missing. Resolves when `signal` aborts. Rejects with
 * UNAUTHENTICATED or INVALID_OPTION when the server refuses what is asked for: that will not change by asking again.
 */
export async function followLive(options: FollowLiveOptions): Promise<void> {
  const { signal, onLost, clock = systemClock, chance = systemChance } = options;
  let cursor = options.after ?? null;
  for (let failures = 0; !signal.aborted; failures += 1) {
    const answer = await connect(options, cursor);
    if (answer instanceof Response) {
      for await (const message of messagesOf(answer, clock)) {
        if (signal.aborted) return;
        failures = 0;
        options.onMessage(message);
        cursor = message.cursor;
      }
    }
    if (signal.aborted) return;
    onLost?.(answer instanceof Response ? new Error('the connection ended') : answer.error);
    const waitMs = Math.min(limits.backoffMaxMs, limits.liveReconnectMs * 2 ** Math.min(failures, 10));
    // Half of it is chance: programs that lost the same server must not come back together.
    await sleep(clock, waitMs * (0.5 + chance.float() / 2), signal).catch(() => undefined);
  }
}

/** The answer, or why there is none now. Throws when there will be none. */
async function connect(options: FollowLiveOptions, cursor: string | null): Promise<Response | { error: unknown }> {
  const { url, topics, headers = {}, signal, fetch: ask = fetch } = options;
  const address = `${url.replace(/\/$/, '')}/api/v1/events?topics=${encodeURIComponent(topics.join(','))}`;
  const resume: Record<string, string> = cursor === null ? {} : { 'last-event-id': cursor };
  try {
    const answer = await ask(address, { headers: { ...headers, accept: 'text/event-stream', ...resume }, signal });
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (answer.status === 429 || answer.status >= 500) return { error: problem };
    throw problem;
  } catch (error) {
    if (error instanceof TaskFlowError) throw error;
    return { error };
  }
}

async function problemOf(answer: Response): Promise<TaskFlowError> {
  const read: unknown = await answer.json().catch(() => null);
  const detail =
    typeof read === 'object' && read !== null && 'detail' in read ? String(read.detail) : `status ${answer.status}`;
  if (answer.status === 401) return taskFlowError('UNAUTHENTICATED', { problem: detail });
  return taskFlowError('INVALID_OPTION', { what: 'What is followed', problem: detail });
}

/** The messages of one connection, until it ends, however it does. A server that is silent for longer than its pings take is gone. */
async function* messagesOf(answer: Response, clock: Clock): AsyncGenerator<LiveMessage> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  let text = '';
  try {
    for (;;) {
      const cancel = clock.schedule(
        2 * limits.livePingMs + limits.livePongMs,
        () => void reader.cancel().catch(() => {}),
      );
      const chunk = await reader.read().catch(() => null);
      cancel();
      if (chunk === null || chunk.done) return;
      const events = (text + chunk.value).split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        const data = event.split('\n').find((line) => line.startsWith('data: '));
        if (data !== undefined) yield JSON.parse(data.slice('data: '.length)) as LiveMessage;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

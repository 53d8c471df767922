/**
 * A connection to Redis that is made anew whenever it is gone. The client library has a machine of its own for that, with states from
 * which it does not come back; here each try is a new client, and one that is gone is never used again.
 */

import type { Redis } from 'ioredis';
import type { Chance } from '../../core/chance.ts';
import { retold, TaskFlowError, taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { type Cancel, type Clock, scheduleDeadline } from '../../core/time.ts';
import { isLostClient } from './errors.ts';
import type { Way } from './way.ts';

export interface Link {
  /** The first try. Rejects with why it failed, and then nothing is tried again. */
  open(): Promise<void>;
  /** Tries until it is there. */
  start(): void;
  /** The client that is there; `null` while there is none. */
  readonly client: Redis | null;
  /**
   * Waits for a try that is under way. Between two tries it rejects at once with why the last one failed: whoever calls then
   * would only wait, and a call that was kept for later might come when nobody wants it any more.
   */
  arrive(): Promise<Redis>;
  /** Gives up a client that is of no use any more. */
  drop(client: Redis): void;
  close(): void;
}

export interface LinkOptions {
  readonly way: Way;
  /** What is done with a new connection before anybody gets it. Rejects to refuse it. */
  readonly greet: (client: Redis) => Promise<void>;
  /** Asked now and then whether the other end is still there, and still what it was; `null` where nobody has to ask. */
  readonly look: ((client: Redis) => Promise<unknown>) | null;
  readonly clock: Clock;
  readonly chance: Chance;
}

/** Nodes of a cluster that are asked in one try: each names the next one, and mostly the first is right. */
const hopsMax = 3;

export function createLink({ way, greet, look, clock, chance }: LinkOptions): Link {
  let client: Redis | null = null;
  let attempt: Promise<Redis> | null = null;
  let trying: Redis | null = null;
  let problem: TaskFlowError = taskFlowError('STORE_CLOSED');
  let failures = 0;
  let readyAt = 0;
  let cancelNext: Cancel = () => {};
  let cancelLook: Cancel = () => {};
  let isClosed = false;

  const tryOnce = async (): Promise<Redis> => {
    for (let hops = 0; ; hops++) {
      try {
        return await tryOne();
      } catch (error) {
        if (isClosed || !way.follow(error) || hops === hopsMax) throw way.explain(error);
      }
    }
  };

  const tryOne = async (): Promise<Redis> => {
    const made = way.create();
    trying = made;
    let told: Error | null = null;
    made.on('error', (error: Error) => {
      told = error;
    });
    const tooLong = Promise.withResolvers<never>();
    const cancel = scheduleDeadline(clock, limits.redisConnectMs, () =>
      tooLong.reject(new Error(`no connection within ${limits.redisConnectMs} ms`)),
    );
    try {
      await Promise.race([tooLong.promise, made.connect().then(() => greet(made))]);
      if (made.status !== 'ready' || isClosed) throw new Error('the connection was closed');
    } catch (error) {
      made.disconnect();
      // That the client is closed is what follows from the error before.
      throw isLostClient(error) ? (told ?? error) : error;
    } finally {
      cancel();
      trying = null;
    }
    return made;
  };

  const connect = (): Promise<Redis> => {
    const current = tryOnce().then(
      (made) => {
        attempt = null;
        client = made;
        readyAt = clock.elapsed();
        made.once('end', () => lose(made));
        lookLater(made);
        return made;
      },
      (error: unknown) => {
        attempt = null;
        if (!(error instanceof TaskFlowError)) throw error;
        problem = error;
        throw error;
      },
    );
    attempt = current;
    return current;
  };

  const connectAgain = (): void => {
    if (!isClosed) connect().catch(waitAndConnect);
  };

  /** Half of it is chance: processes that lost the same server must not come back together. */
  const waitAndConnect = (): void => {
    if (isClosed) return;
    const waitMs = Math.min(limits.backoffMaxMs, limits.redisReconnectMs * 2 ** Math.min(failures, 10));
    failures += 1;
    cancelNext = clock.schedule(waitMs * (0.5 + chance.float() / 2), connectAgain);
  };

  const lose = (lost: Redis): void => {
    if (client !== lost) return;
    client = null;
    cancelLook();
    problem = taskFlowError('STORE_UNREACHABLE', { problem: 'the connection was lost' });
    // One that has lived for a while was no failure, and the next one may be there before anybody calls.
    if (clock.elapsed() - readyAt > limits.backoffMaxMs) failures = 0;
    if (failures === 0) {
      failures = 1;
      connectAgain();
    } else waitAndConnect();
  };

  /** Not when it has closed: one whose other end is gone takes its time for that. */
  const drop = (dropped: Redis): void => {
    lose(dropped);
    dropped.disconnect();
  };

  /** Nothing else tells a connection whose other end is gone without a word from one on which nothing is said. */
  const lookLater = (watched: Redis): void => {
    if (look === null) return;
    cancelLook = clock.schedule(limits.redisLookMs, () => {
      const giveUp = (): void => drop(watched);
      cancelLook = scheduleDeadline(clock, limits.redisCallMs, giveUp);
      look(watched).then(() => {
        cancelLook();
        if (client === watched) lookLater(watched);
      }, giveUp);
    });
  };

  return {
    get client() {
      return client;
    },
    open: async () => void (await connect()),
    start: connectAgain,
    arrive: () => {
      if (client !== null) return Promise.resolve(client);
      return attempt ?? Promise.reject(retold(problem, {}));
    },
    drop,
    close: () => {
      isClosed = true;
      problem = taskFlowError('STORE_CLOSED');
      cancelNext();
      cancelLook();
      trying?.disconnect();
      client?.disconnect();
      client = null;
    },
  };
}

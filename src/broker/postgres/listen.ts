/** Hears what other processes have stored, and what they give to claims that stand: one connection that listens, made anew whenever it is gone. */

import pg from 'pg';
import type { Chance } from '../../core/chance.ts';
import { limits } from '../../core/limits.ts';
import { type Cancel, type Clock, sleep } from '../../core/time.ts';
import type { Signal } from '../broker.ts';
import { anything, decodeHints } from '../hints.ts';
import { hash, lockGroup } from './locks.ts';
import { inTime } from './patience.ts';
import { identifier } from './schema.ts';

export interface ListenOptions {
  readonly config: pg.ClientConfig;
  readonly channel: string;
  readonly namespace: string;
  /** Whose notifications are not needed. */
  readonly own: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly emit: (signal: Signal) => void;
  /** Reads what is for this process alone. */
  readonly readOwn: (payload: string) => readonly Signal[];
}

/** Where this process alone is told, and the lock that it holds for as long as it hears. */
export interface Hearing {
  readonly channel: string;
  readonly member: number;
}

export interface Listening {
  /** `null` while nothing would be heard. */
  readonly hearing: Hearing | null;
  stop(): Promise<void>;
}

/** Begins to listen. Failing to is no error: the poll goes on. */
export function listen(options: ListenOptions): Listening {
  const { config, clock, chance, emit, own, channel, readOwn } = options;
  const stop = new AbortController();
  const ownHearing: Hearing = { channel: `${channel} ${own}`, member: memberOf(own) };
  let hearing: Hearing | null = null;
  const group = lockGroup(options.namespace, 'standing');
  const begin = `LISTEN ${identifier(channel)}; LISTEN ${identifier(ownHearing.channel)};
    SELECT pg_advisory_lock_shared(${group}, ${ownHearing.member})`;

  /** Resolves when the connection is gone. */
  const hear = async (isFirst: boolean): Promise<void> => {
    const connection = new pg.Client(config);
    const gone = new Promise<void>((resolve) => {
      connection.on('error', () => resolve());
      connection.on('end', () => resolve());
      stop.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    connection.on('notification', ({ channel: from, payload = '' }) => {
      const signals = from === ownHearing.channel ? readOwn(payload) : decodeHints(payload, own);
      for (const signal of signals) emit(signal);
    });
    let cancelPing: Cancel = () => {};
    try {
      const ready = connection.connect().then(() => inTime(clock, connection, { answer: connection.query(begin) }));
      ready.catch(() => {});
      // A connection that is ended before it is there never answers.
      await Promise.race([ready, gone]);
      if (stop.signal.aborted) return;
      // Whatever was told in between nobody has heard.
      if (!isFirst) for (const signal of anything) emit(signal);
      cancelPing = ping(connection, clock);
      hearing = ownHearing;
      await gone;
    } finally {
      hearing = null;
      cancelPing();
      void connection.end().catch(() => {});
    }
  };

  const ended = (async () => {
    for (let failures = 0, isFirst = true; !stop.signal.aborted; isFirst = false) {
      const startedAt = clock.elapsed();
      await hear(isFirst).catch(() => {});
      // A connection that has lived for a while was no failure.
      failures = clock.elapsed() - startedAt > limits.backoffMaxMs ? 0 : failures + 1;
      const waitMs = Math.min(limits.backoffMaxMs, limits.postgresReconnectMs * 2 ** Math.min(failures, 10));
      await sleep(clock, waitMs * (0.5 + chance.float() / 2), stop.signal).catch(() => {});
    }
  })();

  return {
    get hearing() {
      return hearing;
    },
    stop: async () => {
      stop.abort();
      await ended;
    },
  };
}

/** Zero is another lock, and 2 ** 31 is none. */
const memberOf = (own: string): number => (hash(own) >>> 2) + 1;

/** A connection whose other end is gone without a word answers nothing: the statement's deadline then ends it. */
function ping(connection: pg.Client, clock: Clock): Cancel {
  let cancel: Cancel = () => {};
  const later = (): void => {
    cancel = clock.schedule(limits.postgresPingMs, () => {
      inTime(clock, connection, { answer: connection.query('SELECT 1') }).then(
        later,
        () => void connection.end().catch(() => {}),
      );
    });
  };
  later();
  return () => cancel();
}

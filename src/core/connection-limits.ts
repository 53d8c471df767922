/** The limits of connections to Redis and Postgres, each with its reason: a part of `limits`, in a file of its own since that has many. */

export const connectionLimits = {
  /** Longest call to Redis: a script takes milliseconds, so longer is an outage. */
  redisCallMs: 5_000,
  /** Longest try for a connection to Redis, with what is asked on it before it is used, and through all sentinels. */
  redisConnectMs: 10_000,
  /** First wait before another connection to Redis is tried; it doubles up to `backoffMaxMs`, and up to half of it is chance. */
  redisReconnectMs: 50,
  /** Between two looks whether the other end of a connection to Redis is still there. */
  redisLookMs: 10_000,
  /** Longest wait for a connection to Postgres, a new one or one of the pool: longer is an outage. */
  postgresConnectMs: 10_000,
  /** Longest statement of Postgres: one of a thousand tasks takes tens of milliseconds, a migration of millions some seconds. */
  postgresStatementMs: 60_000,
  /**
   * Longest wait for an answer of Postgres to anything but a migration, and how long it keeps a transaction of which nothing comes:
   * longer than anybody may wait for a lock, shorter than a lease.
   */
  postgresCallMs: 15_000,
  /** Longest wait for a row or a name that another transaction holds. */
  postgresLockMs: 10_000,
  /** A step that lost a race is done again so many times, each time after a longer wait of up to `postgresRetryMs` more. */
  postgresTriesMax: 8,
  postgresRetryMs: 10,
  /** First wait before another connection that listens is made; it doubles up to `backoffMaxMs`. */
  postgresReconnectMs: 100,
  /** Between two looks whether the connection that listens is still there. */
  postgresPingMs: 20_000,
  /** Connections of one process: a worker uses two or three, a server a few more. A server allows 100 in all by default. */
  postgresPool: 8,
  postgresPoolMax: 100,
} as const;

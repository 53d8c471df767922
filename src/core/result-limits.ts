/** The limits of waiting for results, and of the client over HTTP, each with its reason: a part of `limits`. */

export const resultLimits = {
  /** How long `result()` waits when nobody says: longer than people wait, shorter than a process that hangs unnoticed. */
  resultWaitMs: 5 * 60_000,
  /** How long one request may wait for a result: shorter than proxies wait; who wants more asks again. */
  resultAskMs: 60_000,
  /**
   * Requests that wait for results at once, each of which holds a connection, and tasks that they wait for, some 500 bytes each; in all, and a quarter of that
   * for one caller. Those beyond are refused until others have ended.
   */
  resultAsksMax: 10_000,
  resultAsksPerCallerMax: 2_500,
  resultTasksMax: 100_000,
  resultTasksPerCallerMax: 25_000,
  /** Tasks of one request for the results of several, and bytes of these: what is beyond is asked for again. */
  resultsMax: 100,
  resultsBytesMax: 4 * 1024 * 1024,
  /**
   * From so many waits on a client over HTTP follows the live updates: with fewer the request that is held costs as little. How long that is held,
   * and how long those are gathered that begin to wait one by one.
   */
  resultFeedMin: 5,
  resultHoldMs: 30_000,
  resultGatherMs: 20,
  /** Tries of one call of a client over HTTP, and the pause before the second; each later one is twice as long. */
  apiTriesMax: 4,
  apiRetryMs: 200,
  /** How long one try may take beside what it asks the server to wait; and the longest wait a server may ask for before the next. */
  apiCallMs: 30_000,
  apiRetryAfterMaxMs: 30_000,
  /** First look for a result after its enqueue; the looks then grow apart until `pollMs`. */
  resultPollMinMs: 20,
  /**
   * With so many waits the event log is read instead of each task; after so many reads of it they are looked at after all, and when a read
   * takes longer than so; and how often that is done in any case.
   */
  resultLogMin: 20,
  resultLogReadsMax: 5,
  resultLogLagMs: 2_000,
  resultSweepMs: 30_000,
} as const;

/** The limits of keys, sessions and the audit, each with its reason: a part of `limits`, in a file of its own since that has many. */

export const accessLimits = {
  /** How old what a server knows of a key or a session may be: one that is revoked is refused everywhere within 5 s. */
  accessFreshMs: 2_000,
  /** The same while the store is away: what was known a moment ago goes on, for no longer than a revocation may take. */
  accessStaleMs: 5_000,
  /** Keys and sessions a server remembers, about 500 bytes each. */
  accessKnownMax: 10_000,
  /** How often the last use of a key or a session is noted: a write for each request would cost more than the request. */
  accessTouchMs: 60_000,
  /** Keys of a store, revoked ones among them: more are a program that forgets what it made. */
  keysMax: 10_000,
  /** Patterns of queues on one key: each is tried at every request. */
  queuePatternsMax: 50,
  /** Sessions at once; the longest unused gives way. */
  sessionsMax: 1_000,
  /** A session ends when it was not used for so long, and in any case after so long. */
  sessionIdleMs: 30 * 60_000,
  sessionMs: 12 * 3_600_000,
  /** How long a link that signs in is good: from the banner into the browser. */
  loginLinkMs: 10 * 60_000,
  /** Failed tries before a delay, its first length, its longest for one address and for one account: others cannot lock it out. */
  triesFree: 5,
  triesDelayMs: 1_000,
  triesAddressMaxMs: 15 * 60_000,
  triesAccountMaxMs: 30_000,
  /** Failed tries are forgotten after so long. */
  triesKeepMs: 3_600_000,
  /** Characters of an input, and of a state before or after, in a row of the audit: it says what was done, and is no copy of payloads. */
  auditTextMax: 4_000,
  /** Tasks of which a row of the audit keeps how they stood: as many as fit into it. */
  auditTasksMax: 15,
  /** Rows of the audit that wait to be stored, a few kilobytes each: while their database is away no more are kept. */
  auditWaitingMax: 10_000,
  /** How long who closes a store waits for the last rows of the audit: a record that is away must not keep a command. */
  auditSettleMs: 2_000,
  /** Shortest time rows of the audit are kept: nobody makes what they did be forgotten at once. */
  auditKeepMinMs: 24 * 3_600_000,
  /** How often old rows of the audit are looked for: they are kept for months. */
  auditPruneMs: 10 * 60_000,
  /** Rows of the audit that are stored, or forgotten, at once. */
  auditBatchMax: 500,
} as const;

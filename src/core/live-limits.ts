/** The limits of live updates, each with its reason: a part of `limits`, in a file of its own since that has many. */

export const liveLimits = {
  /** Events that live updates read at once: each may have a thousand tasks in it. */
  liveReadMax: 200,
  /** Tasks in the last events that are kept in memory for clients that come back, about 200 bytes each. */
  liveRecentMax: 20_000,
  /**
   * How often the log is looked at where it cannot be waited for: after a hint at the soonest, while something happens, and for how long
   * after that; all others wait for `pollMs`.
   */
  liveLookMs: 20,
  liveBusyLookMs: 50,
  liveBusyMs: 2_000,
  /** How often live updates ask whether the store is still the one they follow, and has what they read next. */
  liveCheckMs: 5_000,
  /** Topics that many look at are told four times a second: more often nobody reads. */
  liveGatherMs: 250,
  /** Tasks in one message, some 180 bytes each: with more at once it is cheaper to ask anew for what is shown. */
  liveGatherMax: 2_000,
  /** Bytes of one state that is sent: a larger one is only said to have changed. */
  liveStateBytesMax: 256 * 1024,
  /** How long after the last event a state is looked at every second, since a record may count later; and how often without events. */
  liveSettleMs: 5_000,
  liveIdleViewMs: 15_000,
  /** Reads of a client that comes back, before it is told to ask anew: 10,000 events. */
  liveCatchUpMax: 50,
  /** How long the log is read on when the last client has gone: most that lose a connection come back within it. */
  liveLingerMs: 30_000,
  /** Live connections of a server, of one actor's programs, of one browser session and of one address; and topics of one connection. */
  liveConnectionsMax: 2_000,
  livePerActorMax: 1_000,
  livePerSessionMax: 5,
  livePerAddressMax: 1_000,
  liveTopicsMax: 100,
  /** Topics of all connections of one actor, or address, some 3 KB each: a thousand pages have ten each. */
  liveTopicsPerOwnerMax: 10_000,
  /** Bytes that wait for a client that reads slowly, then they are dropped or it is closed; and how long it may not read at all. */
  liveBufferBytesMax: 1024 * 1024,
  liveStuckMs: 60_000,
  /** Bytes of a message from a client, and messages in a second: it says which topics it wants, and little else. */
  liveFrameBytesMax: 64 * 1024,
  liveFramesPerSecondMax: 50,
  /** Pieces of one message: it fits into a packet or two, and each piece costs as much as a message. */
  liveFragmentsMax: 16,
  /** How often a connection is tried, and how long its answer may take: a client that vanished frees its place within this. */
  livePingMs: 20_000,
  livePongMs: 10_000,
  /** First wait of a program before it connects anew; it doubles up to `backoffMaxMs`. */
  liveReconnectMs: 250,
  /** How long a client that is closed may take to say that it heard. */
  liveCloseMs: 1_000,
  /** How often it is asked again whether whoever follows, or sends a stream, still may. */
  liveAccessMs: 3_000,
} as const;

/** The limits of callers and their connections, each with its reason: a part of `limits`, in a file of its own since that has many. */

export const requestLimits = {
  /** Queues that callers over HTTP may make, in all: every list of queues and every scrape of the metrics has each of them. */
  queuesMax: 10_000,
  /** How long the names of queues are good, as far as they are about new ones. */
  queueNamesMs: 10_000,
  /** Mistakes told of one input: a hostile one must not make a large answer. */
  problemsMax: 20,
  /**
   * Values in an input of which all mistakes are looked for. In a larger one it is the first: a list of a million wrong items in a body of
   * megabytes would be told by gigabytes of them.
   */
  problemValuesMax: 5_000,
  /**
   * What a key may ask in a second, and at once: more than one process of ours answers, so that a program that enqueues meets it on no
   * machine of today, while one that searches without end, which costs more (`api/costs.ts`), leaves room for the others.
   */
  requestsPerKey: 10_000,
  /** The same of an address without a key: people who sign in, and what nobody should answer. A hundred behind one address load a page at once. */
  requestsPerAddress: 200,
  /** How many seconds of it may be used at once: a queue that was kept back goes out when its program starts. */
  requestBurstSeconds: 5,
  /** Highest budget that may be set. */
  requestsMax: 10_000_000,
  /** Callers of whom a server knows how much they have asked, about 150 bytes each; beyond, the longest known gives way. */
  requestCallersMax: 50_000,
  /** How often callers with a full budget are forgotten. */
  requestForgetMs: 5_000,
  /**
   * Wrong keys of one address, and of all, before keys that nobody has are not looked up any more; and how long until one more may be. A
   * right key is never refused.
   */
  wrongKeysPerAddress: 10,
  wrongKeysAddressMs: 6_000,
  wrongKeysOverall: 500,
  wrongKeysOverallMs: 20,
  /** How often who exists is read anew while somebody guesses: then no guess costs a query. */
  rosterMs: 1_000,
  /** Rows of the audit about addresses that guess keys, in a minute: a thousand of them must not fill it. */
  wrongKeysToldMax: 20,
  /** Connections of a server, some 20 KB each, and of one address: a crowd of programs behind one address has room. */
  connections: 5_000,
  connectionsPerAddress: 2_000,
  connectionsMax: 100_000,
  /** Requests on one connection: then it is closed in good order, so that a balancer has a say again. */
  requestsPerConnectionMax: 10_000,
  /**
   * From which cost on a request waits for the turn of its caller; how long each may have such begun in a turn of the event loop before others
   * have theirs; and how many of those that waited are begun in one.
   */
  turnCostMin: 10,
  turnShareMs: 3,
  turnRequestsMax: 64,
  /**
   * How long others may be held up by what waited, on average: an eighth of a commit. A piece of three milliseconds is begun every nine for it, and
   * none later than four times its length after the last; and for how long somebody is there who has asked, as people who look at a page are.
   */
  turnDelayMs: 0.5,
  turnRestFactorMax: 4,
  turnPresenceMs: 1_000,
  /**
   * From this size on a body is read as JSON when it is its turn, once it has come; and the turns of the event loop between two of them, of whomever:
   * as many as a request takes from its connection to its answer. There is no limit on the keys of one: a megabyte takes 10 ms to read, 70 ms
   * where each of its keys is another one, and so does a list of nothing but empty lists; what may be kept of it (`payloadBytesMax`) has
   * 120,000 keys at most.
   */
  turnBodyBytesMin: 256 * 1024,
  bodyPauseTurns: 10,
  /**
   * Requests of all connections that wait until those before them on their connection are answered, some 5 KB each: hardly any program
   * sends one before it has read the last answer.
   */
  pipelinedMax: 10_000,
  /** With more of one connection no more is read of it: as many as a program sends at once that does so on purpose. */
  pipelinedReadMax: 16,
  /** Lines of headers: browsers and proxies send some twenty. */
  requestHeadersMax: 100,
  /** How long a connection that was refused may take to hear of it, and how many may at once: beyond, they are cut off. */
  refusedMs: 1_000,
  refusingMax: 1_000,
  /**
   * Bytes of answers that wait for the connections of one address: two thousand may have one of a megabyte each. Beyond it gets nothing more
   * until it has read. And for how long such a count is good.
   */
  unreadBytesMax: 128 * 1024 * 1024,
  unreadLookMs: 100,
  /**
   * The same of one address, and of one key, before what may be large is begun for it: some of a megabyte each under way. And of all, before
   * nothing large is begun for those who have not read all they were answered.
   */
  unreadOfCallerMax: 16 * 1024 * 1024,
  unreadOfAllMax: 128 * 1024 * 1024,
  /** How long a request is held for it, as long as it may take to be sent; and how many are, some 5 KB each. */
  unreadWaitMs: 30_000,
  unreadHeldMax: 1_000,
  /** How often connections are looked at, whether they read what they are sent; and how much of it they have to read in how long. */
  socketLookMs: 5_000,
  socketStuckMs: 60_000,
  socketStuckBytes: 64 * 1024,
} as const;

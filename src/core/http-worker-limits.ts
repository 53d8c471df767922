/** The limits of workers over HTTP, each with its reason; part of `limits`. */

export const httpWorkerLimits = {
  /** Bytes of one message of a worker over HTTP: outcomes with the tasks they bring along, and what one call of the seam carries beside. */
  workerBodyBytesMax: 8 * 1024 * 1024,
  /** Levels of a body around what a task made, at most: outcomes, a report in them, the tasks it brings along, and the input of one. */
  bodyLevels: 6,
  /** How long a claim over HTTP may wait for a task: below the minute after which proxies give up a silent request. */
  claimWaitMaxMs: 30_000,
  /** Claims that wait at one server: each is a connection, and is asked again by whoever it was refused. */
  claimsWaitingMax: 2_000,
  /** How often a claim that waits looks without having been told: as often as two polls of a worker, for each is a call of the store. */
  claimLookMs: 2_000,
  /** Running tasks of which a server remembers what a verdict needs, some 500 bytes each; it reads the others again. */
  heldTasksMax: 20_000,
  /** Rows of the audit about workers that name leases of others, in a minute: a thousand of them must not fill it. */
  foreignLeasesToldMax: 20,
  /** Definitions one worker publishes. */
  definitionsMax: 2_000,
  /** Bytes of the schema of one of them: all that are published are read whenever somebody enqueues by a name. */
  definitionBytesMax: 256 * 1024,
  /** Parts of such a schema that inputs are checked with: times the parts of an input, it is what one enqueue may cost. */
  schemaPartsMax: 2_000,
  /** Characters of the id and of a claim token that a worker over HTTP chooses, and the fewest of a token: they must not be guessed. */
  workerIdMax: 100,
  claimTokenMax: 200,
  claimTokenMin: 8,
  /**
   * How long a handler that enqueues, or a run that wants its parents' results, asks a server again that does not answer: through a restart of
   * it, and no longer than half a lease.
   */
  handlerAskMs: 15_000,
  /** Longest call of a worker to its server beside what it waits for there: longer is an outage, and shorter than the patience for a stall. */
  serverCallMs: 15_000,
} as const;

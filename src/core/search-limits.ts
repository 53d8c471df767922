/** The limits of searches, each with its reason: a part of `limits`, in a file of its own since that has many. */

export const searchLimits = {
  /** Rows a filter without an index looks at, newest first. */
  scanMax: 100_000,
  /** Rows one statement of such a search looks at, and how long it should take: other work of the process runs between two of them. */
  scanChunkMax: 25_000,
  scanChunkMs: 20,
  /** How long a search goes on before it answers with what it has found, and in how many looks: a page is there within a tenth of a second. */
  searchMs: 60,
  searchLooksMax: 3,
  /** Ways into the indexes one search follows at once: names that begin with a word, for one. Beyond, it scans. */
  searchWaysMax: 50,
  /** Waiting tasks a search for a state lists and sorts. Beyond, it scans: then they are not rare. */
  searchListMax: 10_000,
} as const;

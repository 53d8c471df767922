/** The limits of what is kept of the time before and of looks back at it, each with its reason: a part of `limits`. */

export const keptLimits = {
  /** How long events and minute buckets are kept. */
  eventsKeepMs: 24 * 3_600_000,
  minutesKeepMs: 30 * 24 * 3_600_000,
  /** Sums of hours: a few thousand rows a day, where minutes are tens of thousands. */
  hoursKeepMs: 90 * 24 * 3_600_000,
  /** How far back Overview tells by name what failed and how long it ran: what fails now, at 200 rows an hour, whatever time its chart shows. */
  activityNamesMs: 24 * 3_600_000,
  /** How waits and runs were spread: twice as long as totals look back at most. Some rows a minute for each queue. */
  latenciesKeepMs: 2 * 3_600_000,
  /** Minutes of queues that one scrape reads at most, some 20 MB: ten minutes in which each of ten thousand queues had an end. The newest are told. */
  endedRowsMax: 100_000,
  /** Hours kept by an earlier version that one tick rolls up: some 5 ms each among ten million tasks, and other work runs between two of them. */
  rollUpHoursMax: 24,
  /** Newest hours whose sums each tick holds against their minutes: as long as a process of an earlier version may take to drain, and a few milliseconds. */
  mendHours: 3,
  /** Minutes one look back covers: a week; in steps of an hour the time for which hours are kept. */
  statsMinutesMax: 7 * 24 * 60,
  statsHoursMinutesMax: 90 * 24 * 60,
  /** Rows of one answer at most, some 2 MB, and where no number is given; a reader asks for the next page. */
  statsRowsMax: 10_000,
  statsRows: 2_000,
} as const;

/** How many tasks ended a second, period by period: whether a run keeps its pace, and what trouble costs. */

export interface Pace {
  /** To be called now and then: `ended` tasks after `ms` of the run. */
  look(ms: number, ended: number): void;
  /** Of each period that is over. */
  readonly perSecond: readonly number[];
}

export function createPace(periodMs: number): Pace {
  const perSecond: number[] = [];
  let last = { ms: 0, ended: 0 };
  return {
    perSecond,
    look(ms, ended) {
      if (ms < (perSecond.length + 1) * periodMs) return;
      perSecond.push(((ended - last.ended) * 1_000) / (ms - last.ms));
      last = { ms, ended };
    },
  };
}

/** Tasks that came to an end, whichever. */
export function endedOf(counts: Readonly<Record<string, number>>): number {
  const { succeeded = 0, failed = 0, quarantined = 0, cancelled = 0, expired = 0 } = counts;
  return succeeded + failed + quarantined + cancelled + expired;
}

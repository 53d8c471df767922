/** How times are spread: counted by bounds that are the same everywhere, so that whatever counted them can be added up. */

/** Upper bounds in milliseconds; what is longer than the last one is counted behind it. From a pick-up to the longest run by default. */
export const latencyBoundsMs: readonly number[] = [
  5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000,
];

/**
 * Each bucket that has any, in any order, followed by how many: [7, 2, 0, 95]. A bucket is the number of its bound. It is counted in the
 * way of every task that ends: most have a few neighbours among the buckets, which are found in a few steps.
 */
export type Latencies = readonly number[];

/** Counts one more in a list that is the caller's own. */
export function countLatency(counts: number[], ms: number): void {
  let bucket = 0;
  while (bucket < latencyBoundsMs.length && ms > (latencyBoundsMs[bucket] ?? 0)) bucket += 1;
  addTo(counts, bucket, 1);
}

/** Adds what another list counts to one that is the caller's own. */
export function addLatencies(counts: number[], more: Latencies): void {
  for (let at = 0; at < more.length; at += 2) addTo(counts, more[at] ?? 0, more[at + 1] ?? 0);
}

function addTo(counts: number[], bucket: number, tasks: number): void {
  let at = 0;
  while (at < counts.length && counts[at] !== bucket) at += 2;
  if (at === counts.length) counts.push(bucket, tasks);
  else counts[at + 1] = (counts[at + 1] ?? 0) + tasks;
}

/** How many were at most as long as each bound, and behind them how many there are: what a histogram of Prometheus tells. */
export function cumulate(counts: Latencies): readonly number[] {
  const told = new Array<number>(latencyBoundsMs.length + 1).fill(0);
  for (let at = 0; at < counts.length; at += 2) {
    // What another version has counted beyond these bounds is longer than all of them.
    const first = Math.min(counts[at] ?? 0, latencyBoundsMs.length);
    for (let bucket = first; bucket < told.length; bucket += 1)
      told[bucket] = (told[bucket] ?? 0) + (counts[at + 1] ?? 0);
  }
  return told;
}

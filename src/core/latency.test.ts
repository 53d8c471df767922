// How times are spread, by bounds that everybody counts by.

import { expect, test } from 'vitest';
import { addLatencies, countLatency, cumulate, latencyBoundsMs } from './latency.ts';

test('bounds grow, and each takes what is as long as itself', () => {
  expect(latencyBoundsMs).toEqual([...latencyBoundsMs].sort((left, right) => left - right));
  for (const [bucket, bound] of latencyBoundsMs.entries()) {
    const counts: number[] = [];
    countLatency(counts, bound);
    countLatency(counts, bound + 1);
    expect(counts).toEqual([bucket, 1, bucket + 1, 1]);
  }
});

test('what is counted apart is the same as what is counted together', () => {
  const times = Array.from({ length: 500 }, (_, index) => (index * 7_919) % 4_000_000);
  const [together, sum] = [[] as number[], [] as number[]];
  for (const ms of times) countLatency(together, ms);
  for (let from = 0; from < times.length; from += 70) {
    const some: number[] = [];
    for (const ms of times.slice(from, from + 70)) countLatency(some, ms);
    addLatencies(sum, some);
  }
  const wanted = latencyBoundsMs.map((bound) => times.filter((ms) => ms <= bound).length);
  expect(cumulate(sum)).toEqual([...wanted, times.length]);
  expect(cumulate(together)).toEqual(cumulate(sum));
});

test('nothing is zero in every bucket, and a bucket of another version is longer than all bounds', () => {
  const all = latencyBoundsMs.length;
  expect(cumulate([])).toEqual(new Array(all + 1).fill(0));
  expect(cumulate([99, 3]).slice(-2)).toEqual([0, 3]);
});

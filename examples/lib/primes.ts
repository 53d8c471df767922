/** A sieve that needs little memory, and all of one core. */

/** Numbers looked at in one go: they fit into the cache of a processor. */
const segment = 1 << 18;

/** How many primes there are below `limit`. */
export function countPrimes(limit: number): number {
  if (limit <= 2) return 0;
  const small = primesBelow(Math.floor(Math.sqrt(limit)) + 1);
  let count = 0;
  for (let from = 2; from < limit; from += segment) {
    const to = Math.min(from + segment, limit);
    const crossed = new Uint8Array(to - from);
    for (const prime of small) {
      const first = Math.max(prime * prime, Math.ceil(from / prime) * prime);
      for (let at = first; at < to; at += prime) crossed[at - from] = 1;
    }
    for (const mark of crossed) count += 1 - mark;
  }
  return count;
}

function primesBelow(limit: number): number[] {
  const primes: number[] = [];
  for (let n = 2; n < limit; n++) if (!primes.some((prime) => prime * prime <= n && n % prime === 0)) primes.push(n);
  return primes;
}

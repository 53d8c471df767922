/** Work that computes without a pause, in a process of its own: the worker and its other tasks do not notice. */

import { task } from 'taskflowjs';
import { z } from 'zod';
import { countPrimes } from '../lib/primes.ts';

export const primesCount = task('primes.count', {
  description: 'Counts the primes below a number, without ever letting go of the processor',
  input: z.object({ below: z.int().min(2).max(1_000_000_000).default(20_000_000) }),
  timeout: '1m',
  isolate: 'process',
  memoryMb: 256,

  run({ below }) {
    // What is printed is a line of the task's log.
    console.log(`counting up to ${below}`);
    return { below, primes: countPrimes(below) };
  },
});

// Where the rings of tests are and how they run. `npm test` runs all of them, `npm run check` the first three.

import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { longestMs } from './test/faults/outages.ts';
import { LongestFirst } from './test/support/longest-first.ts';

const source = (path: string) => fileURLToPath(new URL(`src/${path}`, import.meta.url));

// Without it each of the hundreds of processes that tests start, and each that runs a file of them, would strip and compile the same sources anew:
// 0.3 s instead of 0.05.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'taskflow-compile-cache');

/** A ring of tests: its name for `--project`, and where its files are. */
const ring = (name: string, include: readonly string[], timeoutMs: number, isolate = true) => ({
  extends: true as const,
  test: { name, include: [...include], testTimeout: timeoutMs, hookTimeout: timeoutMs, isolate },
});

export default defineConfig({
  // Tests, like the examples, import the package by its name; here that means the sources.
  resolve: {
    alias: [
      { find: /^taskflowjs$/, replacement: source('index.ts') },
      { find: /^taskflowjs\/testing$/, replacement: source('testing/index.ts') },
    ],
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'hono/jsx' } },
  test: {
    // Processes, not threads: tests change the environment, open SQLite files and kill children.
    pool: 'forks',
    // One more than processors: in every third file most of the time is spent waiting, for a process, an outage or a lease.
    maxWorkers: Math.max(3, Math.min(5, availableParallelism() + 1)),
    restoreMocks: true,
    // A second is short where more processes than processors run.
    expect: { poll: { timeout: 20_000 } },
    sequence: { sequencer: LongestFirst },
    globalSetup: ['test/support/run-servers.ts'],
    passWithNoTests: false,
    projects: [
      // Long enough for the properties of fast-check on a busy machine; a test that waits is wrong anyway.
      // One after the other in the same processes: to start one and load the sources took more than half of their time. A unit leaves nothing behind.
      ring('unit', ['src/**/*.test.{ts,tsx}'], 60_000, false),
      ring('tidy', ['test/tidy.test.ts', 'test/tidy/*.test.ts'], 60_000),
      ring('conformance', ['test/conformance/**/*.test.ts', 'test/model/**/*.test.ts'], 60_000),
      ring('simulation', ['test/simulation/**/*.test.ts', 'test/checker/**/*.test.ts'], 240_000),
      ring('integration', ['test/integration/**/*.test.ts', 'test/plans/**/*.test.ts'], 60_000),
      ring('faults', ['test/faults/**/*.test.ts'], 120_000 + 8 * longestMs),
      ring('e2e', ['test/e2e/**/*.test.ts'], 180_000),
      // Everything else directly under test/, so that no file is forgotten.
      ring('other', ['test/*.test.ts', '!test/tidy.test.ts'], 60_000),
    ],
  },
});

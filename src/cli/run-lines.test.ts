/** Checks what one line says of how a run ended. */

import { expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import type { RunEvent } from '../worker/events.ts';
import type { Output } from './output.ts';
import { createRunLines, type Retry, type RunEnd } from './run-lines.ts';

function lineOf(end: RunEnd, event: Partial<RunEvent>, retry: Retry | null): string {
  const lines: string[] = [];
  const terminal = { isPerson: true, width: 120, unicode: true, depth: 0 };
  const output = { terminal, event: (_document: object, text: () => string[]) => lines.push(...text()) };
  const run = { id: 'T'.repeat(26), name: 'a', queue: 'q', attempt: 2, ms: 12, reason: null, error: null, ...event };
  createRunLines(output as unknown as Output, createManualClock()).add(end, run, retry);
  return lines[0] ?? '';
}

const retry = { attempts: 5, inMs: 1_000 };

test.each<readonly [RunEnd, Partial<RunEvent>, Retry | null, string]>([
  ['succeeded', {}, null, '12 ms'],
  ['retrying', { reason: 'error' }, retry, 'attempt 2 of 5 failed, again in 1.0 s'],
  ['failed', { reason: 'error' }, null, 'failed for good after 2 attempts'],
  ['failed', { reason: 'timeout' }, null, 'failed for good after 2 attempts (timeout)'],
  // They cost no attempts.
  ['retrying', { reason: 'crashed' }, { ...retry, inMs: 0 }, 'attempt 2 ended its process, and begins again'],
  ['failed', { reason: 'crash_loop' }, null, 'quarantined: it ended its process 3 times'],
])('%s %o', (end, event, told, words) => {
  expect(lineOf(end, event, told)).toMatch(new RegExp(`  ${words.replaceAll(/[()]/g, '\\$&')}$`));
});

/** Checks what a handler may say, how much of it is kept, and when it is refused. */
import { expect, test } from 'vitest';
import { createAttempt } from '../../test/support/attempt.ts';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Attempt } from './attempt.ts';
import { createContext } from './context.ts';

function running(): { readonly attempt: Attempt; readonly context: ReturnType<typeof createContext> } {
  const attempt = createAttempt();
  attempt.phase = 'running';
  return {
    attempt,
    context: createContext(attempt, { clock: createManualClock(), onNews() {}, onStep() {}, async complete() {} }),
  };
}

test('the context tells the run, its key and its fence', () => {
  const { context } = running();
  expect(context).toMatchObject({
    id: 'T1',
    name: 'a',
    queue: 'q',
    attempt: 2,
    idempotencyKey: 'T1:3',
    fencingToken: 7,
  });
});

test('methods of the log work without their object', () => {
  const { attempt, context } = running();
  const { info, error } = context.log;
  info('one', { n: 1 });
  error('two');
  expect(attempt.logs).toMatchObject([
    { level: 'info', message: 'one', fields: '{"n":1}' },
    { level: 'error', message: 'two', fields: null },
  ]);
});

test('a thousand lines are kept, and a word about the rest', () => {
  const { attempt, context } = running();
  for (let i = 0; i < 5_000; i++) context.log.debug(`line ${i}`);
  expect(attempt.logs).toHaveLength(1_001);
  expect(attempt.logs.at(-1)?.message).toContain('the rest was dropped');
});

test('long, cyclic or huge words do not fail the work', () => {
  const { attempt, context } = running();
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  context.log.info('x'.repeat(10_000), cycle);
  context.log.info('\ud800', { text: 'y'.repeat(20_000) });
  context.progress(1, 2, 'z'.repeat(1_000));
  expect(attempt.logs[0]?.message).toHaveLength(4_000);
  expect(attempt.logs[0]?.fields).toContain('not JSON');
  expect(attempt.logs[1]?.message.isWellFormed()).toBe(true);
  expect(attempt.logs[1]?.fields).toContain('larger than');
  expect(attempt.progress?.note).toHaveLength(200);
});

test('the signal is made on first use and has aborted when the run has', () => {
  const { attempt, context } = running();
  attempt.abort('cancel', taskFlowError('WORKER_STOPPING'));
  expect(context.signal.aborted).toBe(true);
  expect(context.signal).toBe(context.signal);
});

test('after the lease is lost every word is refused, whatever was said before', () => {
  const { attempt, context } = running();
  attempt.abort('timeout', taskFlowError('HANDLER_TIMEOUT', { timeout: '1 s' }));
  context.log.info('still mine');
  attempt.abort('lost', taskFlowError('LEASE_LOST', { id: 'T1' }));
  const refused = expect.objectContaining({ code: 'LEASE_LOST' });
  expect(() => context.log.info('not mine')).toThrow(refused);
  expect(() => context.progress(1)).toThrow(refused);
});

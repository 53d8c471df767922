/** Checks what a worker makes of what the process of a run says; real processes are tested as such. */
import { expect, test } from 'vitest';
import { createAttempt } from '../../test/support/attempt.ts';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { limits } from '../core/limits.ts';
import type { Outcome } from '../core/task.ts';
import type { Child } from './child.ts';
import type { FromChild } from './child-messages.ts';
import { runInChild } from './isolated-run.ts';

function startRun() {
  const clock = createManualClock();
  const attempt = createAttempt();
  const killed: boolean[] = [];
  const child = { tail: [], rssMb: 0, listener: null, send() {}, kill: () => killed.push(true) } as unknown as Child;
  let started = 0;
  const ended = runInChild(attempt, child, 1, {
    definitions: new Map(),
    clock,
    graceMs: 0,
    onNews() {},
    onStep() {},
    onStray() {},
    file: 'a.ts',
    payload: 'null',
    address: null,
    onStarted: () => started++,
  });
  return {
    clock,
    ended,
    killed,
    hear: (message: FromChild) => child.listener?.onMessage(message),
    started: () => started,
  };
}

const success: Outcome = { kind: 'done', result: '1' };

test('a process that does not load in time is ended, and its run fails with the file', async () => {
  const { clock, ended, killed } = startRun();
  await clock.advance(limits.isolateStartMs);
  expect((await ended).outcome).toMatchObject({ kind: 'error', error: { message: expect.stringContaining('a.ts') } });
  expect(killed).toEqual([true]);
});

test('a run that ended while its worker was stopped for long has ended well', async () => {
  const { clock, ended, killed, hear, started } = startRun();
  clock.schedule(limits.isolateStartMs, () => {
    hear({ kind: 'started', run: 1 });
    hear({ kind: 'ended', run: 1, outcome: success, spawned: [], wrote: false, isSpent: false });
  });
  clock.freeze(limits.isolateStartMs + 5_000);
  await clock.advance(limits.isolateStartMs + 10);
  expect(await ended).toEqual({ outcome: success, isSpent: false });
  expect(started()).toBe(1);
  expect(killed).toEqual([]);
});

/** Tests that whoever waits is let go when they want, whatever is asked meanwhile. */

import { expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { type Look, waitForEnd } from './wait.ts';

const lookMs = 1_000;
const running: Look = { id: 'T', state: 'running', view: 'running', progress: null };

/** A wait at a server that answers so many looks, and is silent from then on. */
function rig(answers: readonly Look[], timeoutMs: number | null = null) {
  const clock = createManualClock();
  const controller = new AbortController();
  const left = [...answers];
  const look = (): Promise<Look> => {
    const next = left.shift();
    return next === undefined ? new Promise(() => {}) : Promise.resolve(next);
  };
  const watched = { look, listen: () => () => {}, lookMs };
  const ended = waitForEnd({ watched, clock, timeoutMs, signal: controller.signal, onLook: () => {} });
  return { clock, controller, ended };
}

test('a person who gives up is let go while a server does not answer', async () => {
  const { clock, controller, ended } = rig([running]);
  await clock.advance(10 * lookMs);
  controller.abort();
  await clock.advance(lookMs);
  expect(await ended).toEqual({ task: running, end: 'aborted' });
});

test('a time that is over is over while a server does not answer', async () => {
  const { clock, ended } = rig([], 5_000);
  await clock.advance(5_000 + lookMs);
  expect(await ended).toEqual({ task: null, end: 'timedOut' });
});

test('the last look is waited for, as it may bring the end', async () => {
  const done: Look = { ...running, state: 'succeeded', view: 'succeeded' };
  const { clock, controller, ended } = rig([running, done]);
  await clock.advance(0);
  controller.abort();
  await clock.advance(0);
  expect(await ended).toEqual({ task: done, end: 'finished' });
});

/** Tests that who does not read what was answered has nothing more begun. */

import { expect, test } from 'vitest';
import { createManualClock, rest } from '../../test/support/manual-clock.ts';
import { limits } from '../core/limits.ts';
import { createGate } from './gate.ts';

/** A gate, and what became of each who waits for their turn. */
function createRig() {
  const clock = createManualClock();
  const gate = createGate({ clock });
  const ended: string[] = [];
  const deaf = new Set<string>();
  const ask = (name: string, keyId: string): void => {
    gate
      .turn({ keyId }, '192.0.2.1', (key) => !deaf.has(key ?? ''))
      .then(
        () => ended.push(name),
        ({ code }: { readonly code: string }) => ended.push(`${name} ${code}`),
      );
  };
  return { clock, gate, ended, deaf, ask };
}

test('who reads has the turn at once, also while somebody else does not', async () => {
  const { ended, deaf, ask } = createRig();
  deaf.add('deaf');
  ask('first', 'deaf');
  ask('second', 'good');
  await rest();
  expect(ended).toEqual(['second']);
});

test('who does not read is begun nothing more for, until they have read', async () => {
  const { clock, ended, deaf, ask } = createRig();
  ask('first', 'one');
  deaf.add('one');
  ask('second', 'one');
  await clock.advance(10 * limits.unreadLookMs);
  expect(ended).toEqual(['first']);
  deaf.clear();
  await clock.advance(limits.unreadLookMs);
  expect(ended).toEqual(['first', 'second']);
});

test('who never reads is refused and told so, however often their turn came', async () => {
  const { clock, gate, ended, deaf, ask } = createRig();
  deaf.add('one');
  for (let count = 0; count < limits.unreadHeldMax + 1; count++) ask(`${count}`, 'one');
  await rest();
  // One too many to be held.
  await clock.advance(1_000);
  expect(ended).toEqual([`${limits.unreadHeldMax} ANSWERS_UNREAD`]);
  await clock.advance(limits.unreadWaitMs);
  expect(ended).toHaveLength(limits.unreadHeldMax + 1);
  expect(gate.refused.unread).toBe(limits.unreadHeldMax + 1);
});

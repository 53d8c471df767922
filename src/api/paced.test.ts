/** Tests that large pieces of work leave turns to everything else, on a loop that is made by hand. */

import { expect, test } from 'vitest';
import { limits } from '../core/limits.ts';
import { createPaced } from './paced.ts';

function createLoop() {
  const ready: (() => void)[] = [];
  const begun: string[] = [];
  const paced = createPaced((callback) => void ready.push(callback));
  return {
    begun,
    ask: (caller: string) => paced.begin(caller, () => void begun.push(caller)),
    turns(count: number): void {
      for (let turn = 0; turn < count; turn++) for (const callback of ready.splice(0)) callback();
    },
    isIdle: () => ready.length === 0,
  };
}

test('a piece is begun at once, and the next one some turns later', () => {
  const loop = createLoop();
  for (let count = 0; count < 3; count++) loop.ask('a');
  expect(loop.begun).toHaveLength(1);
  loop.turns(limits.bodyPauseTurns - 1);
  expect(loop.begun).toHaveLength(1);
  loop.turns(1);
  expect(loop.begun).toHaveLength(2);
  loop.turns(2 * limits.bodyPauseTurns);
  expect([loop.begun.length, loop.isIdle()]).toEqual([3, true]);
  loop.ask('a');
  expect(loop.begun).toHaveLength(4);
});

test('who waits with a crowd before them waits for one of it', () => {
  const loop = createLoop();
  for (let count = 0; count < 50; count++) loop.ask('crowd');
  loop.ask('b');
  loop.turns(2 * limits.bodyPauseTurns);
  expect(loop.begun).toEqual(['crowd', 'crowd', 'b']);
  loop.turns(48 * limits.bodyPauseTurns);
  expect(loop.begun).toHaveLength(51);
});

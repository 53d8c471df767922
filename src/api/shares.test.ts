/** Tests that everybody has their turn, on a loop that is made by hand. */

import { expect, test } from 'vitest';
import { limits } from '../core/limits.ts';
import { createShares } from './shares.ts';

/** A loop whose turns are made by hand, and whose time passes with the work. */
function createLoop() {
  let now = 0;
  let ready: (() => void)[] = [];
  const begun: string[] = [];
  const shares = createShares({ elapsed: () => now }, (callback) => void ready.push(callback));
  return {
    begun,
    ask(caller: string, tookMs: number): void {
      shares.begin(caller, () => {
        begun.push(caller);
        now += tookMs;
      });
    },
    turn(): void {
      const all = ready;
      ready = [];
      for (const callback of all) callback();
    },
    isIdle: () => ready.length === 0,
  };
}

test('what is quick is begun at once, however much it is', () => {
  const loop = createLoop();
  for (let count = 0; count < 100; count++) loop.ask('a', limits.turnShareMs / 200);
  expect(loop.begun).toHaveLength(100);
  loop.turn();
  expect(loop.isIdle()).toBe(true);
});

test('who asks for much begins one thing in a turn, and others are begun at once', () => {
  const loop = createLoop();
  for (let count = 0; count < 50; count++) loop.ask('crowd', 10);
  expect(loop.begun).toEqual(['crowd']);
  for (let turn = 0; turn < 5; turn++) {
    loop.ask('one', 1);
    expect(loop.begun.at(-1)).toBe('one');
    loop.turn();
    loop.turn();
  }
  expect(loop.begun.filter((caller) => caller === 'crowd').length).toBeLessThanOrEqual(11);
});

test('all of it is begun in the end, in its order, and the loop comes to rest', () => {
  const loop = createLoop();
  for (let count = 0; count < 200; count++) loop.ask(count % 2 === 0 ? 'a' : 'b', 1);
  for (let turn = 0; turn < 1_000 && !loop.isIdle(); turn++) loop.turn();
  expect(loop.isIdle()).toBe(true);
  expect(loop.begun).toHaveLength(200);
  expect(loop.begun.filter((caller) => caller === 'a')).toHaveLength(100);
});

test('two crowds have equal shares', () => {
  const loop = createLoop();
  for (let count = 0; count < 300; count++) loop.ask('many', 10);
  for (let count = 0; count < 10; count++) loop.ask('few', 10);
  for (let turn = 0; turn < 40; turn++) loop.turn();
  const few = loop.begun.lastIndexOf('few');
  expect(loop.begun.slice(0, few).filter((caller) => caller === 'many').length).toBeLessThan(25);
});

/** Tests that everybody has their turn, on a loop that is made by hand. */

import { expect, test } from 'vitest';
import { limits } from '../core/limits.ts';
import { createShares } from './shares.ts';

/** A loop whose turns are made by hand, and whose time passes with the work and between turns. */
function createLoop() {
  let now = 0;
  let ready: (() => void)[] = [];
  let timers: { readonly at: number; readonly callback: () => void }[] = [];
  const begun: string[] = [];
  const clock = {
    elapsed: () => now,
    schedule: (delayMs: number, callback: () => void) => {
      timers.push({ at: now + delayMs, callback });
      return () => undefined;
    },
  };
  const shares = createShares(clock, (callback) => void ready.push(callback));
  return {
    begun,
    now: () => now,
    ask(caller: string, tookMs: number, { goesOn = false, name = caller } = {}): void {
      const work = (): void => {
        begun.push(name);
        now += tookMs;
      };
      shares.begin(caller, work, goesOn);
    },
    /** Asks for what is not much, and is begun whatever else is. */
    askLittle(caller: string): void {
      shares.asked(() => caller);
    },
    turn(passedMs = 0): void {
      now += passedMs;
      const due = timers.filter(({ at }) => at <= now);
      timers = timers.filter(({ at }) => at > now);
      for (const { callback } of due) callback();
      const all = ready;
      ready = [];
      for (const callback of all) callback();
    },
    isIdle: () => ready.length === 0 && timers.length === 0,
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
  for (let turn = 0; turn < 80; turn++) loop.turn();
  const few = loop.begun.lastIndexOf('few');
  expect(loop.begun.filter((caller) => caller === 'few')).toHaveLength(10);
  expect(loop.begun.slice(0, few).filter((caller) => caller === 'many').length).toBeLessThan(25);
});

/** Turns of a millisecond in which somebody asks for little each time: how much of the time a crowd had. */
function shareOfCrowd(pieceMs: number, askLittle: (loop: ReturnType<typeof createLoop>) => void): number {
  const loop = createLoop();
  for (let count = 0; count < 10_000; count++) loop.ask('crowd', pieceMs);
  const [began, before] = [loop.now(), loop.begun.length];
  while (loop.now() - began < 4_000) {
    askLittle(loop);
    loop.turn(0.2);
  }
  return ((loop.begun.length - before) * pieceMs) / (loop.now() - began);
}

test.each([
  [0.5, 0.25, 0.37],
  [4, 0.2, 0.28],
  [9, 0.18, 0.22],
  [50, 0.18, 0.22],
])('while others ask, a crowd is begun pieces of %d ms for between %d and %d of the time', (pieceMs, least, most) => {
  const share = shareOfCrowd(pieceMs, (loop) => loop.askLittle('one'));
  expect(share).toBeGreaterThan(least);
  expect(share).toBeLessThan(most);
});

test('all of the time is theirs when nobody else asks, or has asked for a while', () => {
  expect(shareOfCrowd(12, () => undefined)).toBeGreaterThan(0.9);
  expect(shareOfCrowd(12, (loop) => loop.askLittle('crowd'))).toBeGreaterThan(0.9);
  const late = shareOfCrowd(12, (loop) => {
    if (loop.now() < 500) loop.askLittle('one');
  });
  expect(late).toBeGreaterThan(0.6);
});

test('who asks for one thing after the other waits for no crowd', () => {
  const loop = createLoop();
  for (let count = 0; count < 500; count++) loop.ask('crowd', 12);
  for (let count = 0; count < 50; count++) {
    loop.askLittle('one');
    loop.ask('one', 2);
    expect(loop.begun.at(-1)).toBe('one');
    for (let turn = 0; turn < 5; turn++) loop.turn(1);
  }
  expect(loop.begun.filter((caller) => caller === 'crowd').length).toBeLessThan(20);
});

test('what goes on is begun before what is new of the same caller, and others have their turns', () => {
  const loop = createLoop();
  for (const name of ['a', 'b', 'c']) loop.ask('crowd', 10, { name });
  loop.ask('other', 10);
  loop.ask('other', 10);
  loop.ask('crowd', 10, { name: 'a goes on', goesOn: true });
  for (let turn = 0; turn < 20; turn++) loop.turn();
  expect(loop.begun).toEqual(['a', 'other', 'a goes on', 'other', 'b', 'c']);
});

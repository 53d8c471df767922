/** Checks the ring between the event loop and its guard, over the same memory. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClaimRing } from './claim-ring.ts';

function both(bytes: number) {
  const loop = new ClaimRing(bytes);
  return { loop, guard: new ClaimRing(loop.buffer) };
}

test('texts are read once, in the order in which they were written', () => {
  const { loop, guard } = both(100);
  expect([loop.write('one'), loop.write('two')]).toEqual([true, true]);
  expect(guard.read()).toEqual(['one', 'two']);
  expect(guard.read()).toEqual([]);
});

test('what does not fit is refused, and fits once the others were read', () => {
  const { loop, guard } = both(20);
  expect(loop.write('0123456789')).toBe(true);
  expect(loop.write('0123456789')).toBe(false);
  expect(guard.read()).toEqual(['0123456789']);
  expect(loop.write('9876543210')).toBe(false);
  expect(loop.write('987654')).toBe(true);
  expect(guard.read()).toEqual(['987654']);
});

test('whatever the lengths and turns, nothing is lost, doubled or mixed', () => {
  const step = fc.oneof(fc.constant('read' as const), fc.integer({ min: 0, max: 40 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { loop, guard } = both(64);
      const written: string[] = [];
      const read: string[] = [];
      for (const [index, one] of steps.entries()) {
        if (one === 'read') read.push(...guard.read());
        else {
          const text = String.fromCharCode(65 + (index % 26)).repeat(one);
          if (loop.write(text)) written.push(text);
        }
      }
      read.push(...guard.read());
      expect(read).toEqual(written);
    }),
  );
});

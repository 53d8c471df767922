// Signals through the payload of a notification: what comes out is what went in, or says "some" of it.

import { expect, test } from 'vitest';
import type { Signal } from './broker.ts';
import { decodeHints, encodeHints } from './hints.ts';

const heard = (signals: readonly Signal[]) => decodeHints(encodeHints('a', signals), 'b');

test('every kind of signal comes out as it went in', () => {
  const signals: readonly Signal[] = [
    { kind: 'work', queues: ['default', 'mail'] },
    { kind: 'due', inMs: 30 },
    { kind: 'cancel', taskIds: ['1'] },
    { kind: 'finished', taskIds: ['2', '3'] },
    { kind: 'command', workerIds: ['w'] },
    { kind: 'overdue' },
    { kind: 'settings' },
  ];
  expect(heard(signals)).toEqual(signals);
});

test('many of one kind become one', () => {
  expect(
    heard([
      { kind: 'work', queues: ['b'] },
      { kind: 'due', inMs: 90 },
      { kind: 'work', queues: ['a', 'b'] },
      { kind: 'due', inMs: 50 },
    ]),
  ).toEqual([
    { kind: 'work', queues: ['b', 'a'] },
    { kind: 'due', inMs: 50 },
  ]);
  expect(
    heard([
      { kind: 'work', queues: ['b'] },
      { kind: 'work', queues: null },
    ]),
  ).toEqual([{ kind: 'work', queues: null }]);
});

test('more than a notification holds is told as some of it', () => {
  const taskIds = Array.from({ length: 101 }, (_each, index) => String(index));
  expect(heard([{ kind: 'finished', taskIds }])).toEqual([{ kind: 'finished', taskIds: null }]);
  const queues = Array.from({ length: 90 }, (_each, index) => `${index}${'ä'.repeat(100)}`);
  const payload = encodeHints('a', [{ kind: 'work', queues }]);
  expect(Buffer.byteLength(payload)).toBeLessThan(8_000);
  expect(decodeHints(payload, 'b')).toContainEqual({ kind: 'work', queues: null });
});

test('nobody hears themselves, or what is no hint', () => {
  expect(decodeHints(encodeHints('a', [{ kind: 'settings' }]), 'a')).toEqual([]);
  for (const payload of ['', 'work', 'null', '[]', '{"work":[]}']) expect(decodeHints(payload, 'b')).toEqual([]);
});
